"""What changed in a labelmap, over labelmaps small enough to count by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from small_cases import SAGITTAL, grid
from SpiderSegLib.errors import GeometryError, LabelError
from SpiderSegLib.labels import Structure
from SpiderSegLib.metrics import SPIDER_VALUES, LabelmapChanges, VoxelChanges, labelmap_changes, surface_distances
from SpiderSegLib.phantom import default_geometry, make_phantom
from SpiderSegLib.volume import Geometry, Volume


def line(*values: int, spacing_mm: float = 1.0) -> Volume:
    """A labelmap of one row of voxels along i."""
    return Volume(np.array([[values]], np.uint8), Geometry((len(values), 1, 1), (spacing_mm, 1.0, 1.0), (0.0, 0.0, 0.0), SAGITTAL))


def voxels(changes: LabelmapChanges, structure: Structure) -> VoxelChanges:
    change = changes.of(structure)
    assert change is not None
    return change.voxels


#          background, L5, L4, disc, canal
BEFORE = (0, 0, 1, 1, 1, 2, 2, 2, 201, 201, 100)
AFTER = (0, 1, 1, 2, 0, 2, 2, 201, 201, 1, 100)


def test_voxels_of_a_value_are_added_removed_relabeled_and_received() -> None:
    values = labelmap_changes(line(*BEFORE), line(*AFTER)).structures[0].values
    # Of three voxels of L5 one stays, one became L4, one background; one came from background and one from the disc.
    assert values[1] == VoxelChanges(before=3, after=3, added=1, removed=1, relabeled=1, received=1)
    assert values[2] == VoxelChanges(before=3, after=3, added=0, removed=0, relabeled=1, received=1)
    assert values[1].total == 4


def test_a_structure_counts_moves_between_its_own_values_once() -> None:
    changes = labelmap_changes(line(*BEFORE), line(*AFTER))
    # Relabeled: one L5 as L4, one L4 as disc; received: one from the disc.
    assert voxels(changes, Structure.VERTEBRA) == VoxelChanges(before=6, after=6, added=1, removed=1, relabeled=2, received=1)
    assert voxels(changes, Structure.DISC) == VoxelChanges(before=2, after=2, added=0, removed=0, relabeled=1, received=1)
    assert voxels(changes, Structure.CANAL) == VoxelChanges(before=1, after=1, added=0, removed=0, relabeled=0, received=0)


def test_voxels_that_changed_are_counted_once_though_two_structures_have_them() -> None:
    assert labelmap_changes(line(*BEFORE), line(*AFTER)).voxels_changed == sum(old != new for old, new in zip(BEFORE, AFTER, strict=True))


def test_only_values_that_changed_are_listed() -> None:
    changes = labelmap_changes(line(1, 2, 3, 100), line(1, 2, 4, 100))
    assert [list(one.values) for one in changes.structures] == [[3, 4], []]


def test_dice_and_distances_are_those_of_the_whole_structure_in_millimeters() -> None:
    # Voxels 0..3 against 0..4, 2 mm apart: the one that was added is 2 mm from the end before.
    change = labelmap_changes(line(1, 1, 2, 2, 0, 0, spacing_mm=2.0), line(3, 3, 3, 3, 3, 0, spacing_mm=2.0)).structures[0]
    # Borders are the ends: 0 and 3 before, 0 and 4 after; distances 0, 2 | 0, 2.
    assert (change.dice, change.asd_mm) == (8 / 9, 1.0)
    assert change.hd95_mm == pytest.approx(1.9)


def test_a_structure_absent_before_or_after_has_no_dice_and_no_distance() -> None:
    changes = labelmap_changes(line(1, 1, 0), line(0, 0, 100))
    assert [(one.structure, one.dice, one.asd_mm, one.hd95_mm) for one in changes.structures] == [
        (Structure.VERTEBRA, None, None, None),
        (Structure.CANAL, None, None, None),
    ]


def test_a_structure_absent_before_and_after_is_not_listed() -> None:
    assert labelmap_changes(line(0, 0), line(0, 0)) == LabelmapChanges(())
    assert labelmap_changes(line(1), line(1)).of(Structure.CANAL) is None


def test_nothing_changed_is_zero_voxels_dice_one_and_no_distance() -> None:
    changes = labelmap_changes(line(*BEFORE), line(*BEFORE))
    assert changes.voxels_changed == 0
    assert [(one.voxels.total, one.dice, one.asd_mm, one.hd95_mm) for one in changes.structures] == [(0, 1.0, 0.0, 0.0)] * 3


def test_a_new_numbering_moves_no_surface() -> None:
    change = labelmap_changes(line(1, 1, 2, 0), line(2, 2, 3, 0)).structures[0]
    assert (change.voxels.relabeled, change.dice, change.asd_mm) == (3, 1.0, 0.0)


def ball(center: tuple[int, int, int], radius: float, shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    k, j, i = np.indices(shape)
    return np.asarray((4 * (k - center[0])) ** 2 + (j - center[1]) ** 2 + (i - center[2]) ** 2 <= radius**2)


@pytest.mark.parametrize(
    "masks",
    [
        # Overlapping, apart, one inside the other, in one slice of several (which has faces there), at the edge of the grid.
        (ball((3, 12, 12), 7, (6, 30, 26)), ball((2, 14, 13), 8, (6, 30, 26))),
        (ball((1, 5, 5), 4, (6, 30, 26)), ball((4, 24, 20), 4, (6, 30, 26))),
        (ball((3, 12, 12), 9, (6, 30, 26)), ball((3, 12, 12), 4, (6, 30, 26))),
        (ball((3, 12, 12), 3, (6, 30, 26)), ball((3, 13, 12), 3, (6, 30, 26))),
        (ball((0, 0, 0), 9, (6, 30, 26)), ball((0, 2, 1), 9, (6, 30, 26))),
        (ball((0, 12, 12), 6, (1, 30, 26)), ball((0, 14, 12), 7, (1, 30, 26))),
    ],
    ids=["overlapping", "apart", "inside", "one slice of several", "at the edge", "one slice"],
)
def test_distances_are_exactly_those_of_surface_distances(masks: tuple[NDArray[np.bool_], NDArray[np.bool_]]) -> None:
    before, after = masks
    geometry = Geometry((before.shape[2], before.shape[1], before.shape[0]), (0.7, 0.6, 4.0), (0.0, 0.0, 0.0), SAGITTAL)
    expected = surface_distances(before, after, geometry.spacing_kji_mm)
    change = labelmap_changes(Volume(before * np.uint8(100), geometry), Volume(after * np.uint8(100), geometry)).structures[0]
    assert (change.asd_mm, change.hd95_mm) == pytest.approx((expected.asd_mm, expected.hd95_mm))


def test_whole_structures_of_a_spine_are_measured_as_surface_distances_does() -> None:
    phantom = make_phantom(geometry=default_geometry((56, 64, 5), (10 / 3, 1 / 0.31, 6.6000001))).labelmap
    moved = phantom.with_array(np.roll(phantom.array, 2, axis=2))
    for change in labelmap_changes(phantom, moved).structures:
        values = SPIDER_VALUES[change.structure]
        expected = surface_distances(np.isin(phantom.array, values), np.isin(moved.array, values), phantom.geometry.spacing_kji_mm)
        assert (change.asd_mm, change.hd95_mm) == pytest.approx((expected.asd_mm, expected.hd95_mm))


def test_json_holds_everything_and_comes_back() -> None:
    changes = labelmap_changes(line(*BEFORE), line(*AFTER[:-1], 0))
    written = json.loads(json.dumps(changes.as_dict(), allow_nan=False))
    assert LabelmapChanges.from_dict(written) == changes
    assert written["voxels_changed"] == changes.voxels_changed
    assert written["structures"]["canal"]["values"] == {"100": {"before": 1, "after": 0, "added": 0, "removed": 1, "relabeled": 0, "received": 0}}
    assert written["structures"]["canal"]["dice"] is None


@pytest.mark.parametrize("wrong", [{}, {"structures": {"cord": {}}}, {"structures": {"disc": {"before": 1}}}, {"structures": {"disc": 7}}])
def test_json_of_anything_else_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        LabelmapChanges.from_dict(wrong)


def test_other_grids_are_refused_naming_both() -> None:
    before = Volume(np.zeros((3, 6, 8), np.uint8), grid(), "before.mha")
    after = Volume(np.zeros((3, 6, 8), np.uint8), grid(x=5.0), "after.mha")
    with pytest.raises(GeometryError, match=r"before\.mha.*after\.mha"):
        labelmap_changes(before, after)


def test_values_outside_the_scheme_are_refused() -> None:
    with pytest.raises(LabelError, match=r"labelmap after.*77"):
        labelmap_changes(line(1), line(77))


def test_a_whole_spine_that_moved_by_two_voxels_is_nowhere_further_away() -> None:
    geometry = Geometry((512, 512, 20), (0.6, 0.6, 4.0), (0.0, 0.0, 0.0), SAGITTAL)
    labels = np.zeros(geometry.shape_kji, np.uint8)
    for level in range(1, 8):
        top = 470 - 60 * level
        labels[2:18, top : top + 44, 150:230] = level
        labels[2:18, top + 44 : top + 60, 150:230] = 200 + level
    labels[8:12, 40:470, 232:260] = 100
    before, after = Volume(labels, geometry), Volume(np.roll(labels, 2, axis=2), geometry)
    changes = labelmap_changes(before, after)
    assert changes.voxels_changed > 0
    for change in changes.structures:
        assert change.asd_mm is not None
        assert change.hd95_mm is not None
        # Two voxels of 0.6 mm.
        assert 0 < change.asd_mm < change.hd95_mm <= 1.2 + 1e-9
