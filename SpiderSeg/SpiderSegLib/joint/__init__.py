"""Several series of a patient under one segmentation: whether they lie on each other, and a labelmap on the grid of each."""

from SpiderSegLib.joint.rigid_check import RigidCheck, rigid_check
from SpiderSegLib.joint.verdict import LARGEST_UNASKED_MM, JointVerdict, PairCheck, check_joint, moving_text
from SpiderSegLib.joint.world_resampling import resample_labelmap

__all__ = ["LARGEST_UNASKED_MM", "JointVerdict", "PairCheck", "RigidCheck", "check_joint", "moving_text", "resample_labelmap", "rigid_check"]
