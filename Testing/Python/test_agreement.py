"""Agreement of two labelmaps as equals, over labelmaps small enough to derive every number by hand."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from small_cases import SAGITTAL, grid, image, mask, write
from SpiderSegLib.agreement import (
    Agreement,
    LevelShift,
    agree,
    agree_folders,
    agreement_object,
    agreement_set_table,
    agreement_table,
    draw_agreement,
)
from SpiderSegLib.agreement.picture import told_apart
from SpiderSegLib.agreement.slices import find_differences, slices_that_differ
from SpiderSegLib.cli.main import run
from SpiderSegLib.errors import DatasetError, GeometryError, LabelError
from SpiderSegLib.labels import Structure
from SpiderSegLib.volume import Geometry, Volume

#: L5, L4, L3, their discs and the canal: eight voxels each, one value a block along i.
SPINE = (1, 2, 3, 201, 202, 203, 100)


def blocks(*values: int) -> Volume:
    """Blocks of 2 x 2 x 2 voxels of 1 x 1 x 4 mm side by side along i."""
    array = np.repeat(np.array(values, np.uint8), 2)[None, None, :].repeat(2, 0).repeat(2, 1)
    return Volume(array, Geometry((2 * len(values), 2, 2), (1.0, 1.0, 4.0), (0.0, 0.0, 0.0), SAGITTAL))


def line(*values: int) -> Volume:
    return Volume(np.array([[values]], np.uint8), Geometry((len(values), 1, 1), (1.0, 1.0, 4.0), (0.0, 0.0, 0.0), SAGITTAL))


def rows(agreement: Agreement) -> list[tuple[int | None, int | None]]:
    return [(row.value_a, row.value_b) for row in agreement.levels]


# Measures


def test_the_same_labelmap_agrees_with_itself_in_everything() -> None:
    found = agree(blocks(*SPINE), blocks(*SPINE))
    assert [(one.dice, one.instance_dice, one.asd_mm, one.matched, one.only_a, one.only_b) for one in found.structures] == [
        (1.0, 1.0, 0.0, 3, (), ()),
        (1.0, 1.0, 0.0, 3, (), ()),
        (1.0, 1.0, 0.0, 1, (), ()),
    ]
    assert (found.mean_dice, found.level_agreement, found.voxels_different, found.shift) == (1.0, 1.0, 0, None)
    assert rows(found) == [(value, value) for value in SPINE]


def test_instances_without_a_match_count_zero_and_stand_where_their_number_belongs() -> None:
    found = agree(blocks(1, 2, 0, 4), blocks(1, 0, 3, 4))
    vertebrae = found.of(Structure.VERTEBRA)
    assert vertebrae is not None
    assert (vertebrae.matched, vertebrae.only_a, vertebrae.only_b) == (2, (2,), (3,))
    assert (vertebrae.dice, vertebrae.instance_dice) == (2 / 3, 2 / 4)
    assert rows(found) == [(1, 1), (2, None), (None, 3), (4, 4)]
    assert [(row.dice, row.asd_mm) for row in found.levels] == [(1.0, 0.0), (0.0, None), (0.0, None), (1.0, 0.0)]


def test_a_level_agrees_with_the_same_number_modulo_100_and_unmatched_ones_do_not() -> None:
    # Vertebra 2 is partial in B; disc 202 is called 203; 3 is in A alone and disc 204 in B alone.
    found = agree(blocks(1, 2, 3, 201, 202, 0, 100), blocks(1, 102, 0, 201, 203, 204, 100))
    assert [row.is_level_same for row in found.leveled] == [True, True, False, True, False, False]
    assert found.level_agreement == 3 / 6


def test_dice_distance_and_volumes_of_a_level() -> None:
    # Four voxels of 4 mm3 against three of them: Dice 6/7; ends 0 and 3 against 0 and 2, distances 0, 1 | 0, 1.
    (row,) = agree(line(1, 1, 1, 1, 0), line(2, 2, 2, 0, 0)).levels
    assert (row.dice, row.asd_mm) == (6 / 7, 0.5)
    assert (row.volume_a_ml, row.volume_b_ml, row.volume_difference_ml) == pytest.approx((0.016, 0.012, -0.004))


def test_voxels_that_differ_in_number_are_told_from_those_that_differ_in_structure() -> None:
    found = agree(line(1, 1, 2, 201, 0, 0), line(1, 2, 201, 0, 100, 0))
    assert (found.voxels_labeled, found.voxels_different, found.voxels_of_other_structure) == (5, 4, 3)


def test_two_empty_labelmaps_have_nothing_to_agree_on() -> None:
    found = agree(line(0, 0), line(0, 0))
    assert (found.structures, found.levels, found.mean_dice, found.level_agreement) == ((), (), None, None)
    assert "both labelmaps are empty" in agreement_table(found)


@pytest.mark.parametrize("seed", range(5))
def test_exchanging_the_two_changes_no_number(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (blocks(*SPINE).with_array(rng.choice([0, *SPINE], (2, 2, 2 * len(SPINE))).astype(np.uint8)) for _ in range(2))
    found, exchanged = agree(a, b), agree(b, a)
    for one, other in zip(found.structures, exchanged.structures, strict=True):
        assert (one.dice, one.matched, len(one.only_a)) == (other.dice, other.matched, len(other.only_b))
        assert one.instance_dice == pytest.approx(other.instance_dice)
    assert (found.voxels_labeled, found.voxels_different) == (exchanged.voxels_labeled, exchanged.voxels_different)


def test_other_grids_are_refused_naming_both() -> None:
    a, b = Volume(mask(1), grid(), "a.mha"), Volume(mask(1), grid(x=3.0), "b.mha")
    with pytest.raises(GeometryError, match=r"a\.mha.*b\.mha"):
        agree(a, b)


def test_values_outside_the_scheme_are_refused_naming_the_file() -> None:
    with pytest.raises(LabelError, match=r"b\.mha: .*50"):
        agree(line(1), replace(line(50), name="b.mha"))


# A numbering that is off by a constant


@pytest.mark.parametrize(
    ("b", "shift", "text"),
    [
        ((2, 3, 4, 202, 203, 204, 100), LevelShift(1), "B numbers every level one higher than A"),
        ((3, 4, 105, 203, 204, 205, 100), LevelShift(2), "B numbers every level two higher than A"),
        ((2, 3, 4, 201, 202, 203, 100), LevelShift(1, Structure.VERTEBRA), "B numbers every vertebra one higher than A"),
        ((1, 2, 3, 207, 208, 209, 100), LevelShift(6, Structure.DISC), "B numbers every disc 6 higher than A"),
        # A missing instance doesn't hide it.
        ((2, 0, 4, 202, 203, 0, 100), LevelShift(1), "B numbers every level one higher than A"),
        # One vertebra is no pattern, and neither are different differences.
        ((2, 0, 0, 0, 0, 0, 100), None, ""),
        ((2, 3, 5, 201, 202, 203, 100), None, ""),
        (SPINE, None, ""),
    ],
)
def test_a_constant_shift_is_found_and_said_in_words(b: tuple[int, ...], shift: LevelShift | None, text: str) -> None:
    found = agree(blocks(*SPINE), blocks(*b))
    assert found.shift == shift
    if shift is not None:
        assert shift.text == text
        assert text in agreement_table(found)


def test_exchanged_the_shift_goes_the_other_way() -> None:
    assert agree(blocks(2, 3), blocks(1, 2)).shift == LevelShift(-1)
    assert LevelShift(-1).text == "B numbers every level one lower than A"


def test_pairs_that_hardly_touch_say_nothing_of_the_numbering() -> None:
    # 2 in A has one voxel of B's 3 alone: Dice 2/8.
    assert agree(line(1, 1, 1, 1, 2, 2, 2, 2), line(1, 1, 1, 1, 0, 0, 0, 3)).shift is None


# Text


def test_the_table_names_levels_and_says_what_is_wrong_with_them() -> None:
    a, b = replace(blocks(1, 2, 0, 201), name="anna.mha"), replace(blocks(1, 3, 4, 0), name="ben.mha")
    text = agreement_table(agree(a, b))
    assert text.startswith("A: anna.mha\nB: ben.mha\n")
    for expected in (
        r"L5\? +1 +1 +1\.000 +0\.000 +0\.03 +\+0\.00$",
        r"L4\? +2 +3 +1\.000 .* other number$",
        r"L2\? +- +4 +0\.000 +- +0\.00 +\+0\.03 +only in B$",
        r"L5/S1\? +201 +- .* only in A$",
        r"^Levels: 1 of 4 vertebrae and discs match and carry the same number\.$",
        r"^Voxels: 24 of 32 labeled ones differ \(75\.0 %\), 16 of them in their structure\.$",
    ):
        assert re.search(expected, text, re.MULTILINE), (expected, text)


def test_json_holds_everything_in_the_table() -> None:
    written = json.loads(json.dumps(agreement_object(agree(blocks(1, 2, 0), blocks(2, 3, 4))), allow_nan=False))
    assert written["shift"] == {"by": 1, "structure": None, "text": "B numbers every level one higher than A"}
    assert written["structures"]["vertebra"]["only_b"] == [4]
    assert [(row["value_a"], row["value_b"], row["is_level_same"]) for row in written["levels"]] == [(1, 2, False), (2, 3, False), (None, 4, False)]
    assert written["level_agreement"] == 0.0


# The picture


def sagittal(*slices: tuple[int, ...]) -> Volume:
    """Slices of 6 x 8 voxels, 4 mm apart, each with its values in rows of two columns."""
    array = np.zeros((len(slices), 6, 8), np.uint8)
    for k, values in enumerate(slices):
        for j, value in enumerate(values):
            array[k, j, :2] = value
    return Volume(array, grid((8, 6, len(slices))))


def chosen(a: Volume, b: Volume, most: int = 3) -> tuple[int, ...]:
    return slices_that_differ(find_differences(None, a, b), most)


def test_slices_that_differ_most_are_shown_worst_first_and_apart() -> None:
    a = sagittal((1, 2), (1, 2), (1, 2), (1, 2), (1, 2))
    b = sagittal((1, 0), (1, 2, 3, 4, 5), (1, 2, 3, 4), (1, 2), (1, 2, 3))
    # Slice 2 is 4 mm from slice 1 and shows the same; slice 3 has no difference.
    assert chosen(a, b) == (1, 4)
    assert chosen(a, b, most=1) == (1,)


def test_where_numbers_alone_differ_one_slice_is_shown() -> None:
    assert chosen(sagittal((1,), (1, 2), (1,)), sagittal((2,), (2, 3), (2,))) == (1,)
    assert chosen(sagittal((1,), (1,), (1, 2)), sagittal((1,), (1,), (1, 2))) == (2,)


def test_each_kind_of_difference_has_its_own_mask() -> None:
    found = find_differences(None, sagittal((1, 1, 1, 1, 0)), sagittal((1, 0, 201, 2, 2)))
    kinds = (found.only_a, found.other_structure, found.other_number, found.only_b)
    assert [np.flatnonzero(kind[0, :, 0]).tolist() for kind in kinds] == [[1], [2], [3], [4]]
    # Two voxels of 1 x 1 mm for each of the first three.
    assert found.area_cm2(0) == pytest.approx(0.06)


def test_a_volume_stored_in_another_orientation_is_turned_to_sagittal_slices() -> None:
    a = sagittal((1, 2), (1,), (0,))
    axes = (1, 2, 0)  # k, j, i of the stored array run along j, i, k of the sagittal one
    direction = tuple(np.array(SAGITTAL).reshape(3, 3)[:, [2, 0, 1]].ravel().tolist())
    turned = Geometry((3, 8, 6), (4.0, 1.0, 1.0), (0.0, 0.0, 0.0), direction)
    stored = Volume(a.array.transpose(axes), turned)
    found = find_differences(None, stored, stored.with_array(np.zeros_like(stored.array)))
    assert [found.area_cm2(k) for k in range(3)] == pytest.approx([0.04, 0.02, 0.0])


def png_size(data: bytes) -> tuple[int, int]:
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (sagittal((1, 2, 201, 100), (1, 2)), sagittal((2, 3, 201), (1, 0, 202, 108))),
        (sagittal((0,)), sagittal((0,))),
        (sagittal((1, 2)), sagittal((1, 2))),
    ],
    ids=["different", "empty", "equal"],
)
def test_the_picture_can_be_drawn_of_anything_without_an_image(a: Volume, b: Volume) -> None:
    width, height = png_size(draw_agreement(None, a, b))
    assert min(width, height) > 500


def test_the_picture_shows_what_only_one_of_them_has_in_its_color() -> None:
    from io import BytesIO

    from matplotlib.image import imread

    from SpiderSegLib.agreement.panel import A_COLOR, B_COLOR, CONFUSED_COLOR, FILL_OPACITY

    def filled(first: tuple[int, ...], second: tuple[int, ...]) -> set[str]:
        pixels = imread(BytesIO(draw_agreement(None, sagittal(first), sagittal(second))))[..., :3]
        panel = pixels[110:-80]  # without names of files and legend
        colors = {
            color: np.array([int(color[n : n + 2], 16) for n in (1, 3, 5)]) / 255 * FILL_OPACITY for color in (A_COLOR, B_COLOR, CONFUSED_COLOR)
        }
        return {color for color, rgb in colors.items() if (np.abs(panel - rgb).max(axis=2) < 0.01).sum() > 500}

    assert filled((1, 2), (1, 0)) == {A_COLOR}
    assert filled((1, 0), (1, 2)) == {B_COLOR}
    assert filled((1, 2), (1, 201)) == {CONFUSED_COLOR}
    assert filled((1, 2), (1, 3)) == set()


def test_an_image_adds_a_plain_panel_and_must_lie_on_the_same_grid() -> None:
    a, b = Volume(mask(1, 2, 201), grid()), Volume(mask(1, 0, 201), grid())
    series = Volume(image(1), grid())
    assert png_size(draw_agreement(series, a, b)) >= png_size(draw_agreement(None, a, b))
    with pytest.raises(GeometryError, match="one grid"):
        draw_agreement(replace(series, geometry=grid(x=9.0)), a, b)


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("/x/one.mha", "/x/two.mha"), ("one.mha", "two.mha")),
        (("/x/anna/7_t2.mha", "/x/ben/7_t2.mha"), ("anna/7_t2.mha", "ben/7_t2.mha")),
        (("/x/7_t2.mha", "/x/7_t2.mha"), ("7_t2.mha", "7_t2.mha")),
        (("", "b.mha"), ("A", "b.mha")),
    ],
)
def test_names_have_as_many_folders_as_tell_them_apart(names: tuple[str, str], shown: tuple[str, str]) -> None:
    assert told_apart(*names) == shown


# Files and the command


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two series in both folders, one of them shifted; one on other grids; one in A alone, one in B alone."""
    a, b = tmp_path / "A", tmp_path / "B"
    write(a / "1_t2.mha", mask(1, 2, 201, 202, 100))
    write(b / "1_t2.mha", mask(2, 3, 202, 203, 100))
    write(a / "10_t2.mha", mask(1, 2))
    write(b / "10_t2.nii.gz", mask(1, 0))
    write(a / "3_t1.mha", mask(1))
    write(b / "3_t1.mha", mask(1), grid(x=7.0))
    write(a / "4_t1.mha", mask(1))
    write(b / "5_t1.mha", mask(1))
    return a, b


def test_folders_are_paired_by_series_and_nothing_is_dropped(folders: tuple[Path, Path]) -> None:
    found = agree_folders(*folders)
    assert [one.series for one in found.series] == ["1_t2", "10_t2"]
    assert [failed.series for failed in found.failed] == ["3_t1"]
    assert (found.only_in_a, found.only_in_b) == (("4_t1",), ("5_t1",))
    assert found.summary()["structure_dice.vertebra"].mean == pytest.approx((1 + 2 / 3) / 2)
    assert found.summary()["structure_dice.canal"].n == 1
    assert found.summary()["level_agreement"].mean == pytest.approx((0 + 1 / 2) / 2)


def test_the_table_of_folders_has_means_shifts_and_what_is_missing(folders: tuple[Path, Path]) -> None:
    text = agreement_set_table(agree_folders(*folders))
    for expected in (
        r"^1_t2 +1\.000 +1\.000 +1\.000 .* 0\.0 % +80\.0 %$",
        r"^mean +0\.833 ",
        r"^n +2 +1 +1 ",
        r"^  1_t2: B numbers every level one higher than A$",
        r"^  3_t1: expected one grid",
        r"^Only in A: 4_t1$",
        r"^Only in B: 5_t1$",
    ):
        assert re.search(expected, text, re.MULTILINE), (expected, text)


def test_folders_without_a_common_series_are_refused(tmp_path: Path) -> None:
    for side, series in (("A", "1_t1"), ("B", "2_t1")):
        write(tmp_path / side / f"{series}.mha", mask(1))
    with pytest.raises(DatasetError, match="found none"):
        agree_folders(tmp_path / "A", tmp_path / "B")


def agreement(*arguments: object) -> int:
    return run(["agreement", *(str(argument) for argument in arguments)])


def test_two_files_give_a_table_a_picture_and_json(folders: tuple[Path, Path], tmp_path: Path, capsys: Any) -> None:
    a, b = (folder / "1_t2.mha" for folder in folders)
    series = write(tmp_path / "1_t2_image.mha", image(1))
    picture, json_path = tmp_path / "where.png", tmp_path / "agreement.json"
    assert agreement(a, b, "--image", series, "--picture", picture, "--json", json_path) == 0
    assert "B numbers every level one higher than A." in capsys.readouterr().out
    assert png_size(picture.read_bytes())
    (one,) = json.loads(json_path.read_text(encoding="utf-8"))["series"]
    assert (one["a"], one["b"], one["shift"]["by"]) == (str(a), str(b), 1)


def test_folders_give_a_picture_a_series_and_exit_code_1_when_one_failed(folders: tuple[Path, Path], tmp_path: Path, capsys: Any) -> None:
    write(tmp_path / "images" / "1_t2.mha", image(1))
    assert agreement(*folders, "--image", tmp_path / "images", "--picture", tmp_path / "out", "--json", tmp_path / "all.json") == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["10_t2.png", "1_t2.png"]
    assert "10_t2: drawn without its image" in capsys.readouterr().err
    assert json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))["only_in_b"] == ["5_t1"]


def test_paths_and_options_that_do_not_go_together_are_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    a, b = folders
    assert agreement(a / "1_t2.mha", b) == 2
    assert agreement(a, b, "--image", a / "1_t2.mha", "--picture", tmp_path / "out") == 2
    assert agreement(a, b, "--image", a) == 2
    assert agreement(a, b, "--picture", tmp_path / "out.png") == 2
    assert agreement(a / "none.mha", b / "1_t2.mha") == 1
    assert agreement(a / "1_t2.mha", b / "1_t2.mha", "--json", tmp_path / "none" / "x.json") == 1
    assert agreement(a / "1_t2.mha", b / "1_t2.mha", "--picture", tmp_path / "none" / "x.png") == 1
    assert agreement(a / "3_t1.mha", b / "3_t1.mha") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["A", "B"]


@pytest.mark.real_data
def test_a_real_mask_shifted_by_one_level_agrees_in_shape_and_not_in_number(real_data: Path) -> None:
    from SpiderSegLib.io import read_labelmap
    from SpiderSegLib.level_names import shifted_values

    a = read_labelmap(min((real_data / "spider" / "masks_3d").glob("*.mha")))
    lookup = np.arange(256)
    for old, new in shifted_values(np.unique(a.array).tolist(), 1).items():
        lookup[old] = new
    found = agree(a, a.with_array(lookup[a.array]))
    assert (found.mean_dice, found.level_agreement, found.voxels_of_other_structure, found.shift) == (1.0, 0.0, 0, LevelShift(1))
