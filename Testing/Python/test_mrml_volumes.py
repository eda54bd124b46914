"""Volume nodes <-> Volume: where voxels lie in LPS, under which transforms that can be said, and which nodes are refused with what words.

Geometries here have the numbers that one can follow by hand: RAS is LPS with the first two signs turned.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import slicer
import vtk

from mrml_scene import COLUMN, columnPoint
from SpiderSegLib.errors import GeometryError, ImageReadError
from SpiderSegLib.mrml.volumes import (
    checkInput,
    geometryFromAffine,
    geometryOf,
    gridImage,
    imageArray,
    lpsOf,
    newVolumeNode,
    orientedImage,
    rasOf,
    setVolume,
    volumeOf,
)
from SpiderSegLib.volume import Geometry, Volume

pytestmark = pytest.mark.mrml

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
AXIAL = Geometry((4, 3, 2), (0.5, 0.75, 3.0), (-10.0, 20.0, 5.0), IDENTITY)

#: i and j turned by 3-4-5 in the plane of the axial slices.
OBLIQUE = Geometry((4, 3, 2), (0.5, 0.75, 3.0), (-10.0, 20.0, 5.0), (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0))


def matrix(rows, translation=(0.0, 0.0, 0.0)):
    result = np.eye(4)
    result[:3, :3] = rows
    result[:3, 3] = translation
    return result


def worldRas(node, ijk):
    """Where Slicer's own classes see a voxel, parent transforms included."""
    toRas = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(toRas)
    world = [0.0, 0.0, 0.0]
    node.TransformPointToWorld(toRas.MultiplyPoint([*ijk, 1.0])[:3], world)
    return tuple(world)


def libraryRas(geometry, ijk):
    return tuple((geometry.affine_ras @ [*ijk, 1.0])[:3])


def assertWhereSlicerSeesIt(node):
    geometry = geometryOf(node)
    for ijk in [(0, 0, 0), (3, 0, 0), (0, 2, 0), (0, 0, 1), (3, 2, 1)]:
        assert libraryRas(geometry, ijk) == pytest.approx(worldRas(node, ijk), abs=1e-9)


# ---------------------------------------------------------------------------------------------- points


def test_points_turn_their_first_two_signs_both_ways():
    assert lpsOf((1.0, 2.0, 3.0)) == (-1.0, -2.0, 3.0)
    assert rasOf((-1.0, -2.0, 3.0)) == (1.0, 2.0, 3.0)


def test_zero_is_never_minus_zero():
    assert [math.copysign(1, value) for value in lpsOf((0.0, 0.0, 0.0))] == [1, 1, 1]
    assert [math.copysign(1, value) for value in lpsOf((-0.0, -0.0, -0.0))] == [1, 1, 1]


def test_geometries_of_nodes_hold_no_minus_zero(mrml):
    geometry = geometryOf(mrml.newVolume(Geometry((2, 2, 2), (1.0, 1.0, 4.0), (0.0, 0.0, 0.0), COLUMN.direction)))
    numbers = (*geometry.direction, *geometry.origin_lps_mm)
    assert all(math.copysign(1, value) == 1 for value in numbers if value == 0)
    assert geometry.direction == COLUMN.direction


# ---------------------------------------------------------------------------------------------- without a transform


@pytest.mark.parametrize("geometry", [AXIAL, OBLIQUE, COLUMN], ids=["axial", "oblique", "sagittal"])
def test_a_volume_survives_the_way_through_a_node_exactly(mrml, geometry):
    array = np.arange(np.prod(geometry.size_ijk), dtype=np.int16).reshape(geometry.shape_kji)
    node = newVolumeNode(mrml.scene, Volume(array, geometry, "a_t2"))
    volume = volumeOf(node)
    assert volume.geometry == geometry
    assert volume.name == "a_t2"
    assert volume.array.dtype == np.int16
    assert np.array_equal(volume.array, array)


def test_numbers_a_scanner_stores_come_back_with_all_their_digits(mrml):
    direction = (0.0, 0.017452406437283512, -0.9998476951563913, 1.0, 0.0, 0.0, 0.0, -0.9998476951563913, -0.017452406437283512)
    geometry = Geometry((4, 3, 2), (0.2789999842643738, 1 / 3, 4.400000095367432), (-7.123456789012345, 1e-7, 1234.5), direction)
    assert geometryOf(mrml.newVolume(geometry)) == geometry


def test_voxels_lie_where_slicer_sees_them(mrml):
    for geometry in (AXIAL, OBLIQUE):
        assertWhereSlicerSeesIt(mrml.newVolume(geometry))
    node = mrml.newVolume(COLUMN)
    assert worldRas(node, (5, 7, 2)) == columnPoint(5, 7, 2) == (4.0, -7.0, 3.0)
    assert libraryRas(geometryOf(node), (5, 7, 2)) == (4.0, -7.0, 3.0)


def test_the_array_runs_k_j_i_and_is_a_view(mrml):
    array = np.zeros(COLUMN.shape_kji, np.int16)
    array[2, 11, 7] = 5
    node = mrml.newVolume(COLUMN, array=array)
    assert node.GetImageData().GetScalarComponentAsDouble(7, 11, 2, 0) == 5
    volumeOf(node).array[0, 1, 2] = 9
    assert node.GetImageData().GetScalarComponentAsDouble(2, 1, 0, 0) == 9


def test_a_node_keeps_a_copy_of_the_values_it_was_given(mrml):
    array = np.zeros(COLUMN.shape_kji, np.int16)
    node = mrml.newVolume(COLUMN, array=array)
    array[:] = 1
    assert not volumeOf(node).array.any()


def test_values_that_lie_strided_in_memory_keep_their_places(mrml):
    array = np.arange(24, dtype=np.int16).reshape(4, 3, 2).transpose(2, 1, 0)
    node = mrml.newVolume(AXIAL, array=array)
    assert np.array_equal(volumeOf(node).array, array)


def test_a_node_takes_another_volume_of_another_size(mrml):
    node = mrml.newVolume(COLUMN)
    setVolume(node, Volume(np.full(OBLIQUE.shape_kji, 7, np.float32), OBLIQUE))
    assert volumeOf(node).geometry == OBLIQUE
    assert (volumeOf(node).array == 7).all()


def test_one_slice_is_a_volume(mrml):
    geometry = Geometry((8, 6, 1), (1.0, 1.0, 4.0), (0.0, 0.0, 0.0), COLUMN.direction)
    node = mrml.newVolume(geometry)
    assert volumeOf(node).array.shape == (1, 6, 8)
    assert checkInput(node).error == ""
    assert checkInput(node).warnings == ("t2 is a single slice: levels beside it can't be seen",)


# ---------------------------------------------------------------------------------------------- parent transforms

TURNED = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]


def test_a_translation_moves_the_origin_exactly(mrml):
    node = mrml.newVolume(COLUMN)
    node.SetAndObserveTransformNodeID(mrml.newTransform(matrix(np.eye(3), (1.0, 2.0, 3.0))).GetID())
    geometry = geometryOf(node)
    # LPS (4, 2, 10) is RAS (-4, -2, 10); moved to (-3, 0, 13).
    assert geometry.origin_lps_mm == (3.0, 0.0, 13.0)
    assert geometry.spacing_ijk_mm == COLUMN.spacing_ijk_mm
    assert geometry.direction == COLUMN.direction


def test_a_rotation_turns_origin_and_directions(mrml):
    node = mrml.newVolume(AXIAL)
    node.SetAndObserveTransformNodeID(mrml.newTransform(matrix(TURNED)).GetID())
    geometry = geometryOf(node)
    # A quarter turn about S takes RAS (10, -20, 5) to (20, 10, 5), which is LPS (-20, -10, 5); i, along L, turns to P.
    assert geometry.origin_lps_mm == (-20.0, -10.0, 5.0)
    assert geometry.direction == (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    assert geometry.spacing_ijk_mm == (0.5, 0.75, 3.0)
    assertWhereSlicerSeesIt(node)


def test_a_scaling_along_the_axes_changes_the_spacing(mrml):
    node = mrml.newVolume(AXIAL)
    node.SetAndObserveTransformNodeID(mrml.newTransform(np.diag([2.0, 4.0, 0.5, 1.0])).GetID())
    geometry = geometryOf(node)
    assert geometry.spacing_ijk_mm == (1.0, 3.0, 1.5)
    assert geometry.origin_lps_mm == (-20.0, 80.0, 2.5)
    assert geometry.direction == IDENTITY
    assertWhereSlicerSeesIt(node)


def test_a_mirroring_transform_gives_a_left_handed_grid(mrml):
    node = mrml.newVolume(AXIAL)
    node.SetAndObserveTransformNodeID(mrml.newTransform(np.diag([-1.0, 1.0, 1.0, 1.0])).GetID())
    assert geometryOf(node).direction == (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    assertWhereSlicerSeesIt(node)


def test_nested_transforms_are_all_applied_the_innermost_first(mrml):
    outer = mrml.newTransform(matrix(TURNED))
    inner = mrml.newTransform(matrix(np.eye(3), (1.0, 0.0, 0.0)), parent=outer)
    node = mrml.newVolume(AXIAL)
    node.SetAndObserveTransformNodeID(inner.GetID())
    # RAS (10, -20, 5) is moved to (11, -20, 5), then turned to (20, 11, 5).
    assert geometryOf(node).origin_lps_mm == (-20.0, -11.0, 5.0)
    assertWhereSlicerSeesIt(node)


def test_an_oblique_volume_under_an_oblique_transform(mrml):
    node = mrml.newVolume(OBLIQUE)
    node.SetAndObserveTransformNodeID(mrml.newTransform(matrix([[1, 0, 0], [0, 0.6, -0.8], [0, 0.8, 0.6]], (3, 2, 1))).GetID())
    assert geometryOf(node).spacing_ijk_mm == pytest.approx((0.5, 0.75, 3.0))
    assertWhereSlicerSeesIt(node)


def test_a_shearing_transform_is_refused_with_both_names(mrml):
    node = mrml.newVolume(AXIAL)
    transform = mrml.newTransform([[1, 0.3, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    transform.SetName("Registration")
    node.SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(GeometryError, match=r"t2 under the transform Registration: expected a direction of three perpendicular"):
        geometryOf(node)


def test_scaling_across_the_axes_shears_and_is_refused(mrml):
    node = mrml.newVolume(OBLIQUE)
    node.SetAndObserveTransformNodeID(mrml.newTransform(np.diag([2.0, 1.0, 1.0, 1.0])).GetID())
    with pytest.raises(GeometryError, match="perpendicular"):
        volumeOf(node)


def test_a_transform_that_flattens_space_is_refused(mrml):
    node = mrml.newVolume(AXIAL)
    node.SetAndObserveTransformNodeID(mrml.newTransform(np.diag([1.0, 1.0, 0.0, 1.0])).GetID())
    with pytest.raises(GeometryError, match=r"t2 under the transform .*: expected a positive spacing"):
        geometryOf(node)


def gridTransform(scene):
    displacements = vtk.vtkImageData()
    displacements.SetDimensions(2, 2, 2)
    displacements.SetSpacing(100, 100, 100)
    displacements.AllocateScalars(vtk.VTK_DOUBLE, 3)
    displacements.GetPointData().GetScalars().Fill(0)
    displacements.SetScalarComponentFromDouble(1, 1, 1, 0, 5.0)
    warp = slicer.vtkOrientedGridTransform()
    warp.SetDisplacementGridData(displacements)
    node = scene.AddNewNodeByClass("vtkMRMLGridTransformNode", "Warp")
    node.SetAndObserveTransformToParent(warp)
    return node


def bsplineTransform(scene):
    coefficients = vtk.vtkImageData()
    coefficients.SetDimensions(5, 5, 5)
    coefficients.AllocateScalars(vtk.VTK_DOUBLE, 3)
    coefficients.GetPointData().GetScalars().Fill(1)
    warp = slicer.vtkOrientedBSplineTransform()
    warp.SetCoefficientData(coefficients)
    node = scene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "Warp")
    node.SetAndObserveTransformToParent(warp)
    return node


@pytest.mark.parametrize("warping", [gridTransform, bsplineTransform])
def test_a_warping_transform_is_refused_also_above_a_linear_one(mrml, warping):
    warp = warping(mrml.scene)
    node = mrml.newVolume(AXIAL)
    node.SetAndObserveTransformNodeID(warp.GetID())
    with pytest.raises(GeometryError, match="t2 is under the warping transform Warp: harden"):
        geometryOf(node)
    node.SetAndObserveTransformNodeID(mrml.newTransform(np.eye(4), parent=warp).GetID())
    with pytest.raises(GeometryError, match="warping transform"):
        volumeOf(node)
    assert "warping transform" in checkInput(node).error


# ---------------------------------------------------------------------------------------------- what is no gray-value volume


def image(size=(2, 2, 2), components=1):
    data = vtk.vtkImageData()
    data.SetDimensions(*size)
    data.AllocateScalars(vtk.VTK_SHORT, components)
    return data


def empty(scene):
    return scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "X")


def filled(className, **options):
    def make(scene):
        node = scene.AddNewNodeByClass(className, "X")
        node.SetAndObserveImageData(image(**options))
        return node

    return make


def withoutScalars(scene):
    node = empty(scene)
    data = vtk.vtkImageData()
    data.SetDimensions(2, 2, 2)
    node.SetAndObserveImageData(data)
    return node


def model(scene):
    return scene.AddNewNodeByClass("vtkMRMLModelNode", "X")


BAD = [
    (lambda scene: None, "no volume is chosen"),
    (empty, "X holds no image"),
    (withoutScalars, "X holds no image"),
    (filled("vtkMRMLLabelMapVolumeNode"), "X: expected a gray-value volume, found a LabelMapVolume"),
    (model, "X: expected a gray-value volume, found a Model"),
    (filled("vtkMRMLVectorVolumeNode", components=3), r"X: expected one value a voxel, found 3 \(a color image or a series over time\)"),
    (filled("vtkMRMLScalarVolumeNode", components=5), "X: expected one value a voxel, found 5"),
    (filled("vtkMRMLScalarVolumeNode", size=(9, 1, 1)), r"X: expected slices of at least 2 x 2 voxels, found the size \(9, 1, 1\)"),
    (filled("vtkMRMLScalarVolumeNode", size=(1, 1, 1)), "at least 2 x 2 voxels"),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_what_can_t_be_segmented_is_refused_with_its_name(mrml, make, message):
    node = make(mrml.scene)
    with pytest.raises(ImageReadError, match=message):
        volumeOf(node)
    with pytest.raises(ImageReadError, match=message):
        geometryOf(node)
    assert checkInput(node).error
    assert checkInput(node).warnings == ()


def test_a_volume_with_sheared_directions_is_refused_with_its_name(mrml):
    node = mrml.newVolume(AXIAL)
    node.SetIJKToRASDirections(1, 0.5, 0, 0, 1, 0, 0, 0, 1)
    with pytest.raises(GeometryError, match="t2: expected a direction of three perpendicular"):
        geometryOf(node)
    assert checkInput(node).error.startswith("t2: ")


def test_a_volume_of_one_gray_value_a_voxel_in_a_vector_node_is_taken(mrml):
    node = filled("vtkMRMLVectorVolumeNode")(mrml.scene)
    assert volumeOf(node).array.shape == (2, 2, 2)


# ---------------------------------------------------------------------------------------------- the check before a run


def test_a_sagittal_volume_needs_no_warning(mrml):
    check = checkInput(mrml.newVolume(COLUMN))
    assert (check.error, check.warnings) == ("", ())


def test_a_volume_that_is_not_sagittal_is_warned_of_with_its_orientation(mrml):
    assert checkInput(mrml.newVolume(AXIAL)).warnings == ("t2 is not sagittal (orientation LPS): check the result with care",)


def test_the_check_sees_transforms(mrml):
    # Sagittal slices turned about S are coronal: k runs along A or P.
    node = mrml.newVolume(COLUMN)
    node.SetAndObserveTransformNodeID(mrml.newTransform(matrix(TURNED)).GetID())
    [warning] = checkInput(node).warnings
    assert "not sagittal" in warning


# ---------------------------------------------------------------------------------------------- images


def test_an_oriented_image_has_the_voxels_of_its_geometry():
    array = np.zeros(OBLIQUE.shape_kji, np.uint8)
    array[1, 2, 3] = 4
    image = orientedImage(array, OBLIQUE)
    assert image.GetScalarComponentAsDouble(3, 2, 1, 0) == 4
    assert np.array_equal(imageArray(image), array)
    toWorld = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(toWorld)
    assert toWorld.MultiplyPoint([3, 2, 1, 1])[:3] == pytest.approx(libraryRas(OBLIQUE, (3, 2, 1)))
    array[:] = 0
    assert imageArray(image)[1, 2, 3] == 4


def test_a_grid_has_no_values():
    grid = gridImage(COLUMN)
    assert grid.GetDimensions() == (8, 12, 3)
    assert grid.GetPointData().GetScalars() is None


def test_an_affine_that_shears_is_refused_with_the_name_given():
    affine = np.eye(4)
    affine[0, 1] = 0.5
    with pytest.raises(GeometryError, match="the grid: expected a direction"):
        geometryFromAffine(affine, (2, 2, 2), "the grid")
