"""The HTML reports: self-contained, safe against the names of files, with the right series and slices drawn."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluation_files import evaluation_of, scored, write
from SpiderSegLib.errors import DatasetError
from SpiderSegLib.evaluation import Evaluation, FailedSeries, SeriesFiles, compare, evaluate_files, evaluation_html
from SpiderSegLib.evaluation.references import ReferenceKind
from SpiderSegLib.evaluation.report import comparison_html, plots
from SpiderSegLib.evaluation.report.worst_cases import draw_worst_case, find_images, worst_series
from SpiderSegLib.evaluation.series import evaluate_series

HOSTILE = "<img src=x onerror=alert(1)>&\"'$\\frac$_t2"


class Page(HTMLParser):
    """Tags, addresses, alternative texts and visible text of a document."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.alternatives: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), f"{tag} has a script in {name}"
            if name in ("src", "href"):
                self.addresses.append(value or "")
            if name == "alt":
                self.alternatives.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def picture(png: bytes) -> NDArray[np.uint8]:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def count_color(png: bytes, color: tuple[int, int, int]) -> int:
    """Pixels within a few steps of a color."""
    return int((np.abs(picture(png).astype(int) - color).max(axis=-1) < 12).sum())


def sagittal_labels() -> NDArray[np.uint8]:
    """Five sagittal slices of 40 x 40 voxels with vertebra 1, disc 201 and the canal."""
    labels = np.zeros((5, 40, 40), dtype=np.uint8)
    labels[:, 5:20, 5:20], labels[:, 22:26, 5:20], labels[:, 5:35, 24:28] = 1, 201, 100
    return labels


@pytest.fixture
def case(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Predictions, references and images of 7_t2, whose prediction misses the canal in the fourth slice and has more vertebra in the second."""
    reference = sagittal_labels()
    prediction = reference.copy()
    prediction[3][reference[3] == 100] = 0
    prediction[1, 30:33, 5:10] = 1
    image = np.arange(5 * 40 * 40, dtype=np.int16).reshape(5, 40, 40) % 997
    for folder, array in (("predictions", prediction), ("references", reference), ("images", image)):
        write(tmp_path / folder / "7_t2.mha", array, is_sagittal=True)
    return tmp_path / "predictions", tmp_path / "references", tmp_path / "images"


# The whole page


def test_the_report_is_one_file_that_loads_nothing(case: tuple[Path, Path, Path]) -> None:
    predictions, references, images = case
    text = evaluation_html(evaluate_files(predictions, references), images=find_images(images))
    page = Page(text)
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert len(page.addresses) == 4  # three plots and the worst series
    for address in page.addresses:
        assert picture(base64.b64decode(address.removeprefix("data:image/png;base64,"))).shape[0] > 100
    assert not re.search(r"https?://|url\(|@import", text)
    assert "default-src 'none'" in text


def test_the_report_shows_every_part(case: tuple[Path, Path, Path]) -> None:
    page = Page(evaluation_html(evaluate_files(*case[:2])))
    for part in (
        "Research use only, not for diagnosis.",
        "1 series of 1 patients scored, 0 failed.",
        "structure_dice.vertebra",
        "none with fewer than 3 patients",
        "1 (L5)",
        "201 (L5/S1)",
        "Official scores of the SPIDER challenge",
        "Worst series",
        "Every series",
        "no images were given (option --images)",
    ):
        assert part in page.text, part


def test_intervals_and_sequences_are_in_the_report(tmp_path: Path) -> None:
    series = [scored(f"{n}_{sequence}", dice) for n, (sequence, dice) in enumerate([("t1", 0.5), ("t2", 0.6), ("t2", 0.7), ("t2", 0.8)])]
    text = Page(evaluation_html(evaluation_of(*series), worst=0)).text
    assert "0.700 [0.600, 0.800] (3)" in text
    assert "0.500 (1)" in text


def test_names_and_messages_are_shown_literally() -> None:
    series = replace(scored(HOSTILE, 0.5), warnings=(f"{HOSTILE} warned",))
    failed = FailedSeries(SeriesFiles(HOSTILE, Path(HOSTILE), None), "t2", f"{HOSTILE} failed")
    evaluation = Evaluation((series,), (failed,), (Path(f"{HOSTILE}.mha"),))
    page = Page(evaluation_html(evaluation, title=HOSTILE, worst=0))
    assert "script" not in page.tags
    assert all(address.startswith("data:") for address in page.addresses)
    for shown in (f"{HOSTILE} warned", f"{HOSTILE} failed", f"{HOSTILE}.mha", HOSTILE):
        assert shown in page.text, shown


def test_names_of_files_that_are_no_utf_8_do_not_stop_a_report() -> None:
    assert "caf?_t2" in Page(evaluation_html(evaluation_of(scored("caf\udce9_t2", 0.5)), worst=0)).text


def test_a_report_of_failures_alone_says_what_failed() -> None:
    page = Page(evaluation_html(evaluation_of(failed=["1_t2"])))
    assert "0 series of 0 patients scored, 1 failed." in page.text
    assert "1_t2: no prediction" in page.text
    assert "img" not in page.tags


def test_the_same_evaluation_gives_the_same_file() -> None:
    evaluation = evaluation_of(scored("1_t1", 0.5), scored("2_t1", 0.5))
    assert evaluation_html(evaluation, worst=0) == evaluation_html(evaluation, worst=0)


# Plots


def test_plots_are_drawn_for_what_was_measured() -> None:
    evaluation = evaluation_of(scored("1_t1", 0.5), scored("2_t2", 0.7, 0.9), scored("odd", 0.7))
    assert picture(plots.dice_by_structure(evaluation) or b"").std() > 0
    assert plots.dice_by_level(evaluation) is None
    assert plots.volumes(evaluation) is None
    assert plots.dice_by_structure(evaluation_of(scored("1_t1"))) is None


# The worst series


def test_the_worst_series_come_first_and_those_without_a_score_not_at_all() -> None:
    evaluation = evaluation_of(scored("1_t2", 0.9), scored("2_t2", 0.3), scored("3_t2"), scored("4_t2", 0.5))
    assert [one.series for one in worst_series(evaluation, 2)] == ["2_t2", "4_t2"]
    assert [one.series for one in worst_series(evaluation, 9)] == ["2_t2", "4_t2", "1_t2"]


def test_the_slice_with_most_error_is_drawn(case: tuple[Path, Path, Path]) -> None:
    predictions, references, images = case
    found = draw_worst_case(evaluate_files(predictions, references).series[0], find_images(images))
    # The missed canal of the fourth slice (120 voxels) is more than the extra vertebra of the second (15).
    assert (found.slice_number, found.slice_count, found.note) == (4, 5, "")
    assert picture(found.png).shape[1] > 300


def test_missed_extra_and_confused_voxels_have_their_colors_and_a_perfect_prediction_has_none(tmp_path: Path) -> None:
    reference = sagittal_labels()[:1]
    changes = {"missed": (1, 0), "extra": (0, 1), "confused": (1, 201)}
    # Each color at the report's opacity over black: there is no image.
    shades = {"missed": (191, 105, 0), "extra": (45, 120, 191), "confused": (165, 60, 165)}
    counts = {}
    for name, (old, new) in changes.items():
        prediction = reference.copy()
        prediction[0, 0:5, 0:5] = new if old == 0 else 0
        if old:
            prediction[0, 5:20, 5:20], prediction[0, 0:5, 0:5] = new, 0
        paths = (write(tmp_path / f"{name}{n}.mha", array, is_sagittal=True) for n, array in enumerate((reference, prediction)))
        png = draw_worst_case(evaluate_series(SeriesFiles(name, *paths)), {}).png
        counts[name] = {shade: count_color(png, color) > 50 for shade, color in shades.items()}
    assert counts == {name: {shade: shade == name for shade in shades} for name in changes}


def test_a_shifted_numbering_alone_is_no_error_of_structure(tmp_path: Path) -> None:
    reference = sagittal_labels()
    prediction = np.where(reference == 1, 2, reference).astype(np.uint8)
    prediction[2][reference[2] == 201] = 0
    files = SeriesFiles("1_t2", write(tmp_path / "r.mha", reference, is_sagittal=True), write(tmp_path / "p.mha", prediction, is_sagittal=True))
    assert draw_worst_case(evaluate_series(files), {}).slice_number == 3


@pytest.mark.parametrize("kind", [ReferenceKind.CLASSES, ReferenceKind.BODIES, ReferenceKind.DISCS])
def test_every_kind_of_reference_can_be_drawn(tmp_path: Path, kind: ReferenceKind) -> None:
    labels = sagittal_labels()
    reference = {
        ReferenceKind.CLASSES: np.select([labels == 1, labels == 201, labels == 100], [1, 2, 3]),
        ReferenceKind.BODIES: labels == 1,
        ReferenceKind.DISCS: labels == 201,
    }[kind].astype(np.uint8)
    prediction = labels.copy()
    prediction[4][reference[4] > 0] = 0
    if kind is not ReferenceKind.CLASSES:
        prediction[1, 27:40, 0:22] = 1  # posterior elements, more voxels than are missing in the fifth slice
    files = SeriesFiles("1_t2", write(tmp_path / "r.mha", reference, is_sagittal=True), write(tmp_path / "p.mha", prediction, is_sagittal=True))
    # What the reference does not label is no error: the emptied slice has all of it.
    assert draw_worst_case(evaluate_series(files, kind), {}).slice_number == 5


def test_an_image_that_does_not_fit_is_left_out_with_the_reason(case: tuple[Path, Path, Path], tmp_path: Path) -> None:
    series = evaluate_files(*case[:2]).series[0]
    with_image = draw_worst_case(series, find_images(case[2])).png
    shifted = write(tmp_path / "shifted/7_t2.mha", sagittal_labels().astype(np.int16), origin=(9.0, 0.0, 0.0), is_sagittal=True)
    broken = tmp_path / "broken" / "7_t2.mha"
    broken.parent.mkdir()
    broken.write_bytes(b"no image")
    for path, reason in ((shifted, "not on the grid"), (broken, "can't be shown"), (case[2] / "8_t2.mha", "no image of this name")):
        found = draw_worst_case(series, find_images(path) if path.exists() else {})
        assert reason in found.note
        assert found.png != with_image


def test_images_are_found_by_series_and_a_missing_folder_is_refused(case: tuple[Path, Path, Path], tmp_path: Path) -> None:
    image = case[2] / "7_t2.mha"
    assert find_images(case[2]) == find_images(image) == {"7_t2": image}
    assert find_images(None) == {}
    with pytest.raises(DatasetError, match="nowhere"):
        find_images(tmp_path / "nowhere")


# The comparison


def test_the_comparison_report_has_verdict_differences_and_series() -> None:
    a, b = (evaluation_of(*(scored(f"{n}_t2", dice) for n in range(3))) for dice in (0.5, 0.625))
    page = Page(comparison_html(compare(a, b, "old", "new")))
    assert "new is 0.1250 higher than old" in page.text
    assert "+0.1250" in page.text
    assert page.tags.count("img") == 1


@pytest.mark.parametrize("series", [HOSTILE, "\u8170\u690e\n\u0301_t2"])
def test_the_plot_of_changes_draws_any_name(series: str) -> None:
    comparison = compare(evaluation_of(scored(series, 0.5)), evaluation_of(scored(series, 0.6)))
    assert picture(plots.changes(comparison)).std() > 0
    assert "script" not in Page(comparison_html(comparison)).tags


def test_of_many_series_both_ends_are_drawn() -> None:
    names = [f"{n}_t2" for n in range(300)]
    comparison = compare(evaluation_of(*(scored(n, 0.5) for n in names)), evaluation_of(*(scored(n, 0.6) for n in names)))
    assert picture(plots.changes(comparison)).shape[0] < 1500
