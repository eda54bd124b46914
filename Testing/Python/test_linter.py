"""The linter: each rule on a column of boxes that is right, and on the same with one thing spoiled."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from small_column import BODY_COLUMNS, BODY_SLICES, LOWEST_ROW, SHAPE_KJI, Column, column, geometry, labelmap, rows_of, stored_as, without
from SpiderSegLib.io import read_labelmap
from SpiderSegLib.level_names import is_partial
from SpiderSegLib.linter import MEANING_AND_ADVICE, Finding, Rule, Severity, in_order, lint
from SpiderSegLib.linter.anatomy import LIMITS, OWN_LIMITS, QUANTITIES, TYPICAL
from SpiderSegLib.phantom import PhantomConfig, default_geometry, make_phantom
from SpiderSegLib.volume import Geometry, Volume

#: Columns of the canal and of the spinous processes in `small_column`.
CANAL, PROCESSES = slice(37, 46), slice(48, 64)

#: A phantom in few voxels, the whole width in view.
SMALL = default_geometry((90, 100, 15), (2.0, 2.0, 4.5))


def found(labels: np.ndarray, grid: Geometry | None = None) -> list[tuple[str, str, int]]:
    """Rule, severity and value of every finding."""
    return [(each.rule.value, each.severity.value, each.value) for each in lint(Volume(labels, grid or geometry()))]


def message(labels: np.ndarray, rule: Rule) -> str:
    (finding,) = (each for each in lint(labelmap(labels)) if each.rule is rule)
    return finding.message


def renumbered(labels: Column, changes: dict[int, int]) -> Column:
    table = np.arange(256, dtype=np.uint8)
    for old, new in changes.items():
        table[old] = new
    return table[labels]


def body(value: int) -> tuple[slice, slice, slice]:
    """Where the body of a vertebra, or a disc, lies."""
    return BODY_SLICES, rows_of(value), BODY_COLUMNS


def bodies_alone() -> Column:
    return np.where(np.arange(SHAPE_KJI[2]) >= BODY_COLUMNS.stop, 0, column()).astype(np.uint8)


def test_a_right_column_has_no_finding():
    assert found(column()) == []


# Numbering


def test_a_vertebra_left_out_is_a_gap_and_its_discs_are_not_said_again():
    labels = without(column(), 3)
    assert ("numbering-gap", "error", 4) in found(labels)
    assert message(labels, Rule.NUMBERING_GAP) == "vertebra 3 not labelled between 2 and 4"
    assert not {"disc-without-vertebra", "disc-not-between"} & {rule for rule, _, _ in found(labels)}


def test_a_number_skipped_without_a_vertebra_missing_is_a_gap_too():
    labels = renumbered(column(), {4: 5, 5: 6, 204: 205, 205: 206})
    assert message(labels, Rule.NUMBERING_GAP) == "vertebra 4 not labelled between 3 and 5"


def test_numbers_that_start_above_one_are_a_warning():
    labels = renumbered(column(), {level + offset: level + offset + 2 for level in range(1, 6) for offset in (0, 200)})
    assert [row for row in found(labels) if row[1] != "note"] == [("numbering-gap", "warning", 3), ("disc-without-vertebra", "warning", 203)]
    assert message(labels, Rule.NUMBERING_GAP) == "the lowest vertebra has the number 3: 1, 2 not labelled"


def test_discs_without_any_vertebra_are_counted_themselves():
    labels = without(column(), 1, 2, 3, 4, 5, 203)
    assert found(labels) == [("numbering-gap", "error", 204), ("missing-structure", "warning", 0)]


def test_two_vertebrae_of_each_other_s_number_are_one_fault():
    labels = renumbered(column(), {3: 4, 4: 3})
    assert [row for row in found(labels) if row[1] == "error"] == [("numbering-order", "error", 4)]
    assert message(labels, Rule.NUMBERING_ORDER) == "vertebra 4 does not lie above vertebra 3"


def test_two_discs_of_each_other_s_number_are_one_fault():
    labels = renumbered(column(), {203: 204, 204: 203})
    assert [row for row in found(labels) if row[1] == "error"] == [("numbering-order", "error", 204)]


def test_numbers_that_fall_throughout_are_one_finding_a_structure():
    changes = {level + offset: 6 - level + offset for level in range(1, 6) for offset in (0, 200)}
    assert [row[0] for row in found(renumbered(column(), changes)) if row[1] == "error"] == ["numbering-order", "numbering-order"]


def test_a_disc_beyond_its_vertebra_is_not_between():
    labels = without(column(), 205)
    labels[BODY_SLICES, rows_of(5).start - 6 : rows_of(5).start, BODY_COLUMNS] = 205
    assert [row for row in found(labels) if row[1] == "error"] == [("disc-not-between", "error", 205)]
    assert message(labels, Rule.DISC_NOT_BETWEEN) == "disc 5 does not lie below vertebra 5"


def test_a_disc_below_the_vertebra_under_it_is_not_between():
    labels = without(column(), 1, 201)
    labels = renumbered(labels, {})
    labels[BODY_SLICES, LOWEST_ROW - 6 : LOWEST_ROW, BODY_COLUMNS] = 202
    labels[body(202)] = 0
    labels[BODY_SLICES, rows_of(1), BODY_COLUMNS] = 1
    assert [row for row in found(labels) if row[1] == "error"] == [("disc-not-between", "error", 202)]


def test_a_disc_above_the_topmost_vertebra_has_none_above():
    labels = column()
    labels[BODY_SLICES, rows_of(5).start - 6 : rows_of(5).start, BODY_COLUMNS] = 206
    assert found(labels) == [("disc-without-vertebra", "warning", 206)]
    assert message(labels, Rule.DISC_WITHOUT_VERTEBRA) == "disc 6 has no vertebra 6 above it"


def test_a_cut_vertebra_above_a_disc_is_one():
    labels = column()
    labels[BODY_SLICES, rows_of(5).start - 6 : rows_of(5).start, BODY_COLUMNS] = 206
    labels[BODY_SLICES, : rows_of(5).start - 6, BODY_COLUMNS] = 106
    assert found(labels) == []


def test_the_disc_below_the_lowest_vertebra_needs_none_below_and_others_do():
    assert found(column()) == []
    assert ("disc-without-vertebra", "warning", 202) in found(without(column(), 1, 201))


@pytest.mark.parametrize(("disc", "words"), [(203, "no disc 3 between vertebrae 3 and 2"), (201, "no disc 1 below vertebra 1")])
def test_a_disc_that_is_not_labelled_is_missing(disc, words):
    assert found(without(column(), disc)) == [("missing-disc", "warning", disc - 200)]
    assert message(without(column(), disc), Rule.MISSING_DISC) == words


def test_a_vertebra_labelled_both_whole_and_cut_is_an_error():
    labels = column()
    labels[3:5, rows_of(3), BODY_COLUMNS] = 103
    assert [row for row in found(labels) if row[0] == "level-twice"] == [("level-twice", "error", 103)]


@pytest.mark.parametrize(("level", "is_fault"), [(3, True), (1, False), (5, False)])
def test_a_cut_vertebra_is_a_fault_only_between_others(level, is_fault):
    expected = [("partial-in-middle", "error", 103)] if is_fault else []
    assert found(renumbered(column(), {level: level + 100})) == expected


def test_a_cut_vertebra_between_others_may_leave_the_field_of_view_in_front():
    labels = renumbered(column(), {3: 103})
    labels[BODY_SLICES, rows_of(103 - 100), : BODY_COLUMNS.stop] = 103
    assert "partial-in-middle" not in {rule for rule, _, _ in found(labels)}


@pytest.mark.parametrize("variant", ["normal", "lumbarized", "four_lumbar"])
def test_a_phantom_with_four_five_or_six_lumbar_vertebrae_has_no_fault_but_crumbs_at_the_border(variant):
    phantom = make_phantom(PhantomConfig(variant=variant), SMALL)
    assert [each for each in lint(phantom.labelmap, phantom.volume.geometry) if not (each.rule is Rule.ISLANDS and is_partial(each.value))] == []


# Pieces


def test_two_bodies_that_hang_together_at_their_facet_joints_are_two():
    labels = renumbered(column(), {4: 3})
    labels[3:6, rows_of(4).start + 8 : rows_of(3).stop, PROCESSES] = 3
    labels[1, rows_of(4), 33:64] = labels[1, rows_of(3), 33:64] = 3
    labels[1, rows_of(4).start : rows_of(3).stop, 48:64] = 3
    assert ("two-bodies", "error", 3) in found(labels)


@pytest.mark.parametrize("value", [3, 203])
def test_a_second_body_under_one_number_is_an_error(value):
    labels = renumbered(column(), {value + 1: value})
    assert ("two-bodies", "error", value) in found(labels)
    if value == 3:
        assert message(labels, Rule.TWO_BODIES) == "vertebra 3 has two pieces: the second has 100 % of the first, 33 mm from it"


def test_an_arch_and_a_process_apart_from_their_body_are_no_second_one():
    labels = column()
    assert not (labels[:, :, BODY_COLUMNS.stop : PROCESSES.start] == 3).any()
    assert found(labels) == []


def test_a_process_far_from_its_body_belongs_to_another_level():
    labels = column()
    labels[3:6, rows_of(5).start + 8 : rows_of(5).stop, PROCESSES] = 1
    assert ("two-bodies", "error", 1) in found(labels)


def test_bodies_and_processes_are_told_apart_without_a_canal():
    labels = without(column(), 100)
    assert found(labels) == [("missing-structure", "warning", 0)]
    assert ("two-bodies", "error", 3) in found(renumbered(labels, {4: 3}))


@pytest.mark.parametrize("value", [3, 203, 100])
def test_a_crumb_is_an_island_and_a_note(value):
    labels = column()
    labels[4, 2, 68:70] = value
    assert found(labels) == [("islands", "note", value)]


def test_a_piece_of_a_disc_that_is_no_crumb_is_a_warning():
    labels = column()
    labels[3:6, 2:6, 66:70] = 203  # 432 mm3
    assert found(labels) == [("islands", "warning", 203)]
    assert message(labels, Rule.ISLANDS) == "disc 3 has an island of 48 voxels (432 mm3)"


@pytest.mark.parametrize(
    ("rows", "columns", "expected"),
    [
        (1, 1, []),  # 2.25 mm2: a brush's gap
        (2, 1, [("holes", "note", 3)]),  # 4.5 mm2
        (3, 2, [("holes", "warning", 3)]),  # 13.5 mm2
    ],
)
def test_holes_count_by_their_area_in_a_sagittal_slice(rows, columns, expected):
    labels = column()
    top = rows_of(3).start + 5
    labels[4, top : top + rows, 20 : 20 + columns] = 0
    assert found(labels) == expected


def test_a_gap_in_the_rim_and_another_structure_inside_are_no_holes():
    labels = column()
    labels[4, rows_of(3).start : rows_of(3).start + 5, 20:23] = 0
    assert found(labels) == []
    labels[4, rows_of(3).start + 6 : rows_of(3).start + 10, 26:30] = 203
    assert "holes" not in {rule for rule, _, _ in found(labels)}


# Canal


def test_slices_without_canal_are_a_break():
    labels = column()
    labels[:, 60:64, CANAL] = 0
    assert found(labels) == [("canal-break", "warning", 100)]
    assert message(labels, Rule.CANAL_BREAK) == "the canal is missing in 4 axial slices (6.0 mm)"


def test_a_canal_in_two_pieces_past_each_other_is_a_break():
    labels = column()
    labels[labels == 100] = 0
    labels[3:6, :61, 37:40] = 100
    labels[3:6, 60:, 43:46] = 100
    assert ("canal-break", "warning", 100) in found(labels)
    assert message(labels, Rule.CANAL_BREAK).startswith("the canal has 2 pieces")


def test_an_island_of_the_canal_neither_breaks_nor_widens_it():
    labels = column()
    labels[:, 100:, CANAL] = 0
    labels[4, 110, 40] = 100
    assert found(labels) == [("islands", "note", 100)]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (slice(40, 44), []),  # 4 of 9: 56 % lost
        (slice(40, 43), [("canal-narrowing", "warning", 100)]),  # 3 of 9: 67 % lost
    ],
)
def test_more_than_sixty_percent_of_the_area_lost_is_a_narrowing(columns, expected):
    labels = column()
    labels[:, 60:63, CANAL] = 0
    labels[3:6, 60:63, columns] = 100
    assert found(labels) == expected


def test_the_canal_s_ends_may_taper():
    labels = column()
    labels[:, :5, CANAL] = 0
    labels[4, :5, 40:42] = 100
    assert found(labels) == []


def test_a_pinch_in_thin_slices_is_found_though_no_two_neighbors_differ_much():
    """Slices of 0.5 mm: each loses at most half, 2 mm lose 94 %."""
    grid = Geometry((40, 120, 20), (1.0, 0.5, 1.0), (0.0, 0.0, 0.0), geometry().direction)
    labels = np.zeros(grid.shape_kji, dtype=np.uint8)
    for row, width in enumerate([16] * 55 + [8, 4, 2, 1, 1, 2, 4, 8] + [16] * 57):
        labels[2:18, row, 10 : 10 + width] = 100
    assert [row for row in found(labels, grid) if row[0] == "canal-narrowing"] == [("canal-narrowing", "warning", 100)]


def test_a_canal_that_leaves_a_single_slice_sideways_is_a_note():
    labels = column()[4:5].copy()
    labels[:, 60:64, CANAL] = 0
    assert found(labels, _one_slice()) == [("canal-break", "note", 100)]


def test_bone_inside_the_canal_s_outline_is_found_and_bone_beside_it_not():
    labels = column()
    labels[3:6, rows_of(3), 34:37] = 3  # up to the canal's front
    assert found(labels) == []
    labels[4, 60:63, 40:43] = 3
    assert found(labels) == [("vertebra-in-canal", "warning", 3), ("islands", "note", 3)]
    assert message(labels, Rule.VERTEBRA_IN_CANAL) == "vertebra 3 lies inside the canal's outline with 9 voxels (81 mm3)"


def test_the_outline_of_the_canal_is_convex_in_each_axial_slice():
    labels = column()
    labels[4, 60:63, 37:41] = 3  # a notch in the canal's front
    assert ("vertebra-in-canal", "warning", 3) in found(labels)


# Sizes and positions


def test_a_body_of_half_the_height_is_implausible():
    labels = column()
    labels[BODY_SLICES, rows_of(3).start + 7 : rows_of(3).stop, BODY_COLUMNS] = 0
    (finding,) = (each for each in lint(labelmap(labels)) if each.rule is Rule.IMPLAUSIBLE_SIZE)
    assert (finding.value, finding.message) == (3, "vertebra 3 has a height of 10 mm; usual are 27")


def test_a_whole_series_with_a_vertebra_far_too_large_is_a_warning():
    phantom = make_phantom(PhantomConfig(), SMALL).labelmap
    labels = phantom.array.copy()
    labels[(labels == 203) | (labels == 4)] = 3
    rows = [(each.rule, each.severity, each.value) for each in lint(phantom.with_array(labels))]
    assert (Rule.IMPLAUSIBLE_SIZE, Severity.WARNING, 3) in rows


def test_a_level_that_is_not_labelled_between_two_numbers_shows_by_their_distance():
    labels = without(renumbered(without(column(), 3, 203), {4: 3, 5: 4, 204: 203, 205: 204}), 5, 205)
    (finding,) = (each for each in lint(labelmap(labels)) if each.rule is Rule.IMPLAUSIBLE_POSITION)
    assert (finding.value, finding.message) == (2, "vertebra 2 has a distance to the next one up of 66 mm; usual are 35")


def test_a_disc_off_the_column_shows_by_its_distance_to_the_canal():
    labels = column()
    labels[body(203)] = 0
    labels[BODY_SLICES, rows_of(203), 0:16] = 203
    assert ("implausible-position", "warning", 203) in found(labels)


def test_what_the_border_cuts_has_no_size():
    labels = column()
    labels[BODY_SLICES, : rows_of(5).start - 6, BODY_COLUMNS] = 106
    labels[BODY_SLICES, rows_of(5).start - 6 : rows_of(5).start, BODY_COLUMNS] = 206
    assert "implausible-size" not in {rule for rule, _, _ in found(labels)}


def test_the_table_has_every_quantity_of_both_structures():
    for structure, rows in TYPICAL.items():
        assert {len(row) for row in rows} == {len(QUANTITIES)}
        for quantity in QUANTITIES:
            for low, high in (LIMITS[structure, quantity], OWN_LIMITS[structure, quantity]):
                assert 0.3 < low < 1 < high < 3


# Grid and values


def test_an_image_on_another_grid_is_an_error_and_on_the_same_nothing():
    shifted = Geometry(geometry().size_ijk, geometry().spacing_ijk_mm, (0.0, 0.0, 0.0), geometry().direction)
    assert lint(labelmap(column()), geometry()) == ()
    (finding,) = lint(labelmap(column()), shifted)
    assert (finding.rule, finding.severity) == (Rule.GRID_MISMATCH, Severity.ERROR)


def test_unknown_values_are_reported_and_the_rest_is_looked_at():
    labels = column().astype(np.int16)
    labels[0, 0, :3] = 77
    labels[0, 1, 0] = -4
    labels[0, 2, 0] = 1000
    labels[4, 2, 68:70] = 3
    assert found(labels) == [("unknown-values", "error", 77), ("islands", "note", 3)]
    (finding, _) = lint(Volume(labels, geometry()))
    assert finding.message == "expected SPIDER's values, found -4 (1 voxels), 77 (3 voxels), 1000 (1 voxels)"


@pytest.mark.parametrize("strange", [2.5, np.nan, np.inf, -np.inf])
def test_floats_are_read_and_what_is_no_whole_number_is_unknown(strange):
    labels = column().astype(np.float32)
    assert found(labels) == []
    labels[0, 0, 0] = strange
    assert [rule for rule, _, _ in found(labels)] == ["unknown-values"]


def test_an_empty_labelmap_is_one_error():
    assert found(np.zeros(SHAPE_KJI, dtype=np.uint8)) == [("empty-labelmap", "error", 0)]


def test_nothing_but_unknown_values_is_empty_too():
    labels = np.full(SHAPE_KJI, 99, dtype=np.uint8)
    assert [rule for rule, _, _ in found(labels)] == ["empty-labelmap", "unknown-values"]


def test_a_class_map_is_one_error_and_the_lowest_vertebrae_alone_are_none():
    classes = np.select([column() > 200, column() == 100, column() > 0], [2, 3, 1], 0).astype(np.uint8)
    assert found(classes) == [("class-map", "error", 0)]
    assert "class-map" not in {rule for rule, _, _ in found(without(column(), 4, 5, 100, 201, 202, 203, 204, 205))}


def test_a_mask_that_counts_downward_is_said_and_looked_at_in_its_own_values():
    changes = {level + offset: 25 - level + offset for level in range(1, 6) for offset in (0, 200)}
    labels = renumbered(without(column(), 203), changes)
    assert found(labels) == [("downward-numbering", "warning", 0), ("missing-disc", "warning", 22)]


def test_structures_of_which_nothing_is_labelled_are_named():
    labels = without(column(), 100)
    assert found(labels) == [("missing-structure", "warning", 0)]
    assert message(labels, Rule.MISSING_STRUCTURE) == "no spinal canal is labelled"


# Grids


def _one_slice() -> Geometry:
    size, spacing = geometry().size_ijk, geometry().spacing_ijk_mm
    return Geometry((size[0], size[1], 1), spacing, geometry().origin_lps_mm, geometry().direction)


def test_a_single_slice_is_looked_at_and_has_no_volumes():
    labels = column()[4:5]
    assert found(labels, _one_slice()) == []
    assert found(without(labels, 3), _one_slice())[0] == ("numbering-gap", "error", 4)
    assert found(without(labels, 203), _one_slice()) == [("missing-disc", "warning", 3)]


def test_a_single_voxel_and_a_label_that_fills_its_grid_are_looked_at():
    for value in (1, 100, 103, 201):
        labels = np.zeros((3, 4, 5), dtype=np.uint8)
        labels[1, 1, 1] = value
        assert isinstance(found(labels, Geometry((5, 4, 3), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), geometry().direction)), list)
        assert isinstance(found(np.full((1, 1, 1), value), Geometry((1, 1, 1), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), geometry().direction)), list)


@pytest.mark.parametrize("transpose", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flipped", [(False, False, False), (True, True, True), (False, True, False)])
def test_findings_and_places_are_the_same_however_the_file_is_stored(transpose, flipped):
    labels = renumbered(without(column(), 203), {4: 5, 5: 4})
    labels[4, 60:63, 40:43] = 3
    labels[4, 2, 68:70] = 100
    expected = [each.as_dict() for each in lint(labelmap(labels))]
    assert len(expected) > 3
    assert [each.as_dict() for each in lint(stored_as(labels, geometry(), transpose, flipped))] == expected


def test_a_place_lies_on_the_fault():
    labels = column()
    labels[4, 2, 68:70] = 3
    (finding,) = lint(labelmap(labels))
    i, j, k = (np.linalg.inv(geometry().affine_lps) @ [*finding.location_lps_mm, 1.0])[:3]
    assert (round(k), round(j)) == (4, 2)
    assert round(i) in (68, 69)


# Findings


def test_the_worst_comes_first_then_what_has_no_place_then_from_top_to_bottom():
    low = Finding(Rule.HOLES, Severity.WARNING, 1, (0.0, 0.0, -10.0), "low")
    high = Finding(Rule.ISLANDS, Severity.WARNING, 5, (0.0, 0.0, 10.0), "high")
    nowhere = Finding(Rule.MISSING_STRUCTURE, Severity.WARNING, 0, None, "nowhere")
    error = Finding(Rule.NUMBERING_GAP, Severity.ERROR, 2, (0.0, 0.0, -90.0), "error")
    note = Finding(Rule.ISLANDS, Severity.NOTE, 9, (0.0, 0.0, 90.0), "note")
    for order in itertools.permutations((low, high, nowhere, error, note)):
        assert in_order(order) == (error, nowhere, high, low, note)


def test_a_finding_survives_json():
    for finding in (Finding(Rule.HOLES, Severity.NOTE, 3, (1.25, -2.0, 3.5), "a hole"), Finding(Rule.CLASS_MAP, Severity.ERROR, 0, None, "classes")):
        record = json.loads(json.dumps(finding.as_dict()))
        again = Finding.from_dict(record)
        assert again.as_dict() == finding.as_dict()
        assert record["advice"] == finding.advice


def test_every_rule_has_its_meaning_and_one_line_of_advice():
    assert set(MEANING_AND_ADVICE) == set(Rule)
    assert all(text and "\n" not in text for texts in MEANING_AND_ADVICE.values() for text in texts)


def test_no_message_asserts_the_name_of_a_level():
    labels = without(renumbered(column(), {3: 4, 4: 3}), 202)
    assert not any(name in each.message for each in lint(labelmap(labels)) for name in ("L1", "L2", "L3", "L4", "L5", "S1"))


# Reference masks


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("184_t2", [("canal-narrowing", "warning", 100)]),  # pinched off above the sacrum
        ("241_t1", [("implausible-size", "warning", 5), ("vertebra-in-canal", "warning", 5)]),  # a fracture that narrows the canal
        ("96_t2", []),  # its processes are apart from the bodies
    ],
)
def test_real_masks_have_the_faults_that_were_seen_in_them(real_data: Path, name: str, expected: list[tuple[str, str, int]]):
    volume = read_labelmap(real_data / "spider" / "masks_3d" / f"{name}.mha")
    assert [row for row in found(volume.array, volume.geometry) if row[1] != "note"] == expected


@pytest.mark.real_data
def test_a_spoiled_real_mask_shows_what_was_spoiled(real_data: Path):
    volume = read_labelmap(real_data / "spider" / "masks_3d" / "9_t1.mha")
    assert not any(each.severity is Severity.ERROR for each in lint(volume))
    swapped = np.select([volume.array == 3, volume.array == 4], [4, 3], volume.array)
    merged = np.where(np.isin(volume.array, (4, 204)), 3, volume.array)
    assert ("numbering-order", "error", 4) in found(swapped, volume.geometry)
    assert ("implausible-size", "warning", 3) in found(merged, volume.geometry)
    assert ("two-bodies", "error", 3) in found(np.where(volume.array == 4, 3, volume.array), volume.geometry)
