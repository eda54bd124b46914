"""Whether two files show the same image, however they are stored."""

from __future__ import annotations

import hashlib

import numpy as np

from SpiderSegLib.preprocessing import reorientation_to
from SpiderSegLib.volume import Volume


def content_hash(volume: Volume) -> str:
    """SHA-256 of the voxel values, hex: the same for other file formats, number types, axis orders, names and origins.

    Values are compared as float32, which holds whole numbers to 2^24 exactly.
    """
    oriented = reorientation_to(volume.geometry).apply(volume.array)
    digest = hashlib.sha256(str(oriented.shape).encode())
    digest.update(np.ascontiguousarray(oriented, dtype="<f4").tobytes())
    return digest.hexdigest()
