"""Volume nodes <-> Volume, and the one place where RAS becomes LPS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from SpiderSegLib.errors import GeometryError, ImageReadError, InputError
from SpiderSegLib.volume import Geometry, Volume, left_right_axis_kji

#: Sign of each axis between RAS and LPS; the same both ways.
RAS_LPS = np.array([-1.0, -1.0, 1.0])


def lpsOf(pointRas: Any) -> tuple[float, float, float]:
    """A point in LPS millimetres from RAS, or the other way round: (x, y, z) -> (-x, -y, z)."""
    x, y, z = (float(value) for value in pointRas)
    # + 0.0 turns -0.0 into 0.0.
    return -x + 0.0, -y + 0.0, z + 0.0


rasOf = lpsOf


def arrayFromMatrix(matrix: vtk.vtkMatrix4x4) -> NDArray[np.float64]:
    """4x4 array of a vtkMatrix4x4."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def matrixFromArray(array: NDArray[np.float64]) -> vtk.vtkMatrix4x4:
    """vtkMatrix4x4 of a 4x4 array."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy([float(value) for value in np.asarray(array).ravel()])
    return matrix


@dataclass(frozen=True)
class InputCheck:
    """Whether a volume node can be segmented: `error` says why not, `warnings` what to expect if it is done all the same."""

    error: str = ""
    warnings: tuple[str, ...] = ()


def checkInput(volumeNode: Any) -> InputCheck:
    """Looks at a node before a run, without reading its voxels; never raises."""
    try:
        geometry = geometryOf(volumeNode)
    except InputError as error:
        return InputCheck(str(error))
    warnings = []
    if geometry.slice_axis_kji != left_right_axis_kji(geometry.orientation):
        warnings.append(f"{volumeNode.GetName()} is not sagittal (orientation {geometry.orientation}): check the result with care")
    if min(geometry.shape_kji) == 1:
        warnings.append(f"{volumeNode.GetName()} is a single slice: levels beside it can't be seen")
    return InputCheck("", tuple(warnings))


def geometryOf(volumeNode: Any) -> Geometry:
    """Geometry of a scalar volume in the world, its parent transform included.

    Raises ImageReadError for no node, no image, several components or a single line of voxels, GeometryError for a warping transform or
    one that shears.
    """
    size = _checkedSize(volumeNode)
    transform = volumeNode.GetParentTransformNode()
    if transform is None:
        directions = vtk.vtkMatrix4x4()
        volumeNode.GetIJKToRASDirectionMatrix(directions)
        direction = RAS_LPS[:, None] * arrayFromMatrix(directions)[:3, :3]
        return _namedGeometry(size, volumeNode.GetSpacing(), lpsOf(volumeNode.GetOrigin()), direction, volumeNode.GetName())
    return _transformedGeometry(volumeNode, transform, size)


def _transformedGeometry(volumeNode: Any, transform: Any, size: tuple[int, int, int]) -> Geometry:
    ijkToRas = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(ijkToRas)
    return geometryFromAffine(
        worldMatrixOf(volumeNode) @ arrayFromMatrix(ijkToRas), size, f"{volumeNode.GetName()} under the transform {transform.GetName()}"
    )


def worldMatrixOf(node: Any) -> NDArray[np.float64]:
    """4x4 from the frame of a transformable node to the world, RAS. Raises GeometryError under a warping transform."""
    transform = node.GetParentTransformNode()
    if transform is None:
        return np.eye(4)
    if not transform.IsTransformToWorldLinear():
        raise GeometryError(
            f"{node.GetName()} is under the warping transform {transform.GetName()}: harden the transform (Data module) or take the node out of it"
        )
    matrix = vtk.vtkMatrix4x4()
    transform.GetMatrixTransformToWorld(matrix)
    return arrayFromMatrix(matrix)


def geometryFromAffine(affineRas: NDArray[np.float64], size: Any, name: str) -> Geometry:
    """Geometry of a grid whose voxel indices go to RAS by a 4x4 affine. Raises GeometryError, with the name, for one that shears or is flat."""
    spacing = np.linalg.norm(affineRas[:3, :3], axis=0)
    direction = RAS_LPS[:, None] * affineRas[:3, :3] / np.where(spacing > 0, spacing, 1.0)
    return _namedGeometry(size, spacing, lpsOf(affineRas[:3, 3]), direction, name)


def _namedGeometry(size: Any, spacing: Any, originLps: tuple[float, float, float], direction: NDArray[np.float64], name: str) -> Geometry:
    i, j, k = (int(count) for count in size)
    x, y, z = (float(value) for value in spacing)
    try:
        return Geometry((i, j, k), (x, y, z), originLps, tuple(float(value) + 0.0 for value in direction.ravel()))
    except GeometryError as error:
        raise GeometryError(f"{name}: {error}") from None


def _checkedSize(volumeNode: Any) -> tuple[int, int, int]:
    if volumeNode is None:
        raise ImageReadError("no volume is chosen")
    name = volumeNode.GetName()
    if not volumeNode.IsA("vtkMRMLScalarVolumeNode") or volumeNode.IsA("vtkMRMLLabelMapVolumeNode"):
        raise ImageReadError(f"{name}: expected a gray-value volume, found a {volumeNode.GetNodeTagName()}")
    image = volumeNode.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0 or image.GetPointData().GetScalars() is None:
        raise ImageReadError(f"{name} holds no image")
    if image.GetNumberOfScalarComponents() != 1:
        raise ImageReadError(
            f"{name}: expected one value a voxel, found {image.GetNumberOfScalarComponents()} (a color image or a series over time): "
            "load one gray-value series"
        )
    size = image.GetDimensions()
    if sorted(size)[1] < 2:
        raise ImageReadError(f"{name}: expected slices of at least 2 x 2 voxels, found the size {size}")
    return int(size[0]), int(size[1]), int(size[2])


def volumeOf(volumeNode: Any) -> Volume:
    """The intensities (a view, (k, j, i)) and the world geometry of a scalar volume node. Raises as geometryOf."""
    geometry = geometryOf(volumeNode)
    return Volume(imageArray(volumeNode.GetImageData()), geometry, name=volumeNode.GetName())


def imageArray(image: vtk.vtkImageData) -> NDArray[Any]:
    """View of the scalars of a one-component vtkImageData, (k, j, i)."""
    scalars: NDArray[Any] = vtk_to_numpy(image.GetPointData().GetScalars())
    return scalars.reshape(image.GetDimensions()[::-1])


def gridImage(geometry: Geometry) -> Any:
    """vtkOrientedImageData with a geometry and no values: the grid others are resampled to."""
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*geometry.size_ijk)
    image.SetImageToWorldMatrix(matrixFromArray(geometry.affine_ras))
    return image


def orientedImage(array: NDArray[Any], geometry: Geometry) -> Any:
    """vtkOrientedImageData of an array (k, j, i) on a geometry; the values are copied."""
    image = gridImage(geometry)
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True))
    return image


def newVolumeNode(scene: Any, volume: Volume, name: str = "", className: str = "vtkMRMLScalarVolumeNode") -> Any:
    """A node with the values and geometry of a volume; the values are copied."""
    node = scene.AddNewNodeByClass(className, name or volume.name)
    setVolume(node, volume)
    return node


def setVolume(node: Any, volume: Volume) -> None:
    """Gives a volume node the values and geometry of a volume; the values are copied."""
    image = vtk.vtkImageData()
    image.SetDimensions(*volume.geometry.size_ijk)
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(volume.array).ravel(), deep=True))
    node.SetSpacing(volume.geometry.spacing_ijk_mm)
    node.SetOrigin(lpsOf(volume.geometry.origin_lps_mm))
    directions = np.eye(4)
    directions[:3, :3] = RAS_LPS[:, None] * volume.geometry.direction_matrix
    node.SetIJKToRASDirectionMatrix(matrixFromArray(directions))
    node.SetAndObserveImageData(image)
