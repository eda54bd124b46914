"""Several series of a patient under one segmentation: whether they lie on each other, and a labelmap on the grid of each."""

from SpiderSegLib.joint.rigid_check import RigidCheck, rigid_check
from SpiderSegLib.joint.verdict import LARGEST_UNASKED_MM, JointVerdict, PairCheck, accepted_record, check_joint, moving_text
from SpiderSegLib.joint.world_resampling import cut_shares, resample_labelmap

__all__ = [
    "LARGEST_UNASKED_MM",
    "JointVerdict",
    "PairCheck",
    "RigidCheck",
    "accepted_record",
    "check_joint",
    "cut_shares",
    "moving_text",
    "resample_labelmap",
    "rigid_check",
]
