"""Section Models and retraining: the models and what was decided, retraining with its curve, champion against challenger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
from slicer.i18n import tr as _

from SpiderSegLib.annotation_project.decisions import Choice, Decision, frozen_patients, read_decisions
from SpiderSegLib.annotation_project.models import ModelRecord, champion, read_models
from SpiderSegLib.errors import DatasetError
from SpiderSegLib.gui.annotation.case_section import shortTime
from SpiderSegLib.gui.annotation.job import Job, JobWidgets
from SpiderSegLib.gui.annotation.pictures import showCurve, showPng
from SpiderSegLib.gui.annotation.rounds import Picture, Round, readRound, worstCases
from SpiderSegLib.gui.annotation.tables import fillTable, fitHeight
from SpiderSegLib.gui.annotation.validation_dialog import askForPatients
from SpiderSegLib.gui.messages import setMessage
from SpiderSegLib.gui.slicer_queue import makeSlicerQueue
from SpiderSegLib.gui.visibility import setShown
from SpiderSegLib.retraining import RoundFiles, read_curve, read_request, use_warning
from SpiderSegLib.retraining.project_round import BY_THE_RULE, promote, reject, roll_back

if TYPE_CHECKING:
    from SpiderSegLib.gui.annotation.workspace import Workspace

#: Column of the table of criteria whose long texts are wrapped.
SENTENCE = 1


class ModelsSection:
    """Retrains, and lets a person decide what the rule leaves to them."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.ui = workspace.ui
        self.models: list[ModelRecord] = []
        self._champion: ModelRecord | None = None
        self._decisions: tuple[Decision, ...] = ()
        self._round: Round | None = None
        self._pictures: list[Picture] = []
        self._curveSeen: tuple[str, int] = ("", 0)
        # Of its own: hours of training must not keep an import waiting.
        self._queue = makeSlicerQueue(workspace.panel.refreshLater)
        widgets = JobWidgets(self.ui.retrainButton, self.ui.retrainProgressBar, self.ui.retrainLabel)
        self._retraining = Job(workspace.panel, self._queue, widgets, _("Cancel retraining"), tellsTime=True)
        self.ui.modelTable.connect("itemSelectionChanged()", self.onModelSelected)
        self.ui.worstCaseComboBox.connect("currentIndexChanged(int)", self.onWorstCaseChosen)
        self.ui.retrainButton.connect("clicked(bool)", self.onRetrainButton)
        self.ui.openReportButton.connect("clicked(bool)", self.onReportButton)
        self._connect(self.ui.freezeButton, self._freeze, _("The patients can't be frozen."))
        self._connect(self.ui.promoteButton, lambda: self._decide(promote), _("The model can't be promoted."))
        self._connect(self.ui.rejectButton, lambda: self._decide(reject), _("The model can't be rejected."))
        self._connect(self.ui.rollBackButton, self._rollBack, _("The model can't be gone back to."))
        header = self.ui.criteriaTable.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(SENTENCE, qt.QHeaderView.Stretch)
        self.ui.criteriaTable.verticalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        self._showRound()
        showCurve(self.ui.curveLabel, [], 0.0)

    def _connect(self, button: Any, action: Callable[[], object], failure: str) -> None:
        button.connect("clicked(bool)", lambda *arguments: self.workspace.perform(failure, action))

    @property
    def selected(self) -> ModelRecord | None:
        """The model whose row is selected."""
        rows = self.ui.modelTable.selectionModel().selectedRows()
        return self.models[rows[0].row()] if rows and rows[0].row() < len(self.models) else None

    # Decisions

    def _decide(self, choice: Callable[..., Decision]) -> None:
        if self.selected is not None:
            choice(self.workspace.opened.project, self.selected.model_id, self.workspace.opened.annotator)
            self.workspace.readAgain()

    def _rollBack(self) -> None:
        if self.selected is not None:
            roll_back(self.workspace.opened.project, self.workspace.opened.annotator, self.selected.model_id)
            self.workspace.readAgain()

    def _freeze(self) -> None:
        if askForPatients(self.workspace.opened.project, self.workspace.opened.annotator):
            self.workspace.readAgain()

    # Retraining

    def onRetrainButton(self, *arguments: Any) -> None:
        if self._retraining.isRunning:
            self._retraining.cancel()
            return
        session = self.workspace.opened
        options = ["--steps", str(self.ui.stepsSpinBox.value), "--device", self.workspace.panel.segment.device, "--person", session.annotator]
        arguments_ = ["project", "retrain", str(session.project.root), *options, "--progress", "json"]
        self._retraining.start(_("Retraining"), arguments_, self._onRetrained)

    def _onRetrained(self, isDone: bool) -> None:
        if self.workspace.isOpen:
            self._drawCurve()
            self.workspace.panel.perform(_("The project can't be read."), lambda: self._readAndSelectNewest(isDone))

    def _readAndSelectNewest(self, isDone: bool) -> None:
        self.workspace.readAgain()
        if isDone and self.models:
            self.ui.modelTable.selectRow(0)

    def onTick(self) -> None:
        """Draws the curve of the training that goes on."""
        if self._retraining.isRunning:
            self._drawCurve()

    def _drawCurve(self) -> None:
        """That of the training which goes on, or has just ended."""
        folder = self._newestTraining()
        if folder is not None:
            self._drawCurveOf(folder)

    def _drawCurveOf(self, folder: Path) -> None:
        seen = (str(folder), RoundFiles(folder).metrics.stat().st_size)
        if seen == self._curveSeen:
            return
        self._curveSeen = seen
        points = [point for point in read_curve(folder) if point.loss is not None]
        share = min(1.0, points[-1].step / self._stepsOf(folder)) if points else 0.0
        showCurve(self.ui.curveLabel, [point.loss for point in points if point.loss is not None], share)

    def _stepsOf(self, folder: Path) -> int:
        """A round that goes on keeps the steps it was begun with."""
        try:
            return read_request(folder).steps
        except DatasetError:
            return int(self.ui.stepsSpinBox.value)

    def _newestTraining(self) -> Path | None:
        """The folder of the round that trained last, also one that was interrupted."""
        models = self.workspace.opened.project.folder.models
        folders = [folder for folder in models.iterdir() if RoundFiles(folder).metrics.is_file()] if models.is_dir() else []
        return max(folders, key=lambda folder: RoundFiles(folder).metrics.stat().st_mtime, default=None)

    # Comparison

    def onModelSelected(self) -> None:
        self._showRound()
        self.workspace.panel.refreshLater()

    def _showRound(self) -> None:
        """The round that made the selected model."""
        problem = ""
        self._round, self._pictures = None, []
        if self.selected is not None:
            try:
                self._round = readRound(self.workspace.opened.project.folder.model(self.selected.model_id))
            except DatasetError as error:
                problem = str(error)
        if self._round is not None:
            self._pictures = worstCases(self._round.report)
            if not self._retraining.isRunning:
                self._drawCurveOf(self._round.report.parent)
        fillTable(self.ui.compareTable, [] if self._round is None else self._round.comparison)
        fitHeight(self.ui.compareTable)
        fillTable(self.ui.criteriaTable, [] if self._round is None else self._round.criteria)
        setMessage(self.ui.roundLabel, problem if self._round is None else self._round.summary)
        self.ui.worstCaseComboBox.clear()
        self.ui.worstCaseComboBox.addItems([picture.series for picture in self._pictures])
        setShown(self.ui.worstCaseComboBox, bool(self._pictures))
        self.onWorstCaseChosen()

    def onWorstCaseChosen(self, *arguments: Any) -> None:
        index = self.ui.worstCaseComboBox.currentIndex
        picture = self._pictures[index] if 0 <= index < len(self._pictures) else None
        setMessage(self.ui.worstCaseLabel, "" if picture is None else picture.caption)
        showPng(self.ui.worstCasePictureLabel, None if picture is None else picture.png)

    def onReportButton(self, *arguments: Any) -> None:
        if self._round is not None:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._round.report)))

    # Widgets

    def readAgain(self) -> None:
        """Reads models and decisions. Raises ProjectError."""
        project = self.workspace.opened.project
        models = read_models(project)
        selected = None if self.selected is None else self.selected.model_id
        self._champion = champion(project) if models else None
        self._decisions = read_decisions(project.folder)
        self.models = list(models.values())[::-1]
        fillTable(self.ui.modelTable, [self._row(model) for model in self.models])
        setShown(self.ui.modelTable, True)
        fitHeight(self.ui.modelTable)
        names = [model.model_id for model in self.models]
        if selected in names:
            self.ui.modelTable.selectRow(names.index(selected))
        setMessage(self.ui.validationLabel, self._validationText())

    def _row(self, model: ModelRecord) -> list[str]:
        return [str(model.generation), model.model_id, self._decisionText(model), model.parent, shortTime(model.created_utc)]

    def _decisionText(self, model: ModelRecord) -> str:
        """'champion; promoted by ada', with the last decision about the model."""
        told: Mapping[Choice, str] = {Choice.PROMOTE: _("promoted"), Choice.REJECT: _("rejected"), Choice.ROLL_BACK: _("gone back to")}
        last = next((one for one in reversed(self._decisions) if one.model_id == model.model_id and one.choice in told), None)
        isChampion = self._champion is not None and self._champion.model_id == model.model_id
        words = [] if last is None else [_("{what} by {person}").format(what=told[last.choice], person=last.person)]
        if last is not None and last.comment == BY_THE_RULE:
            words = [_("{what} by the rule").format(what=told[last.choice])]
        return "; ".join([*([_("champion")] if isChampion else []), *words])

    def _validationText(self) -> str:
        status = self.workspace.status
        if status is None or not frozen_patients(self._decisions):
            return _("No patients are frozen for validation: a challenger can't be compared with the champion before.")
        text = _("{patients} patients ({series} series) are frozen for validation; rounds decided on them: {uses}.").format(
            patients=status.frozen, series=status.validation_series, uses=status.validation_uses
        )
        warning = use_warning(status.validation_uses)
        return text if warning is None else f"{text}\n{warning}"

    def refresh(self) -> None:
        buttons, selected = self.workspace.panel.buttons, self.selected
        isChampion = selected is not None and self._champion is not None and selected.model_id == self._champion.model_id
        without = _("Select a model in the table first.") if selected is None else ""
        other = without or (_("This model is the champion already.") if isChampion else "")
        buttons.set(self.ui.promoteButton, other or self._promoteReason(selected))
        buttons.set(self.ui.rejectButton, without or (_("This model is the champion: roll back to another one instead.") if isChampion else ""))
        buttons.set(self.ui.rollBackButton, other or self._rollBackReason(selected))
        buttons.set(self.ui.openReportButton, without or ("" if self._round is not None else _("This model was not made by retraining here.")))
        self._retraining.refresh(self._retrainReason())

    def _promoteReason(self, model: ModelRecord | None) -> str:
        return "" if model is None or model.parent else _("The first model is gone back to, not promoted.")

    def _rollBackReason(self, model: ModelRecord | None) -> str:
        champions = {one.model_id for one in self._decisions if one.choice in (Choice.PROMOTE, Choice.ROLL_BACK)}
        wasChampion = model is None or not model.parent or model.model_id in champions
        return "" if wasChampion else _("This model was never the champion: promote it instead.")

    def _retrainReason(self) -> str:
        status = self.workspace.status
        if status is None or not self.models:
            return _("The project has no model to begin from.")
        accepted = any(summary.accepted for summary in self.workspace.summaries.values())
        return "" if accepted else _("No series is done yet: there is nothing to learn from.")

    def stop(self) -> None:
        """The project is closed: what goes on in the background goes on, and is shown when it is opened again."""
        self.models, self._decisions, self._champion = [], (), None
        fillTable(self.ui.modelTable, [])
        self._showRound()

    def shutDown(self) -> None:
        """Ends the training, for an application that closes; the next Retrain goes on from there."""
        self._queue.shutDown()
