"""Pre-segmenting, retraining and deciding about models in the panel; rounds are real ones of a tiny network."""

from __future__ import annotations

import shutil

import pytest
import qt

import harness
from harness.annotation_panel import AnnotationPanel, column_project
from harness.click_tests import clicks
from harness.phantom_project import GRID
from harness.retrained_project import JUDGES, STEPS, retrained_project, trainable_project
from harness.spine_panel import MODULE, PATIENCE_S, fake_on_path
from SpiderSegLib.annotation_project.decisions import Choice, frozen_patients, read_decisions
from SpiderSegLib.annotation_project.models import champion, read_models
from SpiderSegLib.annotation_project.project import open_project
from SpiderSegLib.gui.annotation.pictures import TEXT_LEFT, TEXT_TOP, curvePoints, showCurve
from SpiderSegLib.gui.annotation.rounds import readRound, worstCases
from SpiderSegLib.mrml.annotation_session.case_rows import Column
from SpiderSegLib.retraining import RoundFiles
from SpiderSegLib.retraining.criteria import MEAN_DICE
from SpiderSegLib.retraining.wording import SHOWN_SCORES

pytestmark = pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad:UserWarning")


@pytest.fixture
def case(load_module):
    return AnnotationPanel(load_module(MODULE))


@pytest.fixture(scope="module")
def round_made(tmp_path_factory):
    """Made once; tests work on copies."""
    folder = tmp_path_factory.mktemp("round")
    retrained_project(folder)
    return folder / "loop"


@pytest.fixture
def retrained(case, round_made, tmp_path):
    """The panel with a project after one round that a person has to decide, its section unfolded."""
    shutil.copytree(round_made, tmp_path / "loop")
    case.open_project(open_project(tmp_path / "loop"))
    harness.click(case.ui.modelsCollapsibleButton)
    return case


def select_model(case, name):
    case.click_row("modelTable", case.texts("modelTable", 1).index(name))


# Pre-segmenting


GATED = "report('network', 0.25)\nwait_for('gate')\n"


@clicks("predictRemainingButton")
def test_pre_segmenting_goes_on_in_the_background_and_can_be_cancelled(case, tmp_path, monkeypatch):
    fake = fake_on_path(monkeypatch, tmp_path, GATED)
    case.open_project(column_project(tmp_path / "loop"))
    case.click("predictRemainingButton")
    harness.wait_until(lambda: case.ui.jobProgressBar.value == 25, PATIENCE_S)
    assert case.ui.jobLabel.text == "Pre-segmenting: Finding vertebrae, discs and canal"
    case.click("nextCaseButton")
    assert case.series == "p2_t2"
    assert case.ui.predictRemainingButton.text == "Cancel pre-segmenting"
    case.click("predictRemainingButton")
    harness.wait_until(lambda: case.ui.predictRemainingButton.text == "Pre-segment remaining", PATIENCE_S)
    assert fake.calls == [["project", "predict", str(case.session.project.root), "--device", "auto", "--progress", "json"]]
    assert case.ui.jobLabel.text == "Pre-segmenting: The run was cancelled."


@pytest.mark.slow
def test_a_series_is_pre_segmented_by_the_bundled_weights(case, tmp_path):
    """The real program from init to prediction, one small series."""
    from SpiderSegLib.annotation_project.importing import ImportOptions, import_series
    from SpiderSegLib.io import write_volume
    from SpiderSegLib.phantom import make_phantom

    case.ui.projectPathLineEdit.currentPath = str(tmp_path / "loop")
    case.settle()
    case.click("newProjectButton")
    harness.wait_until(lambda: case.workspace is not None and case.workspace.isOpen, PATIENCE_S)
    (tmp_path / "scans").mkdir()
    write_volume(tmp_path / "scans" / "q_t2.mha", make_phantom(geometry=GRID).volume)
    import_series(case.session.project, tmp_path / "scans", ImportOptions(annotator="Ada"))
    case.click("refreshCasesButton")
    assert case.cases(Column.STATE) == ["new"]
    case.click("predictRemainingButton")
    harness.wait_until(lambda: case.cases(Column.STATE) == ["predicted"], 2 * PATIENCE_S, case.ui.jobLabel.text)
    case.settle()
    assert "1 series segmented" in case.ui.jobLabel.text
    case.click("nextCaseButton")
    assert {"L5?", "L4?", "L3?", "L2?", "L1?", "Spinal canal"} <= set(case.names())
    assert case.ui.predictRemainingButton.text == "Pre-segment remaining"


# Retraining


def test_without_accepted_masks_there_is_nothing_to_retrain_on(case, tmp_path):
    case.open_project(column_project(tmp_path / "loop"))
    assert case.ui.retrainButton.toolTip == "No series is done yet: there is nothing to learn from."


def test_a_project_without_a_model_says_so(case, tmp_path):
    project = column_project(tmp_path / "loop", predicted=())
    shutil.rmtree(project.folder.models)
    case.open_project(project)
    assert case.ui.retrainButton.toolTip == "The project has no model to begin from."
    assert case.texts("modelTable", 1) == []


TRAINING = """\
root = Path(arguments[2])
metrics = root / "models" / "gen-001" / "training" / "metrics.jsonl"
metrics.parent.mkdir(parents=True)
metrics.write_text("".join(json.dumps(dict(step=step, loss=1 / step, lr=1e-4)) + "\\n" for step in range(1, 6)))
print(json.dumps(dict(stage="train", fraction=0.5, message="step 5 of 10, loss 0.200, 40 s left")), flush=True)
wait_for("gate")
"""


@clicks("retrainButton")
def test_a_training_shows_its_curve_while_it_goes_and_is_cancelled(case, tmp_path, monkeypatch):
    fake = fake_on_path(monkeypatch, tmp_path, TRAINING)
    project = trainable_project(tmp_path)
    case.open_project(project)
    harness.click(case.ui.modelsCollapsibleButton)
    harness.type_text(case.ui.stepsSpinBox, "10")
    case.settle()
    assert not case.ui.curveLabel.visible
    case.click("retrainButton")
    harness.wait_until(lambda: case.ui.retrainProgressBar.value == 50, PATIENCE_S)
    assert case.ui.retrainLabel.text == "Retraining: step 5 of 10, loss 0.200, 40 s left"
    case.workspace.onTick()
    assert case.ui.curveLabel.visible
    assert case.ui.curveLabel.pixmap.height() > 0
    case.click("retrainButton")
    harness.wait_until(lambda: case.ui.retrainButton.text == "Retrain", PATIENCE_S)
    options = ["--steps", "10", "--device", "auto", "--person", "Ada", "--progress", "json"]
    assert fake.calls == [["project", "retrain", str(project.root), *options]]
    assert champion(project).generation == 0


def test_the_curve_runs_from_the_first_loss_at_the_top_to_the_last():
    assert curvePoints([2.0, 1.0, 0.0], 100, 50) == [(0, 0), (50, 25), (100, 50)]
    assert len(curvePoints([1.0] * 10_000, 100, 50)) == 100


def test_the_curve_tells_its_newest_loss_and_how_many_steps_were_made(case, tmp_path):
    label = case.ui.curveLabel
    losses = [1 / (1 + step / 20) for step in range(200)]
    showCurve(label, losses, 0.5)
    image = label.pixmap.toImage()
    written = {image.pixel(x, y) for x in range(TEXT_LEFT, TEXT_LEFT + 80) for y in range(TEXT_TOP - 9, TEXT_TOP)}
    assert len(written) > 1
    image.save(str(tmp_path / "curve.png"))
    assert (tmp_path / "curve.png").stat().st_size > 500


@pytest.mark.slow
def test_a_round_is_run_by_the_real_program_and_shown(case, tmp_path):
    project = trainable_project(tmp_path)
    case.open_project(project)
    harness.click(case.ui.modelsCollapsibleButton)
    harness.type_text(case.ui.stepsSpinBox, str(STEPS))
    harness.choose(case.ui.deviceComboBox, "CPU")
    case.settle()
    case.click("retrainButton")
    harness.wait_until(lambda: not case.workspace.models._retraining.isRunning, 3 * PATIENCE_S)
    case.settle()
    assert case.texts("modelTable", 1) == ["gen-001", "first"], case.ui.retrainLabel.text
    assert case.ui.roundLabel.text.startswith("gen-001 against first: Recommendation")
    assert case.ui.curveLabel.visible


@pytest.mark.slow
def test_a_round_that_is_cancelled_leaves_the_champion_and_goes_on_later(case, tmp_path):
    project = trainable_project(tmp_path)
    case.open_project(project)
    harness.type_text(case.ui.stepsSpinBox, "5000")
    harness.choose(case.ui.deviceComboBox, "CPU")
    harness.click(case.ui.modelsCollapsibleButton)
    case.settle()
    case.click("retrainButton")
    metrics = RoundFiles(project.folder.model("gen-001")).metrics
    harness.wait_until(metrics.is_file, 2 * PATIENCE_S)
    case.click("retrainButton")
    harness.wait_until(lambda: not case.workspace.models._retraining.isRunning, PATIENCE_S)
    assert list(read_models(project)) == ["first"]
    assert champion(project).model_id == "first"
    assert case.ui.retrainLabel.text == "Retraining: The run was cancelled."


# Comparing


def test_models_are_listed_with_generation_and_what_was_decided(retrained):
    assert retrained.texts("modelTable", 0) == ["1", "0"]
    assert retrained.texts("modelTable", 1) == ["gen-001", "first"]
    assert retrained.texts("modelTable", 3) == ["first", ""]
    assert retrained.texts("modelTable", 2) == ["", "champion"]
    assert retrained.ui.validationLabel.text == "3 patients (3 series) are frozen for validation; rounds decided on them: 1."


def test_a_round_shows_comparison_criteria_and_worst_cases(retrained):
    assert retrained.ui.openReportButton.toolTip == "Select a model in the table first."
    select_model(retrained, "gen-001")
    assert "fewer than 10" in retrained.ui.roundLabel.text
    scores = retrained.texts("compareTable", 1)
    assert set(SHOWN_SCORES.values()) == set(scores)
    row = scores.index(SHOWN_SCORES[MEAN_DICE])
    before, after, change = (float(retrained.ui.compareTable.item(row, column).text()) for column in (2, 3, 4))
    assert change == pytest.approx(after - before, abs=0.0011)
    assert set(retrained.texts("criteriaTable", 0)) <= {"yes", "NO"}
    cases = [retrained.ui.worstCaseComboBox.itemText(index) for index in range(retrained.ui.worstCaseComboBox.count)]
    assert sorted(cases) == ["7_t2", "8_t2", "9_t2"]
    assert retrained.ui.worstCasePictureLabel.visible
    assert retrained.ui.curveLabel.visible
    assert retrained.ui.worstCaseLabel.text.startswith(cases[0])
    harness.choose(retrained.ui.worstCaseComboBox, cases[1])
    assert retrained.ui.worstCaseLabel.text.startswith(cases[1])


def test_the_first_model_has_no_round_to_show(retrained):
    select_model(retrained, "first")
    assert retrained.ui.roundLabel.text == ""
    assert not retrained.ui.compareTable.visible
    assert retrained.ui.openReportButton.toolTip == "This model was not made by retraining here."


def test_a_damaged_decision_is_said_and_the_rest_works(retrained):
    RoundFiles(retrained.session.project.folder.model("gen-001")).decision.write_text("{}", encoding="utf-8")
    select_model(retrained, "gen-001")
    assert "expected the decision of a round" in retrained.ui.roundLabel.text
    select_model(retrained, "first")
    assert retrained.ui.roundLabel.text == ""


def test_a_round_is_read_back_as_it_was_written(round_made):
    folder = round_made / "models" / "gen-001"
    found = readRound(folder)
    assert (found.champion, found.challenger) == ("first", "gen-001")
    assert len(found.criteria) == len(found.decision.criteria)
    pictures = worstCases(found.report)
    assert all(picture.png.startswith(b"\x89PNG") and picture.caption.startswith(picture.series) for picture in pictures)
    assert readRound(round_made / "models" / "first") is None
    assert worstCases(folder / "no report.html") == []


@clicks("openReportButton")
def test_the_report_is_opened_in_the_browser(retrained, monkeypatch):
    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    select_model(retrained, "gen-001")
    retrained.click("openReportButton")
    assert opened == [str(RoundFiles(retrained.session.project.folder.model("gen-001")).report)]


# Deciding


@clicks("promoteButton", "rollBackButton")
def test_a_person_promotes_a_model_and_goes_back(retrained):
    project = retrained.session.project
    assert retrained.ui.promoteButton.toolTip == "Select a model in the table first."
    select_model(retrained, "first")
    assert retrained.ui.promoteButton.toolTip == "This model is the champion already."
    select_model(retrained, "gen-001")
    assert retrained.ui.rollBackButton.toolTip == "This model was never the champion: promote it instead."
    retrained.click("promoteButton")
    assert champion(project).model_id == "gen-001"
    assert retrained.texts("modelTable", 2) == ["champion; promoted by Ada", ""]
    assert "model gen-001, generation 1" in retrained.ui.projectStatusLabel.text
    assert retrained.ui.rejectButton.toolTip == "This model is the champion: roll back to another one instead."
    select_model(retrained, "first")
    assert retrained.ui.promoteButton.toolTip == "The first model is gone back to, not promoted."
    retrained.click("rollBackButton")
    assert champion(project).model_id == "first"
    assert retrained.texts("modelTable", 2) == ["promoted by Ada", "champion; gone back to by Ada"]


@clicks("rejectButton")
def test_a_person_rejects_a_model(retrained):
    select_model(retrained, "gen-001")
    retrained.click("rejectButton")
    last = read_decisions(retrained.session.project.folder)[-1]
    assert (last.choice, last.person, last.model_id) == (Choice.REJECT, "Ada", "gen-001")
    assert retrained.texts("modelTable", 2) == ["rejected by Ada", "champion"]


def test_a_model_with_damaged_weights_is_not_promoted(retrained):
    weights = retrained.session.project.folder.model("gen-001") / "models" / "model.pt"
    weights.write_bytes(b"damaged")
    select_model(retrained, "gen-001")
    said = retrained.refused(lambda: retrained.click("promoteButton"))
    assert "the file was changed or damaged" in said
    assert champion(retrained.session.project).model_id == "first"


# Validation patients


@clicks("freezeButton", "randomPatientsButton", "freezePatientsButton")
def test_patients_are_frozen_one_by_one_or_by_chance(case, tmp_path):
    project = trainable_project(tmp_path, is_frozen=False)
    case.open_project(project)
    harness.click(case.ui.modelsCollapsibleButton)
    assert case.ui.validationLabel.text.startswith("No patients are frozen for validation")
    seen = {}

    def choose(dialog):
        names = ("patientList", "patientCountSpinBox", "randomPatientsButton", "freezePatientsButton", "patientCountLabel")
        parts = {name: dialog.findChild(qt.QWidget, name) for name in names}
        seen["listed"] = [parts["patientList"].item(row).text() for row in range(parts["patientList"].count)]
        seen["reason"] = parts["freezePatientsButton"].toolTip
        parts["patientCountSpinBox"].value = 2
        harness.click(parts["randomPatientsButton"])
        seen["said"] = parts["patientCountLabel"].text
        harness.click(parts["freezePatientsButton"])
        return int(qt.QDialog.Accepted)

    with harness.answering(choose):
        case.click("freezeButton")
    assert seen == {
        "listed": ["1", *JUDGES],
        "reason": "Choose patients first.",
        "said": "2 of 4 patients that can be frozen are chosen.",
    }
    assert len(frozen_patients(read_decisions(project.folder))) == 2
    assert case.ui.validationLabel.text.startswith("2 patients (")


@clicks("cancelFreezeButton")
def test_the_dialog_can_be_left_and_says_why_nobody_can_be_chosen(case, tmp_path):
    project = column_project(tmp_path / "loop")
    case.open_project(project)
    harness.click(case.ui.modelsCollapsibleButton)

    def leave(dialog):
        button = dialog.findChild(qt.QPushButton, "freezePatientsButton")
        assert button.toolTip.startswith("No patient can be frozen yet")
        harness.click(dialog.findChild(qt.QPushButton, "cancelFreezeButton"))
        return int(qt.QDialog.Rejected)

    with harness.answering(leave):
        case.click("freezeButton")
    assert read_decisions(project.folder) == ()
