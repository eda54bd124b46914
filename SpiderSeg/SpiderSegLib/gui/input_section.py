"""Section Input: the series of a patient, and whether they can be corrected together."""

from __future__ import annotations

import datetime
import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from SpiderSegLib.errors import SpiderSegError
from SpiderSegLib.gui.messages import names, setMessage
from SpiderSegLib.gui.slicer_queue import makeSlicerQueue
from SpiderSegLib.mrml.display import linkSlices
from SpiderSegLib.mrml.joint_editing import NODE_IDS, jointRecordOf, prepareJointCheck, readJointReport, setJointRecord
from SpiderSegLib.mrml.sagittal_views import showSagittal
from SpiderSegLib.mrml.series_choice import chooseSeries
from SpiderSegLib.mrml.volumes import checkInput
from SpiderSegLib.mrml.workers.process import WorkerProcess, WorkerState
from SpiderSegLib.mrml.workers.run_folder import RunFolder

if TYPE_CHECKING:
    from SpiderSegLib.gui.panel import Panel


class InputSection:
    """Says what is wrong with the chosen series, and checks series that are to be corrected together.

    The check runs in a process of its own, beside the runs of the other buttons.
    """

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.ui = panel.ui
        self._queue = makeSlicerQueue()
        self._worker: WorkerProcess | None = None
        self._checked: tuple[str, ...] = ()
        self._volumeCount = 0
        #: The last check's report, with "accepted" once a person accepted it; None while unknown.
        self.report: dict[str, Any] | None = None
        self.ui.acceptJointButton.connect("clicked(bool)", self.onAcceptButton)
        self.ui.sagittalButton.connect("clicked(bool)", self.onSagittalButton)

    @property
    def jointProblem(self) -> str:
        """Why the series can't be saved together; '' when they can, or when there is only one."""
        if len(self.panel.seriesNodes) < 2:
            return ""
        if self._worker is not None and not self._worker.state.isFinal:
            return _("The series are being compared: wait some seconds.")
        if self.report is None:
            return _("It is not known whether the series lie on each other.")
        if self.report["is_allowed"] or "accepted" in self.report:
            return ""
        return "; ".join(self.report["reasons"])

    def onSagittalButton(self, *arguments: Any) -> None:
        self.panel.perform(_("The views can't be arranged."), lambda: showSagittal(self.panel.scene, self.panel.seriesNodes))

    def onAcceptButton(self, *arguments: Any) -> None:
        self.panel.perform(_("The series can't be accepted."), self._accept)

    def _accept(self) -> None:
        # Needs scipy, which may not be installed when the panel opens.
        from SpiderSegLib.joint import accepted_record

        report = self.report or {"is_allowed": False, "reasons": [_("the check did not run")]}
        self.report = accepted_record(report, getpass.getuser(), datetime.datetime.now(datetime.timezone.utc))
        self._keep()

    def _keep(self) -> None:
        node = self.panel.segmentationNode
        if node is not None and self.report is not None and len(self.panel.seriesNodes) > 1:
            setJointRecord(node, self.report)

    # Choice

    def _chooseIfNew(self) -> None:
        """Chooses the most likely series when some were loaded and none is chosen; what a person chose, none included, stays."""
        count = self.panel.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
        if count == self._volumeCount:
            return
        isMore = count > self._volumeCount
        self._volumeCount = count
        parameterNode = self.panel.parameterNode
        if isMore and parameterNode.inputVolume is None and parameterNode.segmentation is None:
            for parameter, node in zip(("inputVolume", "partnerVolume", "thirdVolume"), chooseSeries(self.panel.scene), strict=False):
                setattr(parameterNode, parameter, node)

    # Check

    def _checkIfNew(self) -> None:
        series = self.panel.seriesNodes
        ids = tuple(node.GetID() for node in series)
        if ids == self._checked:
            return
        self._checked = ids
        self._queue.cancelAll()
        self.report, self._worker = self._rememberedReport(ids), None
        if len(series) > 1:
            linkSlices(self.panel.scene)
            if self.report is None and not self.panel.segment.missingPackages():
                self._startCheck(series)

    def _rememberedReport(self, ids: tuple[str, ...]) -> dict[str, Any] | None:
        node = self.panel.segmentationNode
        record = jointRecordOf(node) if node is not None else None
        return record if record is not None and tuple(record.get(NODE_IDS, ())) == ids else None

    def _startCheck(self, series: list[Any]) -> None:
        folder: RunFolder | None = None
        try:
            folder = self._queue.makeFolder()
            run = prepareJointCheck(folder.path, series, self.panel.segmentationNode)
        except SpiderSegError as error:
            if folder is not None:
                folder.remove()
            self.report = {"is_allowed": False, "reasons": [str(error)]}
            return

        ids, seriesNames = [node.GetID() for node in series], [node.GetName() for node in series]

        def onFinished(worker: WorkerProcess) -> None:
            self._onChecked(worker, run.output, ids, seriesNames)

        self._worker = WorkerProcess(run.arguments, folder, _("comparing the series"), onFinished=onFinished)
        self._queue.submit(self._worker)

    def _onChecked(self, worker: WorkerProcess, path: Path, ids: list[str], seriesNames: list[str]) -> None:
        if worker.state is WorkerState.CANCELLED:
            return
        try:
            report = readJointReport(path, seriesNames) if worker.state is WorkerState.DONE else {"is_allowed": False, "reasons": [worker.message]}
        except SpiderSegError as error:
            report = {"is_allowed": False, "reasons": [str(error)]}
        self.report = {**report, NODE_IDS: ids}
        self._keep()
        self.panel.refreshLater()

    def cancelCheck(self) -> None:
        """Ends a check that is going: its nodes are about to go."""
        self._queue.cancelAll()
        self._checked, self.report, self._worker = (), None, None

    def shutDown(self) -> None:
        """Ends a check before returning, for an application that closes."""
        self._queue.shutDown()

    # Widgets

    def refresh(self) -> None:
        if self.panel.parameterNode is None:
            self._volumeCount = 0
            return
        self._chooseIfNew()
        self._checkIfNew()
        self._keep()
        self.panel.buttons.set(self.ui.sagittalButton, "" if self.panel.seriesNodes else _("Choose a series first."))
        problem = self.jointProblem
        isQuestion = bool(problem) and (self._worker is None or self._worker.state.isFinal)
        self.ui.acceptJointButton.visible = isQuestion
        self.panel.buttons.set(self.ui.acceptJointButton, "" if isQuestion else _("There is nothing to accept."))
        setMessage(self.ui.inputMessageLabel, "\n".join(self._messages(problem)))

    def _messages(self, problem: str) -> list[str]:
        series = self.panel.seriesNodes
        checks = [checkInput(node) for node in series]
        texts = [text for check in checks for text in (check.error, *check.warnings) if text]
        if len(series) < 2:
            return texts
        if problem:
            return [*texts, _("Not saved together: {reason}").format(reason=problem)]
        accepted = self.report is not None and "accepted" in self.report
        together = _("{series} are corrected together, as accepted.") if accepted else _("{series} lie on each other and are corrected together.")
        return [*texts, together.format(series=names(series))]
