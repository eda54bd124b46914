"""Section Segment: model, device, the button that starts and cancels, progress, installation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from SpiderSegLib.gui.messages import setMessage
from SpiderSegLib.mrml.display import showInSlices
from SpiderSegLib.mrml.volumes import checkInput
from SpiderSegLib.mrml.workers.process import WorkerProcess, WorkerState

if TYPE_CHECKING:
    from SpiderSegLib.gui.panel import Panel

#: Values of --device in the order of the combo box.
DEVICES = ("auto", "cuda", "cpu")


class SegmentSection:
    """Starts runs, shows how far they are, and says why they can't start."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.ui = panel.ui
        #: The last run of each volume, by node ID.
        self._workers: dict[str, WorkerProcess] = {}
        self._missing: list[Any] | None = None
        self.ui.applyButton.connect("clicked(bool)", self.onApplyButton)
        self.ui.installButton.connect("clicked(bool)", self.onInstallButton)
        self.ui.offlineButton.connect("clicked(bool)", self.onOfflineButton)
        self.ui.weightsPathLineEdit.connect("currentPathChanged(QString)", self.onWeightsChanged)
        self.ui.deviceComboBox.connect("currentIndexChanged(int)", self.onDeviceChanged)
        panel.queue.onChanged = panel.refreshLater
        self._showProgress(None)

    @property
    def device(self) -> str:
        return DEVICES[self.ui.deviceComboBox.currentIndex]

    @property
    def worker(self) -> WorkerProcess | None:
        """The run of the chosen series that waits or goes; None if there is none."""
        node = self.panel.volumeNode
        worker = self._workers.get(node.GetID()) if node is not None else None
        return None if worker is None or worker.state.isFinal else worker

    @property
    def isRunning(self) -> bool:
        """Whether the button cancels: a run over the chosen series waits or goes. Runs of other series wait for each other."""
        return self.worker is not None

    def missingPackages(self) -> list[Any]:
        """What is not installed; looked up once, and again after an installation."""
        if self._missing is None:
            self._missing = list(self.panel.installation.missingPackages())
        return self._missing

    # Buttons

    def onApplyButton(self, *arguments: Any) -> None:
        worker = self.worker
        if worker is not None:
            worker.cancel()
        else:
            self.panel.perform(_("The series can't be segmented."), self.start)

    def start(self) -> None:
        """Submits a run for the chosen series. Raises SpiderSegError."""
        setMessage(self.ui.progressLabel, "")
        volumeNode = self.panel.volumeNode
        volumeId = volumeNode.GetID()
        self._workers = {one: worker for one, worker in self._workers.items() if not worker.state.isFinal}
        self._workers[volumeId] = self.panel.runs.segment(
            volumeNode,
            self.panel.settings,
            lambda segmentationNode, messages: self.onLoaded(volumeId, segmentationNode, messages),
            self.onFailed,
            self.onRunChanged,
        )
        self.refresh()

    def onInstallButton(self, *arguments: Any) -> None:
        self.panel.perform(_("SpiderSeg could not be set up."), self._install)

    def _install(self) -> None:
        try:
            self.panel.installation.installEverything()
        finally:
            self._missing = None

    def onOfflineButton(self, *arguments: Any) -> None:
        """Shows the commands as text that can be copied."""
        box = qt.QMessageBox(slicer.util.mainWindow())
        box.setWindowTitle(_("SpiderSeg without internet"))
        box.setText(_("Bring the packages from a computer with internet: the details say how, with the commands to copy."))
        box.setDetailedText(self.panel.installation.offlineInstructions())
        box.setStandardButtons(qt.QMessageBox.Ok)
        box.exec_()

    def onWeightsChanged(self, path: str) -> None:
        if self.panel.parameterNode:
            self.panel.parameterNode.weights = path

    def onDeviceChanged(self, *arguments: Any) -> None:
        if self.panel.parameterNode:
            self.panel.parameterNode.device = self.device

    # Runs

    def onLoaded(self, volumeId: str, segmentationNode: Any, messages: list[str]) -> None:
        """Shows a new segmentation if its series is still the chosen one; no view is moved."""
        parameterNode, volumeNode = self.panel.parameterNode, self.panel.volumeNode
        if parameterNode is None or volumeNode is None or volumeNode.GetID() != volumeId:
            setMessage(self.ui.progressLabel, _("{name} is ready to be chosen.").format(name=segmentationNode.GetName()))
            return
        parameterNode.segmentation = segmentationNode
        self.panel.correct.display.apply()
        showInSlices(self.panel.scene, volumeNode)
        setMessage(self.ui.progressLabel, "\n".join([_("Done."), *messages]))
        self.panel.refresh()

    def onFailed(self, message: str) -> None:
        setMessage(self.ui.progressLabel, _("Failed: {message}").format(message=message))
        slicer.util.errorDisplay(message, windowTitle=_("SpiderSeg"))
        self.panel.refreshLater()

    def onRunChanged(self, worker: WorkerProcess) -> None:
        """Shows a run's state; the bar belongs to the run that goes."""
        if worker.state is WorkerState.CANCELLED:
            setMessage(self.ui.progressLabel, worker.message)
        self._showProgress(None if worker.state.isFinal else worker)
        if worker.stage == "" or worker.state is not WorkerState.RUNNING:
            self._refreshButton()

    def _showProgress(self, worker: WorkerProcess | None) -> None:
        self.ui.progressBar.visible = worker is not None
        if worker is None:
            return
        if worker is not self.panel.queue.running:
            worker = self.panel.queue.running or worker
        self.ui.progressBar.value = round(100 * worker.fraction)
        words = {WorkerState.QUEUED: _("Waiting for the run before it"), WorkerState.CANCELLING: _("Cancelling")}
        text = words.get(worker.state, worker.stageText or _("Starting"))
        parts = [f"{worker.title}: {text}", worker.timeLeftText]
        setMessage(self.ui.progressLabel, ", ".join(part for part in parts if part))

    # Widgets

    def refresh(self) -> None:
        missing = self.missingPackages()
        for widget in (self.ui.installButton, self.ui.offlineButton):
            widget.visible = bool(missing)
            self.panel.buttons.set(widget, "" if missing else _("Everything is installed."))
        self.ui.installMessageLabel.visible = bool(missing)
        if missing:
            packages = ", ".join(str(package) for package in missing)
            self.ui.installMessageLabel.text = _("Not installed yet: {packages}").format(packages=packages)
        parameterNode = self.panel.parameterNode
        if parameterNode:
            self.ui.deviceComboBox.currentIndex = DEVICES.index(parameterNode.device) if parameterNode.device in DEVICES else 0
            if self.ui.weightsPathLineEdit.currentPath != parameterNode.weights:
                self.ui.weightsPathLineEdit.currentPath = parameterNode.weights
        self._refreshButton()

    def _refreshButton(self) -> None:
        self.ui.applyButton.text = _("Cancel") if self.isRunning else _("Segment")
        self.panel.buttons.set(self.ui.applyButton, self._reason())

    def _reason(self) -> str:
        """Why the button can't be pressed; '' when it can."""
        worker = self.worker
        if worker is not None:
            return _("The run is being cancelled.") if worker.state is WorkerState.CANCELLING else ""
        if self.missingPackages():
            return _("Install what SpiderSeg needs first.")
        if self.panel.volumeNode is None:
            return _("Choose a series first.")
        return checkInput(self.panel.volumeNode).error
