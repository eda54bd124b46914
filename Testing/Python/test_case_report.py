"""The report of one case: the right numbers beside the right levels, nothing certain that nobody confirmed, and a page that nothing breaks."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import small_column
from small_project import StepClock, labelmap, make_project, painted
from SpiderSegLib.case_report import CaseReport, report_html
from SpiderSegLib.case_report.levels import level_table
from SpiderSegLib.case_report.sagittal_slice import MARGIN_MM, best_slice, color_png, gray_png
from SpiderSegLib.case_report.wording import changes_text, moment_text
from SpiderSegLib.corrections import Correction, Provenance, Revision, ShownPrediction, Status, read_history, save
from SpiderSegLib.errors import GeometryError, LabelError
from SpiderSegLib.labels import LevelState, label_table
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.linter import Finding, Rule, Severity, lint
from SpiderSegLib.metrics import labelmap_changes
from SpiderSegLib.overlay import OPACITY
from SpiderSegLib.phantom import default_geometry, make_phantom
from SpiderSegLib.segmentation_files import NamedLabelmap
from SpiderSegLib.volume import Geometry, Volume

NOW = "2026-03-01T10:40:00.000Z"

HOSTILE = "</style></title><script>alert(1)</script><img src=x onerror=alert(2)>&\"'; } body { display: none }"

Labels = NDArray[np.uint8]

#: Elements without an end.
VOID = {"meta"}


class Page(HTMLParser):
    """A document by tables, facts and text; fails for tags that don't match and for anything that runs or loads."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.attributes: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.style = ""
        self._open: list[str] = []
        self._rows: list[list[str]] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "iframe", "object", "embed")
        values = {name: value or "" for name, value in attrs}
        assert not [name for name in values if name.startswith("on")]
        self.attributes.append((tag, values))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self._rows = self.tables[values["aria-label"]] = []
        if tag == "tr":
            self._rows.append([])
        if tag in ("th", "td"):
            assert (tag == "th") == ("scope" in values)
            self._rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            self.style += data
            return
        self.text += data
        if {"th", "td"} & set(self._open):
            self._rows[-1][-1] += data

    def column(self, title: str, table: str = "Levels") -> dict[str, str]:
        """A column of a table by the heads of its rows."""
        head, *rows = self.tables[table]
        return {row[0]: row[head.index(title)] for row in rows}

    def of(self, tag: str) -> list[dict[str, str]]:
        return [values for name, values in self.attributes if name == tag]


def of_column(labels: Labels | None = None, predicted: Labels | None = None, **facts: Any) -> CaseReport:
    """A report of the column of boxes; `naming`, `confidences` and `model_id` go to its labelmap."""
    labels = small_column.column() if labels is None else labels
    named = {name: facts.pop(name) for name in ("naming", "confidences", "model_id", "colors") if name in facts}
    prediction = None if predicted is None else small_column.labelmap(predicted)
    image = small_column.series(small_column.column())
    return CaseReport("12_t2", image, NamedLabelmap(small_column.labelmap(labels), **named), NOW, prediction=prediction, **facts)


def page_of(report: CaseReport) -> Page:
    return Page(report_html(report))


def renumbered(labels: Labels, values: Mapping[int, int]) -> Labels:
    lookup = np.arange(256, dtype=np.uint8)
    for old, new in values.items():
        lookup[old] = new
    return lookup[labels]


def picture(png: bytes) -> NDArray[np.uint8]:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


# Levels


def test_the_levels_stand_from_the_top_down_with_volume_and_view() -> None:
    page = page_of(of_column(small_column.without(small_column.column(), 4, 204, 5, 205)))
    assert page.tables["Levels"] == [
        ["Level", "Full name", "State", "Volume (cm³)", "In view"],
        # A body of 7 x 16 x 22 and a process of 3 x 10 x 16 voxels of 9 mm3; a disc of 7 x 6 x 22.
        ["L3?", "Lumbar vertebra 3 (level assumed: L3)", "assumed", "26.5", "whole"],
        ["L3/L4?", "Disc 3 (level assumed: L3/L4)", "assumed", "8.3", "whole"],
        ["L4?", "Lumbar vertebra 2 (level assumed: L4)", "assumed", "26.5", "whole"],
        ["L4/L5?", "Disc 2 (level assumed: L4/L5)", "assumed", "8.3", "whole"],
        ["L5?", "Lumbar vertebra 1 (level assumed: L5)", "assumed", "26.5", "whole"],
        ["L5/S1?", "Disc 1 (level assumed: L5/S1)", "assumed", "8.3", "whole"],
        # 3 x 124 x 9 voxels, from the upper border to the lower one.
        ["Spinal canal", "Spinal canal", "", "30.1", "in part"],
    ]


@pytest.mark.parametrize(
    ("naming", "name", "state", "sentence"),
    [
        (LevelNaming(), "L5?", "assumed", "the lowest vertebra is taken for L5, and nobody has confirmed it"),
        (LevelNaming(LevelState.CONFIRMED), "L5", "confirmed", "Levels confirmed: a person checked the numbering."),
        (LevelNaming(LevelState.TRANSITIONAL, 6), "L6", "transitional", "Transitional spine with 6 lumbar vertebrae: a person chose the names"),
        (LevelNaming(LevelState.UNIDENTIFIED), "Vertebra 1", "unidentified", "the numbers are no levels"),
    ],
)
def test_a_level_is_as_certain_as_its_state(naming: LevelNaming, name: str, state: str, sentence: str) -> None:
    page = page_of(of_column(naming=naming))
    assert page.column("State")[name] == state
    assert sentence in page.text
    assert f"level {state}".encode() in decoded_footer(page)


@pytest.mark.parametrize("state", [LevelState.ASSUMED, LevelState.UNIDENTIFIED])
def test_no_level_that_nobody_confirmed_reads_as_certain(state: LevelState) -> None:
    page = page_of(of_column(naming=LevelNaming(state), findings=lint(small_column.labelmap(small_column.without(small_column.column(), 203)))))
    rest = re.sub(r"level assumed: [LTS]\d+(/[LTS]\d+)?|[LTS]\d+(/[LTS]\d+)?\?|is taken for L5", "", page.text)
    assert re.findall(r"\b[LTS]\d+\b", rest) == []


def test_names_that_a_person_gave_are_shown_whole_in_the_table_and_shortened_in_the_picture() -> None:
    name = "Lumbarized first sacral vertebra"
    html = report_html(of_column(naming=LevelNaming(LevelState.TRANSITIONAL, own_names={1: name})))
    assert name in Page(html).column("State")
    assert ">Lumbarized first …<" in html


def test_confidences_below_the_limit_are_marked_and_never_rounded_up_to_it() -> None:
    page = page_of(of_column(confidences={1: 0.7999, 2: 0.8, 3: 0.57, 100: 1.0}))
    confidence = page.column("Confidence")
    assert [confidence[name] for name in ("L5?", "L4?", "L3?", "L2?", "Spinal canal")] == ["low 79 %", "80 %", "low 57 %", "", "100 %"]
    assert "below 80 %; look at these levels first" in page.text
    assert "look at these levels first" not in page_of(of_column(confidences={1: 0.8})).text


def test_a_vertebra_labeled_as_cut_and_one_at_the_border_are_told_from_whole_ones() -> None:
    labels = renumbered(small_column.column(), {5: 105})
    labels[0][labels[1] == 1] = 1
    view = page_of(of_column(labels)).column("In view")
    assert (view["L1? (partial)"], view["L5?"], view["L4?"]) == ("partial", "in part", "whole")


def test_a_level_has_the_color_that_it_has_on_screen() -> None:
    html = report_html(of_column(colors={1: (1, 2, 255)}))
    assert "background: #0102ff" in html
    assert 'stroke="#0102ff"' in html


# What was changed since the prediction


def test_changed_voxels_are_counted_where_they_are_and_where_they_were() -> None:
    labels = small_column.column()
    predicted = labels.copy()
    j = small_column.rows_of(2).start
    predicted[1:8, j, 12:34] = 203  # 154 voxels of L4 were disc L3/L4,
    predicted[1, j + 5, 12:22] = 0  # 10 were missing,
    predicted[0, j + 5, 12:17] = 2  # and 5 too many
    changed = page_of(of_column(labels, predicted)).column("Changed since the prediction")
    # 169 of the 2949 voxels that L4 has or had, 154 of the disc's 1078.
    assert changed["L4?"] == "164 added, 5 removed (5.7 %)"
    assert changed["L3/L4?"] == "0 added, 154 removed (14.3 %)"
    assert {changed[name] for name in changed if name not in ("L4?", "L3/L4?")} == {"unchanged"}


def test_a_few_voxels_are_no_zero_percent() -> None:
    labels = small_column.column()
    labels[4, 0, 37] = 0
    assert page_of(of_column(labels, small_column.column())).column("Changed since the prediction")["Spinal canal"] == "0 added, 1 removed (< 0.1 %)"


def test_levels_that_were_shifted_are_unchanged_and_called_by_the_number_they_had() -> None:
    shift = {level + offset: level + offset + 1 for offset in (0, 200) for level in range(1, 6)}
    changed = page_of(of_column(predicted=renumbered(small_column.column(), shift))).column("Changed since the prediction")
    assert changed["L5?"] == "unchanged; was vertebra 2 in the prediction"
    assert changed["L1/L2?"] == "unchanged; was disc 6 in the prediction"
    assert changed["Spinal canal"] == "unchanged"


def test_levels_that_are_new_and_levels_that_are_gone_are_told() -> None:
    predicted = renumbered(small_column.column(), {203: 0, 5: 9})
    page = page_of(of_column(small_column.without(small_column.column(), 5), predicted))
    assert page.column("Changed since the prediction")["L3/L4?"] == "new, not in the prediction (924 added)"
    assert "Removed since the prediction: vertebra 9." in page.text


def test_of_two_levels_that_the_prediction_had_as_one_the_smaller_is_new() -> None:
    predicted = renumbered(small_column.column(), {202: 3, 3: 3, 203: 3})
    changes = {row.value: row.change for row in level_table(of_column(predicted=predicted)).rows}
    # 2944 voxels of L3 in a prediction of 2944 + 2 x 924.
    assert (changes[3].predicted_as, changes[3].kept, changes[3].added, changes[3].removed) == (3, 2944, 0, 1848)
    assert (changes[202].predicted_as, changes[202].added, changes[202].share) == (None, 924, 1.0)


def test_without_a_prediction_there_is_no_column_of_changes() -> None:
    page = page_of(of_column())
    assert "Changed since the prediction" not in page.tables["Levels"][0]
    assert "No prediction is kept to compare with." in page.text


# Corrections


@pytest.fixture
def revisions(tmp_path: Path) -> tuple[Revision, ...]:
    """Of series p1_t2: the prediction, anna's corrections with a question, and what ben made of them."""
    project = make_project(tmp_path / "project")
    clock = StepClock("2026-03-01T09:00:00+00:00", 600)
    predicted, corrected = labelmap(1, 2, 201, 202, 100), painted(labelmap(1, 2, 201, 202, 100), 2)
    shown = ShownPrediction(predicted.array, "bundled-0")
    first = Correction("p1_t2", corrected, "anna", Status.FLAGGED, shown=shown, minutes=4.5, reason="is this L5?", comment="L4 <completed>")
    parent = save(project.folder, first, clock).revision.id
    confirmed = LevelNaming().confirmed()
    save(project.folder, Correction("p1_t2", corrected, "ben", Status.APPROVED, parent=parent, naming=confirmed, minutes=1), clock)
    return read_history(project.folder, "p1_t2").revisions


def of_revisions(revisions: tuple[Revision, ...], mask: Volume, naming: LevelNaming | None = None) -> CaseReport:
    image = mask.with_array(np.arange(mask.array.size, dtype=np.int16).reshape(mask.array.shape))
    return CaseReport("p1_t2", image, NamedLabelmap(mask, naming or LevelNaming()), NOW, revisions=revisions)


def test_the_revisions_say_who_when_how_long_from_what_and_how_much(revisions: tuple[Revision, ...]) -> None:
    page = page_of(of_revisions(revisions, labelmap(1, 2, 201, 202, 100)))
    assert page.tables["Corrections"] == [
        ["Revision", "Saved", "By", "Status", "How it was made", "Voxels changed", "Minutes", "Comment"],
        [
            "1",
            "2026-03-01 09:00 UTC",
            "model bundled-0",
            "levels assumed",
            "a prediction as the model drew it, not reviewed",
            "first mask, nothing to compare with",
            "",
            "",
        ],
        [
            "2",
            "2026-03-01 09:10 UTC",
            "anna",
            "flagged: is this L5?; levels assumed",
            # 30 voxels were the model's, 3 are anna's.
            "a prediction, corrected; 90 % of its voxels as the model drew them",
            "vertebra 3 added (Dice 0.889), against the prediction",
            "4.5",
            "L4 <completed>",
        ],
        [
            "3",
            "2026-03-01 09:20 UTC",
            "ben",
            "approved; levels confirmed",
            "a prediction, corrected; 90 % of its voxels as the model drew them",
            "no voxel, against the revision before",
            "1.0",
            "",
        ],
    ]


def test_the_page_says_which_revision_it_shows(revisions: tuple[Revision, ...]) -> None:
    predicted = labelmap(1, 2, 201, 202, 100)
    corrected = painted(predicted, 2)
    confirmed = LevelNaming().confirmed()
    assert "The mask on this page is revision 3, saved by ben.SpiderSeg" in without_table(of_revisions(revisions, corrected, confirmed))
    assert "revision 3, saved by ben. What the levels are called, or its confirmation, was changed since and is not saved." in without_table(
        of_revisions(revisions, corrected)
    )
    assert "revision 1, kept by model bundled-0. A newer one follows it." in without_table(of_revisions(revisions, predicted))
    assert "changes that are in no saved revision" in without_table(of_revisions(revisions, painted(predicted, 1)))
    assert "No revision of this series was saved." in without_table(of_revisions((), predicted))


def without_table(report: CaseReport) -> str:
    return Page(re.sub(r"<table.*?</table>", "", report_html(report), flags=re.DOTALL)).text.replace("\n", "")


def test_every_provenance_has_its_words(revisions: tuple[Revision, ...]) -> None:
    every = tuple(replace(revisions[1], provenance=provenance) for provenance in Provenance)
    made = page_of(of_revisions(every, labelmap(1))).tables["Corrections"]
    assert [row[4] for row in made[1:]] == [
        "drawn by hand",
        "a prediction, corrected; 90 % of its voxels as the model drew them",
        "a prediction, reviewed and left unchanged",
        "a prediction as the model drew it, not reviewed",
        "imported: how it was made was not seen here",
    ]


def test_changes_name_each_structure_and_each_way_of_changing(revisions: tuple[Revision, ...]) -> None:
    before, after = labelmap(1, 2, 201), labelmap(1, 1, 2, 202)
    revision = replace(revisions[1], to_parent=labelmap_changes(before, after))
    assert changes_text(revision) == (
        "vertebra 6 relabeled, 6 taken over (Dice 0.800); disc 6 added, 6 relabeled (Dice 0.000), against the revision before"
    )


@pytest.mark.parametrize(
    ("iso", "expected"),
    [
        ("2026-03-01T09:00:00.000Z", "2026-03-01 09:00 UTC"),
        ("2026-03-01T01:30:00+02:00", "2026-02-28 23:30 UTC"),
        ("2026-03-01T09:00:00", "2026-03-01 09:00"),
        ("", ""),
        ("yesterday", "yesterday"),
    ],
)
def test_times_are_utc_wherever_the_reader_is(iso: str, expected: str) -> None:
    assert moment_text(iso) == expected


# Findings


def test_findings_are_listed_with_their_level_and_what_to_do() -> None:
    labels = small_column.without(small_column.column(), 203)
    unknown = Finding(Rule.UNKNOWN_VALUES, Severity.ERROR, 77, None, "the value 77 stands for nothing")
    page = page_of(of_column(labels, findings=(unknown, *lint(small_column.labelmap(labels)))))
    rows = page.tables["Findings of the check"]
    assert rows[1][:3] == ["error", "", "the value 77 stands for nothing"]
    assert ["warning", "L3?", "no disc 3 between vertebrae 3 and 2", "label the disc, unless the two vertebrae are fused"] in rows
    assert "1 error, " in page.text


def test_a_mask_without_findings_is_not_called_right() -> None:
    page = page_of(of_column())
    assert "The check of the mask found nothing. It looks for faults of the mask alone." in page.text
    assert "Findings of the check" not in page.tables


# The picture


def test_the_picture_shows_the_middle_slice_as_high_as_the_image_and_cropped_around_the_column() -> None:
    shown = best_slice(small_column.series(small_column.column()), small_column.labelmap(small_column.column()))
    assert (shown.number, shown.count, shown.is_cropped) == (5, 9, False)
    assert shown.size_mm == (124 * 1.5, 72 * 1.5)
    narrow = small_column.without(small_column.column(), 1, 2, 3, 4, 5)
    shown = best_slice(small_column.series(narrow), small_column.labelmap(narrow))
    # The labels and 25 mm on either side are more than half the height. Discs and canal reach from column 12 to 45; the image begins
    # 12 columns before, and 25 mm are 16 columns.
    assert shown.is_cropped
    assert shown.labels.shape == (124, 46 + int(MARGIN_MM / 1.5))


def test_a_narrow_column_is_shown_half_as_wide_as_the_image_is_high() -> None:
    labels = np.zeros((1, 200, 300), dtype=np.uint8)
    labels[0, :, 150:154] = 100
    grid = Geometry((300, 200, 1), (1.0, 1.0, 4.0), (0.0, 0.0, 0.0), small_column.SAGITTAL)
    shown = best_slice(Volume(labels.astype(np.int16), grid), Volume(labels, grid))
    assert (shown.labels.shape, int(np.argmax(shown.labels[0]))) == ((200, 100), 48)


def test_the_picture_is_the_same_however_the_series_is_stored() -> None:
    grid, labels = small_column.geometry(), small_column.column()
    image = small_column.series(labels)
    pages = set()
    for transpose, flipped in (((0, 1, 2), (False, False, False)), ((2, 0, 1), (True, False, True)), ((1, 2, 0), (False, True, False))):
        stored = small_column.stored_as(image.array, grid, transpose, flipped), small_column.stored_as(labels, grid, transpose, flipped)
        html = report_html(CaseReport("12_t2", stored[0], NamedLabelmap(stored[1]), NOW))
        pages.add(re.sub(r"<dd>\d+ x \d+ x \d+ voxels of [\d. x]+ mm</dd>", "", html))
    assert len(pages) == 1


def test_colors_lie_on_their_structures_with_an_outline_and_nothing_elsewhere() -> None:
    named = NamedLabelmap(small_column.labelmap(small_column.column()))
    shown = best_slice(small_column.series(small_column.column()), named.labelmap)
    colors, finer = picture(color_png(shown, named)), 5  # 1.5 mm in pixels of at most 0.35 mm
    assert colors.shape == (124 * finer, 72 * finer, 4)
    body = colors[small_column.rows_of(1).start * finer : small_column.rows_of(1).stop * finer, 12 * finer : 34 * finer]
    assert tuple(body[20, 20]) == (*label_table()[1].color_rgba[:3], round(255 * OPACITY))
    assert body[0, 20, 3] == body[-1, 20, 3] == body[20, 0, 3] == 255
    assert colors[0, 0, 3] == 0
    gray = picture(gray_png(shown))
    assert gray.shape == (124, 72, 4)
    assert len({tuple(gray[row, column]) for row, column in ((0, 0), (100, 15), (115, 15), (60, 40))}) == 4


def test_names_point_at_bodies_discs_and_the_upper_end_of_the_canal() -> None:
    shown = best_slice(small_column.series(small_column.column()), small_column.labelmap(small_column.column()))
    for value in (1, 2, 203):
        y, x = shown.place(value)
        assert shown.labels[int(y / 1.5), int(x / 1.5)] == value
        assert 12 <= x / 1.5 < 34
    assert shown.place(100) == (0.5 * 1.5, 41.5 * 1.5)
    assert shown.place(7) is None


def test_levels_outside_the_shown_slice_are_told_below_it() -> None:
    labels = small_column.column()
    labels[2:7][labels[2:7] == 205] = 0
    assert "Not in this slice: L1/L2?." in page_of(of_column(labels)).text


# The page


def test_the_phantom_has_its_report() -> None:
    phantom = make_phantom()
    named = NamedLabelmap(phantom.labelmap, model_id="spiderseg-unetr-1")
    facts = {"patient_id": "12", "prediction": phantom.labelmap, "findings": lint(phantom.labelmap), "annotator": "L. Klein", "sequence": "T2"}
    page = page_of(CaseReport("12_t2", phantom.volume, named, NOW, **facts))
    names = ["T10? (partial)", "T10/T11?", "T11?", "T11/T12?", "T12?", "T12/L1?", "L1?", "L1/L2?", "L2?", "L2/L3?", "L3?", "L3/L4?"]
    assert list(page.column("State")) == [*names, "L4?", "L4/L5?", "L5?", "L5/S1?", "Spinal canal"]
    assert set(page.column("Changed since the prediction").values()) == {"unchanged"}
    text = page.text
    for part in ("Segmentation report: 12_t2", "L. Klein", "T2", "320 x 352 x 15 voxels of 0.9 x 0.9 x 4 mm", "2026-03-01 10:40 UTC"):
        assert part in text
    assert re.search(r"SpiderSeg \d+\.\d+\.\d+, weights spiderseg-unetr-1\.", text)
    assert "Sagittal slice 8 of 15 of 12_t2, plain and with its segmentation: T10? (partial), " in text
    assert text.count("Research use only, not for diagnosis. Not a medical device.") == 2


def test_the_page_is_one_file_that_loads_nothing() -> None:
    html = report_html(of_column(predicted=small_column.column()))
    page = Page(html)
    assert not re.search(r"https?:|//|url\(|@import", re.sub(r"base64,[\w+/=]+", "", html))
    addresses = [values["href"] for _, values in page.attributes if "href" in values] + [
        values["src"] for _, values in page.attributes if "src" in values
    ]
    pictures = [address for address in addresses if address != "#plain"]
    assert (len(addresses), len(pictures)) == (3, 2)
    for address in pictures:
        assert picture(base64.b64decode(address.removeprefix("data:image/png;base64,"))).shape[0] > 100
    assert "default-src 'none'" in html


def test_the_page_can_be_used_without_seeing_it() -> None:
    page = page_of(of_column())
    assert page.of("html") == [{"lang": "en"}]
    assert page.of("svg")[0]["role"] == "img"
    assert {values["scope"] for values in page.of("th")} == {"col", "row"}
    assert all(values["aria-hidden"] == "true" for values in page.of("span") if values["class"] == "swatch")


def test_the_page_is_made_for_a4_and_names_the_series_on_every_sheet() -> None:
    page = page_of(of_column())
    assert "@page { size: A4;" in page.style
    assert decoded_footer(page) == b"12_t2: Research use only, not for diagnosis; level assumed"


def decoded_footer(page: Page) -> bytes:
    """What the style sheet writes at the lower border of a sheet."""
    (content,) = re.findall(r'@bottom-left { content: "([^"]*)"', page.style)
    return re.sub(r"\\([0-9a-f]{6})", lambda found: chr(int(found[1], 16)), content).encode()


def test_whatever_people_typed_is_shown_literally(revisions: tuple[Revision, ...]) -> None:
    naming = LevelNaming(LevelState.TRANSITIONAL, own_names={1: "<script>alert(3)</script>"})
    finding = Finding(Rule.ISLANDS, Severity.WARNING, 1, None, f"{HOSTILE} found")
    typed = replace(revisions[1], annotator="<b>anna</b>", reason=f"{HOSTILE} reason", comment=f"{HOSTILE} comment", source_model=HOSTILE)
    report = replace(
        of_column(naming=naming, model_id=f"{HOSTILE} model"),
        series=HOSTILE,
        patient_id=f"{HOSTILE} patient",
        sequence=f"{HOSTILE} sequence",
        annotator=f"{HOSTILE} annotator",
        created_at=f"{HOSTILE} time",
        revisions=(typed, replace(typed, provenance=Provenance.MODEL_ONLY)),
        findings=(finding,),
    )
    page = page_of(report)
    for part in ("", " model", " patient", " sequence", " annotator", " time", " reason", " comment", " found"):
        assert HOSTILE + part in page.text
    assert "<b>anna</b>" in page.text
    assert "<script>alert(3)</script>" in page.column("State")
    assert decoded_footer(page).decode().startswith(f"{HOSTILE[:63]}…: Research use only")
    assert page.style.count("display: none") == 0


def test_names_that_are_no_utf_8_do_not_stop_a_report() -> None:
    page = page_of(replace(of_column(), series="caf\udce9_t2"))
    assert "caf?_t2" in page.text


def test_the_same_case_gives_the_same_page() -> None:
    assert report_html(of_column(predicted=small_column.column())) == report_html(of_column(predicted=small_column.column()))


def test_an_empty_labelmap_has_a_report_that_says_so() -> None:
    empty = np.zeros_like(small_column.column())
    page = page_of(of_column(empty, small_column.column(), findings=lint(small_column.labelmap(empty))))
    assert "Nothing is labeled in this series." in page.text
    assert "Removed since the prediction: vertebra 5, disc 5, vertebra 4, " in page.text
    assert page.tables["Findings of the check"][1][:3] == ["error", "", "nothing is labelled"]
    assert "Levels" not in page.tables
    assert len(page.of("image")) == 1


def test_a_single_slice_has_a_report() -> None:
    phantom = make_phantom(geometry=default_geometry((160, 176, 1), (1.8, 1.8, 4.0)))
    page = page_of(CaseReport("1_t1", phantom.volume, NamedLabelmap(phantom.labelmap, LevelNaming(LevelState.UNIDENTIFIED)), NOW, sequence="T1"))
    assert "Sagittal slice 1 of 1; anterior is left." in page.text
    assert page.column("In view")["Vertebra 1"] == "in part"


def test_an_image_without_contrast_has_a_report() -> None:
    report = of_column()
    flat = report.image.with_array(np.zeros_like(report.image.array))
    assert "L5?" in page_of(replace(report, image=flat)).column("State")


def test_labelmaps_of_another_grid_and_of_other_values_are_refused() -> None:
    report = of_column()
    other = replace(small_column.geometry(), origin_lps_mm=(0.0, 0.0, 0.0))
    for changed in (
        {"image": small_column.series(small_column.column(), other)},
        {"prediction": small_column.labelmap(small_column.column(), other)},
    ):
        with pytest.raises(GeometryError, match="expected one grid"):
            replace(report, **changed)
    with pytest.raises(LabelError, match=r"found \[77\]"):
        report_html(of_column(predicted=renumbered(small_column.column(), {1: 77})))
