"""Which image format a path's end means."""

from __future__ import annotations

from pathlib import Path

NIFTI_SUFFIXES = (".nii", ".nii.gz")
IMAGE_SUFFIXES = (".mha", ".mhd", ".nrrd", *NIFTI_SUFFIXES)

#: Formats a result can be written in; .mhd is not among them because it would be two files.
OUTPUT_FORMATS = ("mha", "nii.gz", "nrrd")


def image_suffix(path: Path) -> str:
    """The image suffix of a path in lower case ('.nii.gz' as one), or '' when it has none of IMAGE_SUFFIXES."""
    name = path.name.lower()
    return next((suffix for suffix in sorted(IMAGE_SUFFIXES, key=len, reverse=True) if name.endswith(suffix)), "")


def image_stem(path: Path) -> str:
    """The file name without its image suffix: 'b.nii.gz' -> 'b'."""
    suffix = image_suffix(path)
    return path.name[: -len(suffix)] if suffix else path.name
