"""Hashes: of a file as it is, and of an image however it is stored."""

from __future__ import annotations

import hashlib
from pathlib import Path

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


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, hex; read in pieces. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
