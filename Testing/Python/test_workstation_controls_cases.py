"""Cases in the page: opening them, what stands in the way, saving, findings, and series that belong to no project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mrml_scene import COLUMN, idOf
from small_project import add_series, make_project, save_mask
from small_session import addPrediction, newSession, paint, stroke
from SpiderSegLib.corrections import Status, kept_edit
from SpiderSegLib.errors import ImageReadError, InputError
from SpiderSegLib.io import write_volume
from SpiderSegLib.mrml.annotation_session import AnnotationSession
from SpiderSegLib.mrml.segments import maskOf, setMask
from SpiderSegLib.volume import Volume
from SpiderSegLib.workstation.web.series_files import SeriesFiles
from workstation_place import Workplace, workplace
from workstation_scene import INTENSITIES, box, columnSeries, nodesIn

NO_SEGMENTATION = "There is no segmentation yet: segment the series first."

#: Three voxels in front of the column's lower end, which belong to nothing.
PIECE = box(slice(11, 12), slice(0, 1))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    (tmp_path / "place").mkdir()
    with workplace(tmp_path / "place") as place:
        yield place


@pytest.fixture
def session(place: Workplace, tmp_path: Path) -> AnnotationSession:
    """A project of three series, two of them drawn by a model; p1_t2 was drawn by hand by Bob."""
    project = make_project(tmp_path / "project")
    addPrediction(project, "p1_t1")
    addPrediction(project, "p2_t2")
    save_mask(project, "p1_t2", annotator="Bob")
    return place.openProject(project)


def draw(place: Workplace, series: str = "p2_t2") -> None:
    """Opens a case and draws a stroke, three voxels, into L5."""
    place.act("openCase", series)
    place.do(lambda: paint(place.bench.work.case, 1))


def voxels(place: Workplace) -> int:
    return int(place.mask(1).sum())


# The project


def test_the_table_of_cases_is_shown_first(place, session):
    assert place.state.mode == "cases"
    assert [row["series"] for row in place.state.cases] == ["p2_t2", "p1_t1", "p1_t2"]
    first = place.state.cases[0]
    assert (first["patient"], first["state"], first["place"], first["isCurrent"]) == ("p2", "predicted", "1", False)
    assert place.state.casesCount == 3
    assert place.state.project["name"] == session.project.name
    assert place.state.project["reviewed"] == 33
    assert {one["id"]: one["count"] for one in place.state.caseStates} == {"": 3, "open": 2, "predicted": 2, "done": 1}


def test_the_table_is_filtered_and_sorted(place, session):
    def shown() -> list[str]:
        return [row["series"] for row in place.state.cases]

    place.set(casesState="open")
    assert shown() == ["p2_t2", "p1_t1"]
    place.set(casesState="", casesWords="t2")
    assert sorted(shown()) == ["p1_t2", "p2_t2"]
    place.set(casesWords="nobody")
    assert (shown(), place.state.casesCount, place.state.casesPages) == ([], 0, 1)
    place.set(casesWords="", casesColumn="SERIES", casesDescending=True)
    assert shown() == ["p2_t2", "p1_t2", "p1_t1"]


def test_a_large_table_has_pages(place, tmp_path):
    project = make_project(tmp_path / "large", series=())
    for number in range(101):
        add_series(project, f"p{number:03}_t2", number)
    place.openProject(project)
    assert (place.state.casesPages, place.state.casesPage, len(place.state.cases)) == (2, 1, 100)
    place.set(casesPage=2)
    assert len(place.state.cases) == 1
    for asked, given in ((99, 2), (0, 1), (2, 2)):
        place.set(casesPage=asked)
        assert place.state.casesPage == given
    # Another order or filter begins with its first page.
    place.set(casesDescending=True)
    assert (place.state.casesPage, len(place.state.cases)) == (1, 100)
    place.set(casesWords="p00")
    assert (place.state.casesPage, place.state.casesCount) == (1, 10)


def test_a_project_without_series_has_an_empty_table(place, tmp_path):
    place.openProject(make_project(tmp_path / "empty", series=()))
    assert (place.state.cases, place.state.casesPages, place.state.casesCount) == ([], 1, 0)
    assert place.state.project["reviewed"] == 0
    assert place.why("nextCase") == {"No series waits for a person."}


def test_a_case_is_opened(place, session):
    place.act("openCase", "p1_t2")
    assert place.state.mode == "case"
    assert place.state.currentCase == {
        "name": "p1_t2",
        "patient": "p1",
        "isProject": True,
        "detail": "8 x 6 x 3 voxels of 1.00 x 1.00 x 4.00 mm",
        "heldBy": "",
        "messages": [],
        "parent": place.state.currentCase["parent"],
        "partners": [{"id": place.bench.work.seriesNodes[1].GetID(), "name": "p1_t1"}],
        "hasSegmentation": True,
        "position": "1 of 3 done",
    }
    assert place.state.currentCase["parent"].startswith("Bob, 2026-03-01 ")
    assert place.state.currentCase["parent"].endswith(" UTC, done, manual")
    assert place.state.saveState == {"isModified": False, "text": "Saved", "minutes": "0 min"}
    assert voxels(place) == 6


def test_the_table_shows_which_case_is_open_and_leads_back_to_it(place, session):
    place.act("showCase")
    assert place.state.mode == "cases"
    place.act("openCase", "p1_t2")
    place.act("showCases")
    assert place.state.mode == "cases"
    assert [row["series"] for row in place.state.cases if row["isCurrent"]] == ["p1_t2"]
    node = place.node
    place.act("openCase", "p1_t2")
    assert (place.state.mode, place.node) == ("case", node)


def test_a_case_that_is_not_there_leaves_the_open_one(place, session):
    draw(place)
    place.act("save")
    node = place.node
    place.act("openCase", "no_such_series")
    assert place.state.notice["kind"] == "error"
    assert (place.state.mode, place.state.currentCase["name"], place.node) == ("case", "p2_t2", node)
    assert place.state.undo == {"canUndo": False, "canRedo": False}


def test_next_and_previous_go_through_the_work_list(place, session):
    names = []
    for action in ("nextCase", "nextCase", "previousCase"):
        place.act(action)
        names.append(place.state.currentCase["name"])
    assert names == ["p2_t2", "p1_t1", "p2_t2"]
    place.act("done")
    place.act("nextCase")
    place.act("done")
    assert place.why("nextCase") == {"No series waits for a person."}


def test_where_no_other_series_waits_the_open_one_stays_as_it_is(place, session):
    place.act("openCase", "p1_t1")
    place.act("done")
    place.act("openCase", "p2_t2")
    place.act("addSegment")
    place.act("undo")
    place.set(comment="half way")
    node = place.node
    place.act("nextCase")
    assert place.notice == ("info", "No other series waits for you: all are done, flagged, or held by others.")
    assert (place.node, place.state.comment) == (node, "half way")
    assert place.state.undo == {"canUndo": False, "canRedo": True}


# Unsaved changes


@pytest.fixture
def asked(place: Workplace, session: AnnotationSession) -> Workplace:
    """A stroke in p2_t2, and another case is asked for."""
    draw(place)
    place.act("openCase", "p1_t2")
    return place


def test_unsaved_changes_ask_before_another_case_is_opened(asked):
    assert asked.state.dialog == "unsaved"
    assert asked.state.unsavedText == "p2_t2 has changes that are not saved as a revision."
    assert (asked.state.currentCase["name"], voxels(asked)) == ("p2_t2", 9)
    assert asked.state.saveState["text"] == "Not saved yet; kept on this computer"


@pytest.mark.parametrize("action", [("nextCase",), ("previousCase",), ("openCase", "p1_t1")])
def test_every_way_out_asks(place, session, action):
    place.act("openCase", "p1_t1")
    draw(place)
    place.act(*action)
    assert place.state.dialog == "unsaved"
    assert place.state.currentCase["name"] == "p2_t2"


def test_unsaved_changes_are_saved_and_the_other_case_opened(asked, session):
    asked.set(comment="one stroke")
    asked.act("unsavedSave")
    assert (asked.state.dialog, asked.state.currentCase["name"], asked.state.mode) == ("", "p1_t2", "case")
    newest = session.revisions("p2_t2").newest
    assert (newest.annotator, newest.status, newest.comment) == ("Ada", Status.IN_PROGRESS, "one stroke")
    asked.act("openCase", "p2_t2")
    assert (voxels(asked), asked.state.offered) == (9, None)


def test_unsaved_changes_are_kept_and_offered_the_next_time(asked, session):
    asked.act("unsavedKeep")
    assert (asked.state.dialog, asked.state.currentCase["name"]) == ("", "p1_t2")
    assert session.revisions("p2_t2").newest is None
    asked.act("openCase", "p2_t2")
    assert asked.state.offered == {"text": "Work of 2026-03-02 08:00 UTC was not saved. New work is not kept until you choose."}
    assert voxels(asked) == 6
    asked.act("restoreOffered")
    assert (voxels(asked), asked.state.offered) == (9, None)
    assert asked.notice == ("info", "The unsaved edit is back; save it when it is right.")
    assert asked.state.saveState["isModified"]
    # The editor has the restored segmentation.
    assert asked.bench.editor.selectedId in [row["id"] for row in asked.state.levels]


def test_an_offered_edit_can_be_discarded(asked, session):
    asked.act("unsavedKeep")
    asked.act("openCase", "p2_t2")
    asked.act("discardOffered")
    assert (asked.state.offered, voxels(asked), asked.state.saveState["isModified"]) == (None, 6, False)
    assert kept_edit(session.project.folder, "p2_t2", "Ada") is None


def test_unsaved_changes_are_discarded(asked, session):
    asked.act("unsavedDiscard")
    assert asked.state.currentCase["name"] == "p1_t2"
    asked.act("openCase", "p2_t2")
    assert (voxels(asked), asked.state.offered) == (6, None)


def test_with_unsaved_changes_one_can_stay(asked):
    asked.act("unsavedStay")
    assert (asked.state.dialog, asked.state.currentCase["name"], voxels(asked)) == ("", "p2_t2", 9)
    # What was asked for then is forgotten.
    asked.act("unsavedSave")
    assert asked.state.currentCase["name"] == "p2_t2"


def test_what_can_t_be_saved_is_named_and_stays_on_screen(asked, session):
    asked.do(lambda: setMask(asked.node, asked.node.GetSegmentation().AddEmptySegment("", "cyst"), stroke(4, 2)))
    asked.act("unsavedSave")
    kind, text = asked.notice
    assert kind == "error"
    assert text.endswith("cyst names no level, so that it can't be saved: give it a level, or delete it")
    assert (asked.state.currentCase["name"], asked.state.levels[-1]["name"]) == ("p2_t2", "cyst")
    # The rest was saved.
    assert session.revisions("p2_t2").newest.annotator == "Ada"
    asked.act("openCase", "p1_t2")
    assert asked.state.dialog == "unsaved"


@pytest.mark.parametrize("answer", ["unsavedKeep", "unsavedDiscard"])
def test_where_the_next_series_can_t_be_opened_the_table_is_shown(place, session, answer):
    async def fails() -> None:
        await place.bench.busy("Opening ..")
        place.bench.refresh()
        raise ImageReadError("no image")

    draw(place)
    place.do(lambda: place.cases.leaving(fails))
    place.act(answer)
    assert place.notice == ("error", "no image")
    assert (place.bench.work, place.state.mode, place.state.currentCase) == (None, "cases", None)
    assert nodesIn(place.app) == 0
    place.act("openCase", "p2_t2")
    assert place.state.mode == "case"


# Saving


def test_a_case_is_saved_with_its_comment(place, session):
    draw(place)
    place.set(comment="  L5 was short  ", flagReason="none")
    place.act("save")
    assert place.notice == ("success", "Saved p2_t2 as in progress.")
    newest = session.revisions("p2_t2").newest
    assert (newest.annotator, newest.status, newest.comment) == ("Ada", Status.IN_PROGRESS, "L5 was short")
    assert (place.state.comment, place.state.flagReason, place.state.dialog) == ("", "", "")
    assert place.state.saveState == {"isModified": False, "text": "Saved", "minutes": "0 min"}
    assert place.state.currentCase["parent"].startswith("Ada, 2026-03-02 08:00 UTC, in progress, ")
    assert {row["series"]: row["state"] for row in place.state.cases}["p2_t2"] == "in progress"
    place.act("done")
    assert session.revisions("p2_t2").newest.status is Status.DONE


def test_a_series_that_can_t_be_used_is_flagged_with_the_reason(place, session):
    place.act("openCase", "p2_t2")
    assert place.why("flag") == {"Write a reason first."}
    place.act("flag")
    assert place.notice[0] == "error"
    place.set(flagReason=" motion ")
    assert place.why("flag") == {""}
    place.act("flag")
    assert place.notice == ("success", "Saved p2_t2 as flagged.")
    assert session.revisions("p2_t2").newest.reason == "motion"


def test_only_another_person_s_mask_is_approved(place, session):
    place.act("openCase", "p2_t2")
    assert place.why("approve") != {""}
    place.act("openCase", "p1_t2")
    assert place.why("approve") == {""}
    place.act("approve")
    assert place.notice == ("success", "Saved p1_t2 as approved.")
    draw(place, "p1_t1")
    place.act("save")
    assert place.why("approve") == {"You made this mask: another person has to approve it."}
    place.act("approve")
    assert place.notice[0] == "error"


def test_what_is_drawn_is_kept_by_itself(place, session):
    place.act("openCase", "p2_t2")
    place.happens(lambda: paint(place.bench.work.case, 1))
    place.until(lambda: kept_edit(session.project.folder, "p2_t2", "Ada") is not None)
    # As after a crash: another session of the same person.
    again = newSession(place.app, session.project)
    again.open("p2_t2")
    assert again.current.offered is not None
    again.close()


def test_the_clock_of_a_case_goes_on_with_what_a_person_does(place, session):
    clock = session.timer._monotonic
    place.act("openCase", "p2_t2")
    for _ in range(6):
        clock.go(20)
        place.act("scroll", 1)
    assert place.state.saveState["minutes"] == "2 min"


# Findings


def test_findings_are_looked_for_on_opening(place, session):
    place.act("openCase", "p1_t2")
    assert place.state.findings == [
        {"severity": finding.severity.value, "text": finding.message, "advice": finding.advice, "hasPlace": finding.location_lps_mm is not None}
        for finding in session.findings()
    ]
    assert place.state.findings


def test_a_finding_has_severity_words_and_a_place(place):
    place.openColumn()
    assert place.state.findings is None
    place.do(lambda: setMask(place.node, place.idOf(1), place.mask(1) | PIECE))
    place.act("checkFindings")
    pieces = [number for number, finding in enumerate(place.state.findings) if finding["hasPlace"]]
    assert pieces
    assert set(place.state.findings[0]) == {"severity", "text", "advice", "hasPlace"}
    assert place.state.finding == -1
    seen = []
    for _ in range(len(pieces) + 1):
        place.act("nextFinding")
        seen.append(place.state.finding)
    assert seen == [*pieces, pieces[0]]
    place.act("jumpToFinding", pieces[-1])
    assert place.state.finding == pieces[-1]
    place.act("checkFindings")
    assert place.state.finding == -1


def test_the_next_finding_is_looked_for_when_nobody_did(place):
    place.openColumn()
    place.act("nextFinding")
    assert place.state.findings is not None


def test_findings_are_those_of_the_mask_that_was_saved(place, session):
    draw(place)
    place.do(lambda: setMask(place.node, place.idOf(202), np.zeros((3, 6, 8), bool)))
    place.act("save")
    assert place.state.findings is not None
    place.act("openCase", "p1_t2")
    assert place.state.finding == -1


# Series without a project


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two series, and a file that is none."""
    folder = tmp_path / "images"
    folder.mkdir()
    write_volume(folder / "a_t2.mha", columnSeries())
    write_volume(folder / "b_t1.nii.gz", Volume(INTENSITIES[::-1].copy(), COLUMN))
    (folder / "broken.mha").write_bytes(b"no image")
    return folder


@pytest.fixture
def opened(folder: Path, tmp_path: Path) -> Iterator[Workplace]:
    (tmp_path / "place").mkdir()
    with workplace(tmp_path / "place", folder) as place:
        place.act("showStart")
        yield place


def test_the_series_of_a_folder_are_listed_and_opened_by_name(opened):
    assert (opened.state.mode, opened.state.opened["folder"]) == ("start", "images")
    assert [one["name"] for one in opened.state.opened["files"]] == ["a_t2.mha", "b_t1.nii.gz", "broken.mha"]
    opened.act("openSeries", "a_t2.mha")
    assert (opened.state.mode, opened.state.currentCase["name"]) == ("case", "a_t2")
    assert not opened.state.currentCase["isProject"]
    opened.act("openSeries", "b_t1.nii.gz")
    assert opened.state.currentCase["name"] == "b_t1"
    assert nodesIn(opened.app) == 1


@pytest.mark.parametrize("name", ["../a_t2.mha", "/etc/passwd", "c.mha", "", "a_t2.mha\0"])
def test_only_series_of_the_list_are_opened(opened, name):
    opened.act("openSeries", name)
    assert opened.state.notice["kind"] == "error"
    assert (opened.state.mode, opened.bench.work) == ("start", None)


def test_a_file_that_can_t_be_read_leaves_the_open_series(opened):
    opened.act("openSeries", "a_t2.mha")
    opened.act("startEmpty")
    opened.act("addSegment")
    node = opened.node
    opened.act("openSeries", "broken.mha")
    assert opened.state.notice["kind"] == "error"
    assert (opened.state.mode, opened.state.currentCase["name"], opened.node) == ("case", "a_t2", node)
    assert nodesIn(opened.app) == 2


def test_an_edit_is_kept_from_one_series_to_the_next_without_a_question(opened):
    opened.act("openSeries", "a_t2.mha")
    opened.act("startEmpty")
    opened.act("addSegment")
    opened.do(lambda: setMask(opened.node, opened.state.selected[0], PIECE))
    opened.act("openSeries", "b_t1.nii.gz")
    assert (opened.state.dialog, opened.state.currentCase["name"]) == ("", "b_t1")
    opened.act("openSeries", "a_t2.mha")
    assert opened.state.offered["text"].endswith("UTC was not saved. New work is not kept until you choose.")
    opened.act("restoreOffered")
    assert [row["name"] for row in opened.state.levels] == ["New segment"]
    assert maskOf(opened.node, opened.state.selected[0]).sum() == 3


def test_an_empty_segmentation_that_nobody_drew_into_is_left_without_a_word(opened):
    opened.act("openSeries", "a_t2.mha")
    opened.act("startEmpty")
    opened.act("openSeries", "b_t1.nii.gz")
    assert opened.state.notice is None
    assert opened.state.currentCase["name"] == "b_t1"


def test_a_series_that_can_t_be_left_stays_open(opened):
    opened.act("openSeries", "a_t2.mha")

    def refuses() -> None:
        raise InputError("the disk is full")

    work = opened.bench.work
    leave, work.leave = work.leave, refuses
    opened.act("openSeries", "b_t1.nii.gz")
    assert opened.notice == ("error", "the disk is full")
    assert (opened.bench.work, nodesIn(opened.app)) == (work, 1)
    work.leave = leave


def test_a_series_of_one_s_own_is_looked_at_between_two_cases(place, session, folder):
    place.act("openCase", "p2_t2")
    place.do(lambda: place.opening.open(SeriesFiles("a_t2.mha", folder / "a_t2.mha")))
    assert (place.state.currentCase["name"], place.state.currentCase["isProject"]) == ("a_t2", False)
    assert (session.current, nodesIn(place.app)) == (None, 1)
    assert place.why("save", "done", "showCases") == {NO_SEGMENTATION, "This series belongs to no project: export it instead.", ""}
    place.act("openCase", "p2_t2")
    assert (place.state.currentCase["name"], place.state.currentCase["isProject"]) == ("p2_t2", True)
    assert place.bench.loose is None
    # Image, segmentation and its prediction.
    assert nodesIn(place.app) == 3


def test_saving_a_series_without_a_project_leads_to_its_export(place):
    place.openColumn()
    place.act("save")
    assert place.state.dialog == "export"
    assert place.state.saveState == {"isModified": True, "text": "Not exported yet; kept on this computer", "minutes": ""}


def test_an_upload_that_is_gone_is_said(place):
    assert place.state.uploadUrl == "/web/upload"
    place.act("openUploaded", "no such key")
    assert place.notice == ("error", "this upload is no longer there; upload the series again")


def test_without_a_folder_there_is_nothing_to_open_by_name(place):
    place.act("openSeries", "a.mha")
    assert place.notice == ("error", "no folder was opened: upload a series")
    place.act("showStart")
    assert place.state.opened == {"folder": "", "files": []}


def test_project_s_buttons_without_a_project_say_so(place):
    for action in ("nextCase", "previousCase", "approve"):
        place.act(action)
        assert place.notice == ("error", "no project is open")


def test_an_empty_segmentation_is_for_series_without_a_project(place, session):
    place.act("openCase", "p2_t2")
    place.act("startEmpty")
    assert place.notice == ("error", "a case of a project has a segmentation already")
    assert idOf(place.node, 1)
