"""NIfTI files, through nibabel, whose affine is copied verbatim from input to output."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.errors import GeometryError, ImageReadError
from SpiderSegLib.io.itk_files import extract_size, without_bool
from SpiderSegLib.io.suffixes import image_suffix
from SpiderSegLib.volume import LPS_TO_RAS, Geometry, Volume

#: NIfTI header fields that, with pixdim, place the grid in space.
_NIFTI_GEOMETRY_FIELDS = (
    *("qform_code", "sform_code", "xyzt_units", "srow_x", "srow_y", "srow_z"),
    *("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
)

#: Higher levels make labelmaps hardly smaller, and take longer.
GZIP_LEVEL = 6

_NIFTI_DESCRIPTION_BYTES = 79


def read_nifti(path: Path) -> Volume:
    """Reads one scalar 3D image. Raises ImageReadError and GeometryError as `read_volume`."""
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        # Not mapped into memory: the file may be replaced while its values are in use.
        image = nibabel.load(path, mmap=False)
        data = np.asanyarray(image.dataobj)
    except (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, OverflowError, MemoryError, zlib.error) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ImageReadError(f"{path}: not a readable NIfTI file, it may be truncated or damaged ({reason})") from error
    if data.dtype.fields is not None or np.iscomplexobj(data):
        raise ImageReadError(f"{path}: expected one value a voxel, found {data.dtype} (a color, vector or complex image)")
    if extract_size(path, data.shape) is not None:
        data = data.reshape(data.shape[:3])
    data = data.astype(data.dtype.newbyteorder("="), copy=False)
    header = {"descrip": bytes(image.header["descrip"].tobytes()).rstrip(b"\0").decode("latin-1")}
    affine = np.asarray(image.affine, dtype=float)
    return Volume(np.ascontiguousarray(data.T), geometry_from_affine_ras(affine, data.shape), str(path), header, affine)


def geometry_from_affine_ras(affine_ras: NDArray[np.float64], size_ijk: tuple[int, ...]) -> Geometry:
    """The geometry of a RAS affine (i, j, k, 1) -> mm. Raises GeometryError when it is singular or sheared."""
    if not np.all(np.isfinite(affine_ras)):
        raise GeometryError(f"expected finite numbers in the affine, found {affine_ras.tolist()}")
    affine = LPS_TO_RAS @ affine_ras
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if spacing.min() <= 0:
        raise GeometryError(f"expected a positive spacing in mm, found {spacing.tolist()}")
    direction = (affine[:3, :3] / spacing).ravel().tolist()
    i, j, k = (int(n) for n in size_ijk)
    x, y, z = spacing.tolist()
    ox, oy, oz = affine[:3, 3].tolist()
    return Geometry((i, j, k), (x, y, z), (ox, oy, oz), tuple(direction))


def write_nifti(path: Path, volume: Volume, source: Path | None, description: str) -> None:
    """Writes a volume, with the geometry of another NIfTI file verbatim; the description is cut to the characters there are."""
    import nibabel

    array = without_bool(volume.array)
    affine = volume.source_affine_ras if volume.source_affine_ras is not None else volume.geometry.affine_ras
    image = nibabel.Nifti1Image(np.ascontiguousarray(array.T), affine, dtype=array.dtype)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = description.encode("utf-8", errors="replace")[:_NIFTI_DESCRIPTION_BYTES]
    if source is not None:
        _copy_nifti_geometry(nibabel.load(source).header, image.header)
    content = image.to_bytes()
    path.write_bytes(gzip.compress(content, GZIP_LEVEL, mtime=0) if image_suffix(path) == ".nii.gz" else content)


def _copy_nifti_geometry(source: Any, target: Any) -> None:
    """Both transforms with their codes and units, so that every reader finds the output where it finds the input."""
    for field in _NIFTI_GEOMETRY_FIELDS:
        target[field] = source[field]
    target["pixdim"][:4] = source["pixdim"][:4]
