"""Findings, gradings, conflicts and agreement in the panel."""

from __future__ import annotations

import numpy as np
import pytest
import qt
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication

import harness
from harness.annotation_panel import AnnotationPanel, column_project, saved_by
from harness.click_tests import clicks
from harness.spine_panel import MODULE
from mrml_scene import COLUMN, columnLabels
from SpiderSegLib.annotation_project.grading_records import read_gradings_history
from SpiderSegLib.corrections import Status, read_history, read_mask
from SpiderSegLib.gradings import GRADED_ITEMS, DiscGrading, PatientGradings
from SpiderSegLib.linter import Severity, lint
from SpiderSegLib.mrml.segments import setMask
from SpiderSegLib.volume import Volume


@pytest.fixture
def case(load_module):
    return AnnotationPanel(load_module(MODULE))


@pytest.fixture
def project(tmp_path):
    return column_project(tmp_path / "loop")


@pytest.fixture
def at_work(case, project):
    """The panel with p2_t2 open, of which the model has drawn the column."""
    case.open_project(project)
    case.open_series("p2_t2")
    return case


def without_level(value):
    """The column with one value erased."""
    return np.where(columnLabels() == value, 0, columnLabels()).astype(np.uint8)


# Findings


def test_the_findings_of_a_case_are_there_when_it_is_opened(at_work):
    expected = [finding.message for finding in lint(Volume(columnLabels(), COLUMN), COLUMN)]
    assert at_work.texts("findingsTable", 1) == expected
    assert at_work.ui.findingsLabel.text.split(", ")[0].split()[1].rstrip("s") in {severity.value for severity in Severity}


@clicks("checkFindingsButton")
def test_findings_follow_the_screen_when_asked_for(at_work):
    before = erase(at_work, "L4/L5?")
    assert at_work.texts("findingsTable", 1) == before
    at_work.click("checkFindingsButton")
    assert at_work.texts("findingsTable", 1) != before


def test_findings_follow_the_screen_on_save(at_work):
    before = erase(at_work, "L4/L5?")
    at_work.click("saveCaseButton")
    assert at_work.texts("findingsTable", 1) != before


def erase(case, name):
    """Erases a level; gives the findings that were shown before."""
    setMask(case.node, case.id(name), np.zeros(COLUMN.shape_kji, bool))
    case.settle()
    return case.texts("findingsTable", 1)


def test_a_click_on_a_finding_moves_the_views_there_and_its_advice_is_the_tooltip(at_work):
    views = harness.open_views("Yellow")
    findings = at_work.workspace.findings.findings
    row = next(row for row, finding in enumerate(findings) if finding.location_lps_mm is not None)
    at_work.click_row("findingsTable", row)
    to_ras = views.sliceWidget("Yellow").mrmlSliceNode().GetSliceToRAS()
    x, y, z = findings[row].location_lps_mm
    assert [to_ras.GetElement(axis, 3) for axis in range(3)] == pytest.approx([-x, -y, z], abs=0.01)
    item = at_work.ui.findingsTable.item(row, 1)
    assert item.toolTip() == f"{findings[row].severity.value}: {findings[row].advice}"
    assert not at_work.ui.findingsTable.item(row, 0).icon().isNull()


@clicks("nextFindingButton")
def test_the_next_finding_is_gone_to_one_after_another_and_round(at_work):
    placed = [row for row, finding in enumerate(at_work.workspace.findings.findings) if finding.location_lps_mm is not None]
    assert len(placed) > 1
    visited = []
    for _turn in range(len(placed) + 1):
        at_work.click("nextFindingButton")
        visited.append(at_work.workspace.findings._selectedRow())
    assert visited == [*placed, placed[0]]


def test_findings_never_block_a_save(at_work):
    assert at_work.workspace.findings.findings
    at_work.click("doneCaseButton")
    assert at_work.status("p2_t2") == "done"


def test_without_a_case_there_is_nothing_to_check(case, project):
    case.open_project(project)
    assert case.ui.checkFindingsButton.toolTip == "Open a case first."
    assert case.ui.nextFindingButton.toolTip == "Open a case first."


# Gradings


def box(case, level, key):
    """The box of a disc and an item."""
    row = case.workspace.gradings._levels.index(level)
    return case.ui.gradingsTable.cellWidget(row, [item.key for item in GRADED_ITEMS].index(key))


@clicks("saveGradingsButton")
def test_gradings_are_chosen_in_boxes_and_saved(at_work):
    harness.click(at_work.ui.gradingsCollapsibleButton)
    folder = at_work.session.project.folder
    assert at_work.ui.saveGradingsButton.toolTip == "Nothing was changed since the gradings were saved."
    harness.choose(box(at_work, 2, "pfirrmann"), "IV")
    harness.choose(box(at_work, 2, "bulging"), "present")
    harness.choose(box(at_work, 1, "modic"), "type II")
    harness.choose(box(at_work, 1, "modic"), "")
    at_work.settle()
    assert at_work.ui.gradingsLabel.text == "Patient p2, not saved yet"
    at_work.click("saveGradingsButton")
    current = read_gradings_history(folder, "p2").current
    assert current.disc(2) == DiscGrading("p2", 2, bulging=1, pfirrmann=4)
    assert not current.disc(1).is_graded
    assert not at_work.ui.saveGradingsButton.enabled


def test_every_graded_item_has_a_box_with_its_grades_and_their_meaning(at_work):
    for item in GRADED_ITEMS:
        found = box(at_work, 1, item.key)
        assert [found.itemText(index) for index in range(found.count)] == ["", *(grade.name for grade in item.grades)]
        assert all(grade.meaning in found.toolTip for grade in item.grades)
        assert found.accessibleName.startswith(item.title)


def test_discs_are_called_as_the_levels_are(at_work):
    rows = [at_work.ui.gradingsTable.verticalHeaderItem(row).text() for row in range(at_work.ui.gradingsTable.rowCount)]
    assert rows == ["L5/S1?", "L4/L5?", "L3/L4?", "L2/L3?", "L1/L2?"]
    harness.click(at_work.ui.confirmButton)
    at_work.settle()
    assert at_work.ui.gradingsTable.verticalHeaderItem(0).text() == "L5/S1"


def test_gradings_are_shown_again_when_a_case_of_the_patient_is_opened(case, project):
    from SpiderSegLib.annotation_project.grading_records import save_gradings

    save_gradings(project.folder, PatientGradings("p1", (DiscGrading("p1", 7, narrowing=1),)), "Bob")
    case.open_project(project)
    case.open_series("p1_t1")
    assert box(case, 7, "narrowing").currentText == "present"
    case.open_series("p2_t2")
    assert 7 not in case.workspace.gradings._levels


def test_saving_the_case_saves_gradings_too_and_leaving_asks_about_them(at_work):
    folder = at_work.session.project.folder
    harness.choose(box(at_work, 3, "herniation"), "present")
    (question,) = at_work.answering(qt.QMessageBox.Cancel, lambda: at_work.click("nextCaseButton"))
    assert question.text == "p2_t2 has unsaved work, gradings among it."
    at_work.click("doneCaseButton")
    assert read_gradings_history(folder, "p2").current.disc(3).herniation == 1
    harness.choose(box(at_work, 3, "herniation"), "absent")
    at_work.answering(qt.QMessageBox.Discard, lambda: at_work.click("closeCaseButton"))
    assert read_gradings_history(folder, "p2").current.disc(3).herniation == 1


def test_turning_the_wheel_over_a_box_changes_no_grade(at_work):
    harness.click(at_work.ui.gradingsCollapsibleButton)
    harness.spin(0.05)
    found = box(at_work, 2, "pfirrmann")
    harness.choose(found, "II")
    center = QPointF(found.rect.center())
    no_button, no_key, no_phase = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
    event = QWheelEvent(center, QPointF(found.mapToGlobal(found.rect.center())), QPoint(), QPoint(0, -120), no_button, no_key, no_phase, False)
    QApplication.sendEvent(found, event)
    assert found.currentText == "II"


# Conflicts and agreement


@pytest.fixture
def in_conflict(case, project):
    """p2_t2 open: Bob erased L3, Ada erased the disc above L4; both from Ada's first mask."""
    first = saved_by(project, "p2_t2", "Ada", columnLabels())
    saved_by(project, "p2_t2", "Bob", without_level(3), first.id, minutes=7.0, comment="L3 is not in view")
    saved_by(project, "p2_t2", "Ada", without_level(203), first.id, minutes=2.0)
    case.open_project(project)
    case.open_series("p2_t2")
    return case


def test_a_save_meanwhile_is_seen_as_a_conflict_and_nothing_is_replaced(at_work):
    project = at_work.session.project
    at_work.click("saveCaseButton")
    first = read_history(project.folder, "p2_t2").newest
    bobs = saved_by(project, "p2_t2", "Bob", without_level(3), first.id)
    at_work.edit()
    at_work.click("doneCaseButton")
    assert len(read_history(project.folder, "p2_t2").heads) == 2
    np.testing.assert_array_equal(read_mask(project.folder, bobs).array, without_level(3))
    assert "Bob" in at_work.ui.caseMessageLabel.text
    assert at_work.ui.conflictLabel.text == "Conflict: Bob, Ada went on from the same mask. Compare both, and keep one."
    assert not at_work.ui.revisionsCollapsibleButton.collapsed
    assert at_work.ui.projectStatusLabel.text.startswith("loop: 1 conflict")


@clicks("compareButton")
def test_the_sides_of_a_conflict_stand_side_by_side_with_their_agreement(in_conflict):
    ui = in_conflict.ui
    titles = [ui.revisionTable.verticalHeaderItem(row).text() for row in range(ui.revisionTable.rowCount)]
    sides = [in_conflict.texts("revisionTable", column) for column in (0, 1)]
    assert {side[titles.index("Annotator")] for side in sides} == {"Ada", "Bob"}
    bob = next(side for side in sides if side[titles.index("Annotator")] == "Bob")
    assert bob[titles.index("Minutes")] == "7.0"
    assert bob[titles.index("Voxels changed")] == "24"
    assert bob[titles.index("Comment")] == "L3 is not in view"
    assert ui.agreementTable.rowCount == 0
    in_conflict.click("compareButton")
    assert in_conflict.texts("agreementTable", 0) == ["vertebra", "disc", "canal"]
    assert in_conflict.texts("agreementTable", 1)[2] == "1.000"
    assert "4 of 6 vertebrae and discs" in ui.agreementLabel.text
    assert "36 of" in ui.agreementLabel.text
    assert ui.agreementPictureLabel.visible
    assert ui.agreementPictureLabel.pixmap.width() > 200


@clicks("showBothButton")
def test_both_masks_are_drawn_over_the_image_and_taken_away_again(in_conflict):
    import slicer

    before = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
    in_conflict.click("showBothButton")
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == before + 2
    assert not in_conflict.node.GetDisplayNode().GetVisibility()
    in_conflict.click("showBothButton")
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == before
    assert in_conflict.node.GetDisplayNode().GetVisibility()


@clicks("keepAButton", "keepBButton")
@pytest.mark.parametrize("side", [0, 1])
def test_a_side_of_a_conflict_is_kept(in_conflict, side):
    folder = in_conflict.session.project.folder
    kept = (in_conflict.workspace.revisions.a, in_conflict.workspace.revisions.b)[side]
    harness.clicked.update(("keepAButton", "keepBButton"))
    in_conflict.click(("keepAButton", "keepBButton")[side])
    history = read_history(folder, "p2_t2")
    assert not history.is_conflict
    assert history.newest.content_sha256 == kept.content_sha256
    assert in_conflict.ui.conflictLabel.text == ""
    np.testing.assert_array_equal(in_conflict.labels(), read_mask(folder, kept).array)
    assert in_conflict.parameters.segmentation is in_conflict.workspace.current.segmentationNode
    assert in_conflict.ui.keepAButton.toolTip == "There is no conflict."


@clicks("keepScreenButton")
def test_what_is_on_screen_can_settle_a_conflict(in_conflict):
    folder = in_conflict.session.project.folder
    in_conflict.edit()
    in_conflict.click("keepScreenButton")
    history = read_history(folder, "p2_t2")
    assert not history.is_conflict
    assert (history.newest.annotator, history.newest.status) == ("Ada", Status.DONE)
    np.testing.assert_array_equal(read_mask(folder, history.newest).array, in_conflict.labels())


def test_any_two_revisions_can_be_compared(in_conflict):
    ui = in_conflict.ui
    titles = [ui.revisionAComboBox.itemText(index) for index in range(ui.revisionAComboBox.count)]
    assert len(titles) == 3
    harness.choose(ui.revisionAComboBox, titles[2])
    harness.choose(ui.revisionBComboBox, titles[2])
    in_conflict.settle()
    assert ui.compareButton.toolTip == "Choose two different revisions."
    assert ui.keepAButton.toolTip == "This revision is no side of the conflict: others went on from it."
    harness.choose(ui.revisionBComboBox, titles[0])
    in_conflict.settle()
    in_conflict.click("compareButton")
    assert in_conflict.texts("agreementTable", 0) == ["vertebra", "disc", "canal"]


def test_a_case_nobody_has_saved_has_nothing_to_compare(at_work):
    assert at_work.ui.compareButton.toolTip == "Nobody has saved this case yet."
    assert not at_work.ui.revisionTable.visible
