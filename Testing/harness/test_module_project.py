"""The annotation loop in the panel, as an annotator goes through it: a project, its series, cases, saving, leaving, coming back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import qt
import slicer

import harness
from harness.annotation_panel import BRUSH, SERIES, AnnotationPanel, column_project, saved_by
from harness.click_tests import clicks, usual_tool_tips
from harness.spine_panel import MODULE, PANEL_UI_FILES, PATIENCE_S, fake_on_path, main_window, watched_by_a_person
from mrml_scene import COLUMN, columnLabels
from SpiderSegLib.annotation_project.summary import SeriesState
from SpiderSegLib.corrections import Status, UnsavedEdit, keep_edit, kept_edit, leases, read_history, read_mask
from SpiderSegLib.errors import ProjectError
from SpiderSegLib.gui.annotation import remembered
from SpiderSegLib.mrml.annotation_session.case_rows import PAGE_SIZE, Column
from SpiderSegLib.volume import Volume


@pytest.fixture
def case(load_module):
    return AnnotationPanel(load_module(MODULE))


@pytest.fixture
def project(tmp_path):
    return column_project(tmp_path / "loop")


@pytest.fixture
def opened(case, project):
    """The panel with the project open, no case yet."""
    case.open_project(project)
    return case


@pytest.fixture
def at_work(opened):
    """The panel with p2_t2 open, of which the model has drawn the column."""
    opened.open_series("p2_t2")
    assert opened.series == "p2_t2"
    return opened


# Project


def test_without_a_project_its_sections_are_hidden_and_the_buttons_say_why(case):
    for name in ("cases", "case", "findings", "gradings", "revisions", "models"):
        assert not getattr(case.ui, f"{name}CollapsibleButton").visible
    assert not case.ui.importFrame.visible
    assert case.ui.openProjectButton.toolTip == "Choose a folder first."
    assert case.ui.closeProjectButton.toolTip == "No project is open."


def test_a_project_is_opened_only_by_somebody_with_a_name(load_module, project):
    case = AnnotationPanel(load_module(MODULE), annotator="")
    case.ui.projectPathLineEdit.currentPath = str(project.root)
    case.settle()
    assert not case.ui.openProjectButton.enabled
    assert case.ui.openProjectButton.toolTip == "Write your name first: it stands beside every mask you save."
    harness.type_text(case.ui.annotatorLineEdit, "Ada")
    case.settle()
    case.click("openProjectButton")
    assert case.session.annotator == "Ada"


@clicks("openProjectButton", "closeProjectButton")
def test_a_project_is_opened_and_closed(case, project):
    case.open_project(project)
    assert case.ui.projectStatusLabel.text.startswith("loop: 3 predicted; 3 series of 2 patients")
    assert case.ui.casesCollapsibleButton.visible
    assert case.ui.inputCollapsibleButton.collapsed
    case.click("closeProjectButton")
    assert not case.ui.casesCollapsibleButton.visible
    assert case.ui.projectStatusLabel.text == ""
    assert case.session is None


def test_a_folder_that_is_no_project_is_refused_in_words(case, tmp_path):
    case.ui.projectPathLineEdit.currentPath = str(tmp_path)
    case.settle()
    said = case.refused(lambda: case.click("openProjectButton"))
    assert "expected a SpiderSeg project, found no project.json in it" in said
    assert case.workspace is None or case.session is None


def test_a_damaged_project_is_refused_and_none_is_open(case, project):
    damaged = project.folder.decisions / "20260101T000000Z_ada_0123456789ab.json"
    damaged.write_text("{}", encoding="utf-8")
    case.ui.projectPathLineEdit.currentPath = str(project.root)
    case.settle()
    assert "without it nobody knows what was decided" in case.refused(lambda: case.click("openProjectButton"))
    assert not case.ui.casesCollapsibleButton.visible
    damaged.unlink()
    case.click("openProjectButton")
    assert case.ui.casesCollapsibleButton.visible


def test_name_and_recent_projects_are_remembered(project, load_module):
    case = AnnotationPanel(harness.load_module(MODULE))
    case.open_project(project)
    case.click("closeProjectButton")
    case.loaded.unload()
    again = AnnotationPanel(load_module(MODULE), annotator="")
    assert again.ui.annotatorLineEdit.text == "Ada"
    harness.choose(again.ui.recentComboBox, str(project.root))
    again.settle()
    assert again.session.project.project_id == project.project_id


def test_settings_that_were_damaged_are_no_obstacle(case):
    qt.QSettings().setValue(remembered.RECENT_KEY, "no JSON")
    assert remembered.recentProjects() == []


@clicks("newProjectButton")
@pytest.mark.slow
def test_a_new_project_is_made_and_opened(case, tmp_path):
    case.ui.projectPathLineEdit.currentPath = str(tmp_path / "new")
    case.settle()
    case.click("newProjectButton")
    assert case.ui.newProjectButton.text == "Cancel"
    harness.wait_until(lambda: case.workspace is not None and case.workspace.isOpen, PATIENCE_S)
    case.settle()
    assert case.ui.projectStatusLabel.text.startswith("new: no series yet; import some")
    assert [model.generation for model in case.workspace.models.models] == [0]


@clicks("importButton")
@pytest.mark.slow
def test_a_folder_is_imported_by_the_real_program(opened, tmp_path):
    from SpiderSegLib.io import write_volume
    from SpiderSegLib.phantom import make_phantom

    (tmp_path / "scans").mkdir()
    write_volume(tmp_path / "scans" / "q_t2.mha", make_phantom().volume)
    opened.ui.importPathLineEdit.currentPath = str(tmp_path / "scans")
    opened.settle()
    opened.click("importButton")
    assert opened.ui.importButton.text == "Cancel import"
    harness.wait_until(lambda: not opened.panel.annotation._importing.isRunning, PATIENCE_S)
    opened.settle()
    assert len(opened.cases(Column.SERIES)) == len(SERIES) + 1, opened.ui.jobLabel.text
    assert opened.ui.importButton.text == "Import"
    assert not opened.ui.jobProgressBar.visible


IMPORT_OPTIONS = "report('import', 0.5)\nwait_for('gate')\n"


def test_the_options_of_an_import_reach_the_program_and_it_can_be_cancelled(opened, monkeypatch, tmp_path):
    fake = fake_on_path(monkeypatch, tmp_path, IMPORT_OPTIONS)
    opened.ui.importPathLineEdit.currentPath = str(tmp_path)
    harness.type_text(opened.ui.patientPrefixLineEdit, "site-")
    opened.ui.keyFilePathLineEdit.currentPath = str(tmp_path / "key.csv")
    opened.settle()
    opened.click("importButton")
    harness.wait_until(lambda: opened.ui.jobProgressBar.value == 50, PATIENCE_S)
    assert opened.ui.jobProgressBar.visible
    opened.click("importButton")
    harness.wait_until(lambda: not opened.panel.annotation._importing.isRunning, PATIENCE_S)
    opened.settle()
    root = str(opened.session.project.root)
    options = ["--annotator", "Ada", "--progress", "json", "--patient-prefix", "site-", "--key-file", str(tmp_path / "key.csv")]
    assert fake.calls == [["project", "import", root, str(tmp_path), *options]]
    assert opened.ui.jobLabel.text == "Import: The run was cancelled."


# Series


def test_the_table_tells_state_order_reason_levels_and_findings(opened):
    assert opened.cases(Column.SERIES) == ["p2_t2", "p1_t2", "p1_t1"]
    assert opened.cases(Column.PLACE) == ["1", "2", "3"]
    assert opened.cases(Column.STATE) == ["predicted"] * 3
    assert opened.cases(Column.WHY)[0] == "disc uncertain at L4/L5?, linter: disc 202 has a hole"
    assert opened.cases(Column.LEVELS) == ["L5? - L3?"] * 3
    assert opened.cases(Column.FINDINGS) == ["1 warning"] * 3
    assert opened.ui.caseTable.item(0, int(Column.FINDINGS)).toolTip() == "disc 202 has a hole"


def test_the_table_is_filtered_by_state_and_by_words(opened):
    saved_by(opened.session.project, "p1_t1", "Bob", columnLabels(), status=Status.FLAGGED, reason="metal in the way")
    opened.click("refreshCasesButton")
    harness.choose(opened.ui.caseStateComboBox, "flagged")
    assert opened.cases(Column.SERIES) == ["p1_t1"]
    assert opened.cases(Column.WHY) == ["metal in the way"]
    harness.choose(opened.ui.caseStateComboBox, "Open")
    assert opened.cases(Column.SERIES) == ["p2_t2", "p1_t2"]
    harness.choose(opened.ui.caseStateComboBox, "All")
    harness.type_text(opened.ui.caseFilterLineEdit, "metal BOB")
    assert opened.cases(Column.SERIES) == ["p1_t1"]
    harness.type_text(opened.ui.caseFilterLineEdit, "nothing like it")
    assert opened.cases(Column.SERIES) == []


def test_a_click_on_a_title_sorts_and_the_next_one_sorts_the_other_way(opened):
    opened.click_title("caseTable", int(Column.SERIES))
    assert opened.cases(Column.SERIES) == ["p1_t1", "p1_t2", "p2_t2"]
    opened.click_title("caseTable", int(Column.SERIES))
    assert opened.cases(Column.SERIES) == ["p2_t2", "p1_t2", "p1_t1"]


def test_the_order_of_the_work_list_is_chosen_and_remembered(opened):
    harness.choose(opened.ui.strategyComboBox, "Waiting longest first")
    opened.settle()
    assert opened.cases(Column.WHY)[0].startswith("waiting since ")
    assert remembered.strategy() == "oldest"


@clicks("refreshCasesButton")
def test_what_others_have_saved_is_seen_after_a_refresh(opened):
    saved_by(opened.session.project, "p1_t2", "Bob", columnLabels())
    opened.click("refreshCasesButton")
    row = opened.cases(Column.SERIES).index("p1_t2")
    assert opened.cases(Column.STATE)[row] == "done"
    assert opened.cases(Column.ANNOTATOR)[row] == "Bob"
    assert opened.ui.projectStatusLabel.text.startswith("loop: 1 done, 2 predicted; 3 series of 2 patients")


@clicks("previousPageButton", "nextPageButton")
def test_many_series_are_shown_page_by_page(case, tmp_path):
    names = [f"n{number}_t2" for number in range(PAGE_SIZE + 5)]
    case.open_project(column_project(tmp_path / "many", names, predicted=()))
    case.click_title("caseTable", int(Column.SERIES))
    assert case.cases(Column.SERIES) == names[:PAGE_SIZE]
    assert case.ui.pageLabel.text == "1 to 100 of 105"
    assert case.ui.previousPageButton.toolTip == "This is the first page."
    case.click("nextPageButton")
    assert case.cases(Column.SERIES) == names[PAGE_SIZE:]
    assert case.ui.nextPageButton.toolTip == "This is the last page."
    case.click("previousPageButton")
    assert case.ui.pageLabel.text == "1 to 100 of 105"


@clicks("openCaseButton")
def test_the_selected_series_is_opened_by_a_button_too(opened):
    assert opened.ui.openCaseButton.toolTip == "Select a series in the table first."
    opened.click_row("caseTable", 1)
    opened.click("openCaseButton")
    assert opened.series == "p1_t2"


# Case


def test_a_double_click_opens_the_series_of_the_patient_together(opened):
    harness.open_views("Yellow", "Red")
    opened.open_series("p1_t2")
    assert opened.series == "p1_t2"
    assert [node.GetName() for node in opened.panel.seriesNodes] == ["p1_t2", "p1_t1"]
    assert opened.parameters.segmentation is opened.workspace.current.segmentationNode
    np.testing.assert_array_equal(opened.labels(), columnLabels())
    assert opened.ui.caseLabel.text == "p1_t2 of patient p1: prediction of bundled-0"
    yellow = slicer.app.layoutManager().sliceWidget("Yellow").mrmlSliceCompositeNode()
    assert yellow.GetBackgroundVolumeID() == opened.panel.volumeNode.GetID()


@clicks("nextCaseButton", "previousCaseButton", "backCaseButton")
def test_next_previous_and_back_go_through_the_work_list(opened):
    assert opened.ui.previousCaseButton.toolTip == "No case was open before this one."
    visited = []
    for button in ("nextCaseButton", "nextCaseButton", "previousCaseButton", "backCaseButton"):
        opened.click(button)
        visited.append(opened.series)
    assert visited == ["p2_t2", "p1_t2", "p2_t2", "p1_t2"]
    assert opened.ui.backCaseButton.toolTip == "You did not go back from a later case."


def test_when_nothing_waits_next_says_so_and_the_case_stays(opened):
    for series in ("p1_t1", "p1_t2"):
        saved_by(opened.session.project, series, "Bob", columnLabels())
    opened.open_series("p2_t2")
    opened.click("nextCaseButton")
    assert opened.series == "p2_t2"
    assert opened.ui.caseMessageLabel.text.startswith("No other series waits for you")


@clicks("saveCaseButton")
def test_saving_adds_a_revision_and_the_work_goes_on(at_work):
    at_work.edit()
    harness.type_text(at_work.ui.commentLineEdit, "L4 was short")
    at_work.click("saveCaseButton")
    revision = read_history(at_work.session.project.folder, "p2_t2").newest
    assert (revision.status, revision.annotator, revision.comment) == (Status.IN_PROGRESS, "Ada", "L4 was short")
    assert revision.source_model == "bundled-0"
    assert (read_mask(at_work.session.project.folder, revision).array == 2).sum() > 36
    assert at_work.series == "p2_t2"
    assert at_work.ui.caseMessageLabel.text.startswith("Saved p2_t2 as in progress.")
    assert at_work.ui.commentLineEdit.text == ""
    assert "in progress, saved by Ada" in at_work.ui.caseLabel.text
    row = at_work.cases(Column.SERIES).index("p2_t2")
    assert at_work.cases(Column.STATE)[row] == "in progress"


@clicks("doneCaseButton")
def test_done_accepts_the_mask_and_gives_the_case_free(at_work):
    folder = at_work.session.project.folder
    assert leases(folder)["p2_t2"].annotator == "Ada"
    at_work.edit()
    at_work.click("doneCaseButton")
    assert at_work.status("p2_t2") == "done"
    assert folder.mask("p2_t2").is_file()
    assert "p2_t2" not in leases(folder)
    assert at_work.ui.projectStatusLabel.text.startswith("loop: 1 done")


@clicks("approveCaseButton")
def test_a_second_person_approves_and_nobody_their_own(opened):
    folder = opened.session.project.folder
    saved_by(opened.session.project, "p2_t2", "Bob", columnLabels())
    opened.open_series("p1_t2")
    assert opened.ui.approveCaseButton.toolTip == "Nobody has saved a mask of this series yet: there is nothing to approve."
    opened.click("doneCaseButton")
    assert opened.ui.approveCaseButton.toolTip == "You made this mask: another person has to approve it."
    opened.open_series("p2_t2")
    opened.click("approveCaseButton")
    newest = read_history(folder, "p2_t2").newest
    assert (newest.status, newest.annotator) == (Status.APPROVED, "Ada")


@clicks("flagCaseButton")
def test_a_case_is_flagged_with_a_reason_that_is_chosen_or_written(at_work):
    assert at_work.ui.flagCaseButton.toolTip == "Write or choose a reason first."
    harness.choose(at_work.ui.reasonComboBox, "Levels can't be told")
    at_work.settle()
    at_work.click("flagCaseButton")
    assert at_work.workspace.summaries["p2_t2"].reason == "Levels can't be told"
    at_work.open_series("p1_t2")
    assert at_work.ui.reasonComboBox.currentText == ""
    harness.type_text(at_work.ui.reasonComboBox.lineEdit(), "cut off above L2")
    at_work.settle()
    at_work.click("flagCaseButton")
    assert at_work.workspace.summaries["p1_t2"].state is SeriesState.FLAGGED
    assert at_work.workspace.summaries["p1_t2"].reason == "cut off above L2"


@clicks("partnersCheckBox")
def test_the_mask_is_saved_for_the_other_series_only_where_both_lie_on_each_other(opened, monkeypatch, tmp_path):
    fake = fake_on_path(monkeypatch, tmp_path, "answer('joint')")
    fake.has("joint", columnLabels(), {"is_allowed": True, "reasons": []})
    opened.open_series("p1_t2")
    harness.wait_until(lambda: not opened.panel.input.jointProblem, PATIENCE_S)
    opened.settle()
    opened.click("doneCaseButton")
    assert (opened.status("p1_t2"), opened.status("p1_t1")) == ("done", "done")
    opened.click("partnersCheckBox")
    opened.edit()
    opened.click("saveCaseButton")
    assert (opened.status("p1_t2"), opened.status("p1_t1")) == ("in progress", "done")


def test_a_case_that_somebody_else_holds_is_opened_with_a_warning(opened, load_module):
    from SpiderSegLib.corrections import hold

    hold(opened.session.project.folder, "p2_t2", "Bob")
    opened.click("refreshCasesButton")
    row = opened.cases(Column.SERIES).index("p2_t2")
    assert opened.cases(Column.ANNOTATOR)[row] == "Bob"
    opened.open_series("p2_t2")
    assert opened.ui.holderLabel.text == "Bob works on this series now: talk to each other."


def test_the_segmentation_a_run_made_anew_is_what_is_saved(at_work):
    from SpiderSegLib.mrml.segmentations import newSegmentationNode

    labels = np.where(columnLabels() == 3, 0, columnLabels()).astype(np.uint8)
    node = newSegmentationNode(slicer.mrmlScene, Volume(labels, COLUMN), at_work.panel.volumeNode)
    at_work.parameters.segmentation = node
    at_work.settle()
    assert at_work.ui.caseMessageLabel.text == f"{node.GetName()} is what is saved from now on."
    at_work.click("saveCaseButton")
    revision = read_history(at_work.session.project.folder, "p2_t2").newest
    assert 3 not in revision.values


# The clock


def test_the_clock_pauses_while_nobody_touches_anything(at_work, monkeypatch):
    seconds = [0.0]
    timer = at_work.session.timer
    monkeypatch.setattr(timer, "_monotonic", lambda: seconds[0])
    timer.restart()
    at_work.workspace.onTick()
    seconds[0] = 30.0
    at_work.workspace.onTick()
    assert at_work.ui.timerLabel.text == "Time since the last save: 0:30"
    seconds[0] = 400.0
    at_work.workspace.onTick()
    assert at_work.ui.timerLabel.text.startswith("Time since the last save: 1:00 (paused")
    qt.QCursor.setPos(7, 9)
    at_work.workspace.onTick()
    seconds[0] = 410.0
    at_work.workspace.onTick()
    assert at_work.ui.timerLabel.text == "Time since the last save: 1:10"


@pytest.mark.parametrize("act", ["paint", "scroll", "write"])
def test_painting_scrolling_and_writing_are_work(at_work, act):
    views = harness.open_views("Yellow")
    # The workspace looks once a second itself, and would see on a slow machine what is to be seen here.
    at_work.workspace._tickTimer.stop()
    watch = at_work.workspace._activity
    watch.look()
    assert not watch.look()
    if act == "paint":
        at_work.edit()
    elif act == "scroll":
        views.sliceWidget("Yellow").mrmlSliceNode().JumpSliceByOffsetting(1.0, 0.0, 0.0)
    else:
        harness.type_text(at_work.ui.commentLineEdit, "a")
    assert watch.look()


# Leaving unsaved work


@pytest.mark.parametrize("leave", ["nextCaseButton", "closeCaseButton", "closeProjectButton"])
@pytest.mark.parametrize("answer", [qt.QMessageBox.Save, qt.QMessageBox.Discard, qt.QMessageBox.Cancel], ids=["save", "discard", "stay"])
def test_one_question_before_unsaved_work_is_left(at_work, leave, answer):
    project = at_work.session.project
    at_work.edit()
    (question,) = at_work.answering(answer, lambda: at_work.click(leave))
    assert question.text == "p2_t2 has unsaved work."
    newest = read_history(project.folder, "p2_t2").newest
    if answer == qt.QMessageBox.Cancel:
        assert at_work.series == "p2_t2"
        assert at_work.session.isModified()
    else:
        assert at_work.workspace.current is None or at_work.series == "p1_t2"
    assert (newest is not None) == (answer == qt.QMessageBox.Save)
    assert kept_edit(project.folder, "p2_t2", "Ada") is None


@clicks("closeCaseButton")
def test_what_is_saved_is_left_without_a_question(at_work):
    at_work.edit()
    at_work.click("saveCaseButton")
    at_work.click("closeCaseButton")
    assert at_work.workspace.current is None
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    assert at_work.ui.caseLabel.text == "No case is open. Next opens the first one of the work list."


def test_a_save_that_fails_keeps_case_and_work(at_work, monkeypatch):
    at_work.edit()

    def fail(*arguments, **more):
        raise ProjectError("the disk is full")

    monkeypatch.setattr(at_work.session, "save", fail)
    with harness.answering(qt.QMessageBox.Save):
        said = at_work.refused(lambda: at_work.click("closeCaseButton"))
    assert "the disk is full" in said
    assert at_work.series == "p2_t2"
    assert at_work.session.isModified()


@pytest.mark.parametrize("answer", [qt.QMessageBox.Save, qt.QMessageBox.Discard, qt.QMessageBox.Cancel], ids=["save", "discard", "stay"])
def test_the_application_asks_before_it_closes_over_unsaved_work(case, project, answer):
    with main_window(case.loaded.panel) as window:
        case.open_project(project)
        case.open_series("p2_t2")
        case.edit()
        with harness.answering(answer):
            isClosed = window.close()
        case.settle()
        assert isClosed == (answer != qt.QMessageBox.Cancel)
        assert (case.status("p2_t2") == "in progress") == (answer == qt.QMessageBox.Save)
        assert (case.series == "p2_t2") == (answer == qt.QMessageBox.Cancel)


def test_without_unsaved_work_the_application_closes_without_a_question(case, project):
    with main_window(case.loaded.panel) as window:
        case.open_project(project)
        case.open_series("p2_t2")
        assert window.close()


def test_leaving_the_module_keeps_the_edit_and_the_case_stays_open(at_work):
    at_work.edit()
    at_work.loaded.exit()
    assert kept_edit(at_work.session.project.folder, "p2_t2", "Ada") is not None
    at_work.loaded.enter()
    at_work.settle()
    assert at_work.series == "p2_t2"
    assert at_work.session.isModified()


def test_a_scene_that_is_closed_costs_nothing(at_work):
    at_work.edit()
    expected = at_work.labels()
    slicer.mrmlScene.Clear(0)
    at_work.settle()
    assert at_work.workspace.current is None
    assert at_work.ui.caseLabel.text == "No case is open. Next opens the first one of the work list."
    at_work.open_series("p2_t2")
    at_work.click("restoreEditButton")
    np.testing.assert_array_equal(at_work.labels(), expected)


def test_an_application_that_is_ended_keeps_the_edit(project):
    case = AnnotationPanel(harness.load_module(MODULE))
    case.open_project(project)
    case.open_series("p2_t2")
    case.edit()
    case.loaded.unload()
    assert kept_edit(project.folder, "p2_t2", "Ada") is not None


# The offered edit


def offered(project, labels):
    """What a killed Slicer left behind."""
    keep_edit(project.folder, UnsavedEdit("p2_t2", "Ada", Volume(labels, COLUMN, "p2_t2"), shown_model="bundled-0", minutes=12.0))


KILLED = """\
import os, sys
sys.path[:0] = {paths!r}
from pathlib import Path
import numpy as np
import harness
harness.start()
from harness.annotation_panel import AnnotationPanel
from harness.spine_panel import MODULE
from SpiderSegLib.annotation_project.project import open_project
case = AnnotationPanel(harness.load_module(MODULE))
case.open_project(open_project(Path({root!r})))
case.open_series("p2_t2")
case.edit()
case.workspace.onAutosave()
os.kill(os.getpid(), 9)
"""


@clicks("restoreEditButton")
@pytest.mark.slow
def test_after_a_kill_the_edit_is_offered_and_restored(opened, project):
    here = Path(__file__).resolve()
    paths = [str(here.parents[1]), str(here.parents[1] / "Python")]
    program = KILLED.format(paths=paths, root=str(project.root))
    environment = {name: value for name, value in os.environ.items() if name != "VTK_DEFAULT_OPENGL_WINDOW"}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == -9
    opened.open_series("p2_t2")
    assert opened.ui.offeredFrame.visible
    np.testing.assert_array_equal(opened.labels(), columnLabels())
    opened.click("restoreEditButton")
    assert not opened.ui.offeredFrame.visible
    assert (opened.mask("L4?") & BRUSH).sum() > 0
    opened.click("doneCaseButton")
    assert opened.status("p2_t2") == "done"


@clicks("discardEditButton")
def test_an_offered_edit_can_be_dropped(opened, project):
    offered(project, np.where(BRUSH, 2, columnLabels()).astype(np.uint8))
    opened.open_series("p2_t2")
    assert "was not saved (12 min)" in opened.ui.offeredLabel.text
    opened.click("discardEditButton")
    assert not opened.ui.offeredFrame.visible
    assert kept_edit(project.folder, "p2_t2", "Ada") is None
    np.testing.assert_array_equal(opened.labels(), columnLabels())


def test_the_edit_is_kept_by_a_timer(at_work, monkeypatch):
    at_work.edit()
    at_work.workspace._autosaveTimer.setInterval(20)
    harness.wait_until(lambda: kept_edit(at_work.session.project.folder, "p2_t2", "Ada") is not None, PATIENCE_S)
    at_work.click("saveCaseButton")
    assert kept_edit(at_work.session.project.folder, "p2_t2", "Ada") is None


def test_an_edit_that_cant_be_kept_is_said_without_a_dialog(at_work, monkeypatch):
    def fail():
        raise ProjectError("no space left")

    monkeypatch.setattr(at_work.session, "autosave", fail)
    at_work.workspace.onAutosave()
    assert at_work.ui.caseMessageLabel.text == "The unsaved edit could not be kept: no space left"


# Why a button can't be pressed


def a_project_alone(case):
    case.click("closeCaseButton")


def a_case(case):
    case.ui.importPathLineEdit.currentPath = str(case.session.project.root)


def a_saved_case(case):
    case.click("doneCaseButton")
    case.click_row("caseTable", 0)


def a_flag_in_writing(case):
    harness.type_text(case.ui.reasonComboBox.lineEdit(), "dark")


@pytest.mark.parametrize("state", [a_project_alone, a_case, a_saved_case, a_flag_in_writing], ids=lambda state: state.__name__)
def test_a_disabled_button_of_a_project_says_why_and_an_enabled_one_what_it_does(at_work, state):
    state(at_work)
    at_work.settle()
    usual = usual_tool_tips(PANEL_UI_FILES)
    widgets = {name: button for name, button in harness.buttons(at_work.loaded.panel).items() if not name.endswith("CollapsibleButton")}
    widgets |= {name: getattr(at_work.ui, name) for name in ("annotatorLineEdit", "revisionAComboBox", "revisionBComboBox")}
    wrong = [
        f"{name}: enabled {widget.enabled}, '{widget.toolTip}'"
        for name, widget in widgets.items()
        if not widget.toolTip or widget.enabled != (widget.toolTip == usual.get(name))
    ]
    assert wrong == []


# Keys


def test_keys_move_and_save_while_a_project_is_open_and_are_slicers_otherwise(case, project):
    saved = []
    with watched_by_a_person(case.loaded.panel) as window:
        save_scene = qt.QAction(window)
        save_scene.shortcut = qt.QKeySequence("Ctrl+S")
        save_scene.connect("triggered(bool)", lambda *arguments: saved.append("scene"))
        window.addAction(save_scene)
        case.loaded.enter()
        harness.press_key(window, qt.Qt.Key_S, qt.Qt.ControlModifier)
        assert saved == ["scene"]
        case.open_project(project)
        harness.press_key(window, qt.Qt.Key_N, qt.Qt.ControlModifier)
        case.settle()
        assert case.series == "p2_t2"
        harness.press_key(window, qt.Qt.Key_S, qt.Qt.ControlModifier)
        case.settle()
        assert case.status("p2_t2") == "in progress"
        assert saved == ["scene"]
        harness.press_key(window, qt.Qt.Key_D, qt.Qt.ControlModifier)
        case.settle()
        assert case.status("p2_t2") == "done"
        harness.press_key(window, qt.Qt.Key_N, qt.Qt.ControlModifier)
        case.settle()
        harness.press_key(window, qt.Qt.Key_P, qt.Qt.ControlModifier)
        case.settle()
        assert case.series == "p2_t2"
        case.loaded.exit()
        assert save_scene.shortcut.toString() == "Ctrl+S"
        case.loaded.enter()
        case.click("closeProjectButton")
        assert save_scene.shortcut.toString() == "Ctrl+S"
        case.loaded.exit()
