"""Section Correct: the embedded Segment Editor, the spine tools, what the model drew, and how it all is displayed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from SpiderSegLib.gui.level_display import LevelDisplay
from SpiderSegLib.gui.messages import setMessage
from SpiderSegLib.labels import Structure
from SpiderSegLib.mrml import spine_tools
from SpiderSegLib.mrml.clicks import Point
from SpiderSegLib.mrml.display import Overlay, clearOverlay, showInSlices, showOverlay
from SpiderSegLib.mrml.segmentations import predictionNodeOf
from SpiderSegLib.mrml.segments import segmentIds, segmentOf
from SpiderSegLib.mrml.workers.process import WorkerProcess, WorkerState

if TYPE_CHECKING:
    from SpiderSegLib.gui.panel import Panel

#: The editor node of this module, apart from the Segment Editor module's own.
EDITOR_TAG = "SpiderSegSegmentEditor"

#: Overlays in the order of the combo box.
OVERLAYS = (Overlay.NOTHING, Overlay.PREDICTION, Overlay.DIFFERENCE)


class CorrectSection:
    """Corrects the chosen segmentation."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.ui = panel.ui
        self._series: list[Any] = []
        self._workers: list[WorkerProcess] = []
        self._clickButton: Any = None
        self._overlaid: Any = None
        self.display = LevelDisplay(panel)
        self._placeSegmentEditor()
        for button, structure in ((self.ui.addVertebraButton, Structure.VERTEBRA), (self.ui.addDiscButton, Structure.DISC)):
            button.connect("clicked(bool)", lambda isOn, button=button, structure=structure: self.onAddToggled(button, structure, isOn))
        self.ui.splitButton.connect("clicked(bool)", self.onSplitToggled)
        self._connect(self.ui.rerunButton, self._drawAnew, _("The level can't be drawn anew."))
        self._connect(self.ui.mergeButton, self._merge, _("The segments can't be merged."))
        self._connect(self.ui.revertButton, lambda: self._edit(spine_tools.revertToPrediction), _("The level can't be reverted."))
        self._connect(self.ui.islandsButton, lambda: self._edit(spine_tools.removeIslands), _("Islands can't be removed."))
        self._connect(self.ui.holesButton, lambda: self._edit(spine_tools.fillHoles), _("Holes can't be filled."))
        self._connect(self.ui.smoothButton, lambda: self._edit(spine_tools.smoothSegment), _("The level can't be smoothed."))
        self.ui.cancelToolButton.connect("clicked(bool)", self.onCancelButton)
        self.ui.surfacesButton.connect("toggled(bool)", self.onSurfacesToggled)
        self.ui.overlayComboBox.connect("activated(int)", self.onOverlayChosen)
        self.ui.editSeriesComboBox.connect("activated(int)", self.onEditSeriesChosen)

    def _connect(self, button: Any, action: Callable[[], object], failure: str) -> None:
        button.connect("clicked(bool)", lambda *arguments: self.panel.perform(failure, action))

    # Segment Editor

    def _placeSegmentEditor(self) -> None:
        editor = self.ui.segmentEditorWidget
        editor.setMRMLScene(self.panel.scene)
        editor.setMaximumNumberOfUndoStates(20)
        self._attachEditorNode()

    def _attachEditorNode(self) -> None:
        scene = self.panel.scene
        node = scene.GetSingletonNode(EDITOR_TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = scene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
            node.SetSingletonTag(EDITOR_TAG)
            node.UnRegister(None)
            node = scene.AddNode(node)
        if self.ui.segmentEditorWidget.mrmlSegmentEditorNode() is not node:
            self.ui.segmentEditorWidget.setMRMLSegmentEditorNode(node)

    def onParameterNodeChanged(self) -> None:
        """A scene was opened or closed: the editor gets its node back."""
        parameterNode = self.panel.parameterNode
        if parameterNode is None:
            self.ui.segmentEditorWidget.setSegmentationNode(None)
            return
        self._attachEditorNode()
        self.display.onParameterNodeChanged()

    # Tools

    def _edit(self, tool: Callable[..., int]) -> None:
        segmentId = self.panel.selectedId()
        name = segmentOf(self.panel.segmentationNode, segmentId).GetName()
        changed = tool(self.panel.segmentationNode, segmentId, self.panel.history)
        self._say(_("{name}: {count} voxels changed").format(name=name, count=changed) if changed else _("{name}: nothing to do").format(name=name))

    def _merge(self) -> None:
        kept = spine_tools.mergeSegments(self.panel.segmentationNode, self.panel.selectedIds, self.panel.history)
        self._say(_("Merged into {name}").format(name=segmentOf(self.panel.segmentationNode, kept).GetName()))

    def _drawAnew(self) -> None:
        segmentId = self.panel.selectedId()
        self._follow(
            self.panel.runs.drawAnew(
                self.panel.segmentationNode,
                self.editSeries,
                segmentId,
                self.panel.settings,
                self.panel.history,
                self.onAdded,
                self.onFailed,
                self.onRunChanged,
            )
        )

    def onSplitToggled(self, isOn: bool) -> None:
        """Waits for one click on each part."""
        if not isOn:
            self.panel.clicks.stop()
            return
        self.panel.perform(_("The segment can't be split."), lambda: self._waitForSplit(self.panel.selectedId()))

    def _waitForSplit(self, segmentId: str) -> None:
        def split(points: Sequence[Point]) -> None:
            node = self.panel.segmentationNode
            added = spine_tools.splitSegment(node, segmentId, points[0], points[1], self.panel.history)
            names = (segmentOf(node, one).GetName() for one in (segmentId, added))
            self._say(_("Split into {lower} and {upper}").format(lower=next(names), upper=next(names)))

        name = segmentOf(self.panel.segmentationNode, segmentId).GetName()
        self._waitForClicks(self.ui.splitButton, 2, split, _("{name}: click once on each of the two parts").format(name=name))

    def onAddToggled(self, button: Any, structure: Structure, isOn: bool) -> None:
        """Waits for a click into what was missed."""
        if not isOn:
            self.panel.clicks.stop()
            return

        def add(points: Sequence[Point]) -> None:
            panel = self.panel
            self._follow(
                panel.runs.drawAround(
                    panel.segmentationNode,
                    self.editSeries,
                    points[0],
                    structure,
                    panel.settings,
                    panel.history,
                    self.onAdded,
                    self.onFailed,
                    self.onRunChanged,
                )
            )

        self._waitForClicks(button, 1, add, _("Click into the middle of what was missed"))

    def _waitForClicks(self, button: Any, count: int, action: Callable[[Sequence[Point]], None], prompt: str) -> None:
        def onPoints(points: Sequence[Point]) -> None:
            self._endClicks()
            self.panel.perform(_("The tool could not be applied."), lambda: action(points))

        self.panel.clicks.start(count, onPoints, self._endClicks)
        self._clickButton = button
        button.checked = True
        self._say(_("{prompt}; right click to leave").format(prompt=prompt))

    def _endClicks(self) -> None:
        if self._clickButton is not None:
            self._clickButton.checked = False
        self._clickButton = None
        self._say("")

    # Runs around a level

    def _follow(self, worker: WorkerProcess) -> None:
        self._workers = [one for one in (*self._workers, worker) if not one.state.isFinal]
        self._refreshCancelButton()
        if not worker.state.isFinal:
            self._say(_("{title}: starting").format(title=worker.title))

    def _refreshCancelButton(self) -> None:
        self.ui.cancelToolButton.visible = bool(self._workers)
        self.panel.buttons.set(self.ui.cancelToolButton, "" if self._workers else _("Nothing is being drawn."))

    def onCancelButton(self, *arguments: Any) -> None:
        for worker in self._workers:
            worker.cancel()

    def onRunChanged(self, worker: WorkerProcess) -> None:
        self._workers = [one for one in self._workers if not one.state.isFinal]
        self._refreshCancelButton()
        if worker.state is WorkerState.RUNNING:
            self._say(f"{worker.title}: {worker.stageText} {round(100 * worker.fraction)} %")
        elif worker.state is WorkerState.CANCELLED:
            self._say(worker.message)

    def onAdded(self, segmentId: str) -> None:
        """Says which level a run drew, and selects it."""
        node = self.panel.segmentationNode
        if node is None or segmentId not in segmentIds(node):
            return
        self.display.apply()
        self._say(_("{name} was drawn").format(name=segmentOf(node, segmentId).GetName()))
        self.ui.segmentEditorWidget.setCurrentSegmentID(segmentId)
        self.panel.refreshLater()

    def onFailed(self, message: str) -> None:
        self._say(message)

    def _say(self, text: str) -> None:
        setMessage(self.ui.correctMessageLabel, text)

    # Display

    @property
    def editSeries(self) -> Any:
        """The series that brush, threshold and local runs look at; the segmented one if none is chosen."""
        index = self.ui.editSeriesComboBox.currentIndex
        return self._series[index] if 0 <= index < len(self._series) else self.panel.volumeNode

    def onEditSeriesChosen(self, *arguments: Any) -> None:
        if self.editSeries is not None:
            self.ui.segmentEditorWidget.setSourceVolumeNode(self.editSeries)
            showInSlices(self.panel.scene, self.editSeries)

    @property
    def overlay(self) -> Overlay:
        return OVERLAYS[self.ui.overlayComboBox.currentIndex]

    def onOverlayChosen(self, *arguments: Any) -> None:
        self.panel.perform(_("The outlines can't be shown."), lambda: showOverlay(self.panel.segmentationNode, self.overlay))

    def _refreshOverlay(self) -> None:
        """What was changed follows every edit; another segmentation starts without outlines."""
        node = self.panel.segmentationNode
        if node is not self._overlaid:
            self._overlaid = node
            if self.overlay is not Overlay.NOTHING:
                self.ui.overlayComboBox.currentIndex = OVERLAYS.index(Overlay.NOTHING)
                clearOverlay(self.panel.scene)
        elif node is not None and self.overlay is Overlay.DIFFERENCE:
            showOverlay(node, Overlay.DIFFERENCE)

    def onSurfacesToggled(self, isOn: bool) -> None:
        """Makes or drops the surfaces: on demand, because they take a second that nobody should wait for."""

        def show() -> None:
            node = self.panel.segmentationNode
            if isOn:
                node.CreateClosedSurfaceRepresentation()
            else:
                node.RemoveClosedSurfaceRepresentation()

        self.panel.perform(_("The surfaces can't be made."), show)

    # Widgets

    def refresh(self) -> None:
        node = self.panel.segmentationNode
        editor = self.ui.segmentEditorWidget
        if self.panel.parameterNode is not None:
            self._refreshSeries()
            if editor.segmentationNode() is not node:
                editor.setSegmentationNode(node)
            if node is not None and self.editSeries is not None and editor.sourceVolumeNode() is not self.editSeries:
                editor.setSourceVolumeNode(self.editSeries)
        editor.enabled = node is not None
        self._refreshCancelButton()
        self._refreshOverlay()
        self._refreshButtons()

    def _refreshSeries(self) -> None:
        series, box = self.panel.seriesNodes, self.ui.editSeriesComboBox
        texts = [node.GetName() for node in series]
        if series == self._series and texts == [box.itemText(index) for index in range(box.count)]:
            return
        chosen = self.editSeries
        self._series = series
        box.clear()
        box.addItems(texts)
        box.currentIndex = series.index(chosen) if chosen in series else 0 if series else -1

    def _refreshButtons(self) -> None:
        node, buttons = self.panel.segmentationNode, self.panel.buttons
        without = "" if node is not None else _("There is no segmentation yet: segment a series, or choose one.")
        selected = len(self.panel.selectedIds) if node is not None else 0
        one = without or ("" if selected == 1 else _("Select one level in the Levels table first."))
        for button in (self.ui.splitButton, self.ui.islandsButton, self.ui.holesButton, self.ui.smoothButton):
            buttons.set(button, "" if button.checkable and button.checked else one)
        buttons.set(self.ui.mergeButton, without or ("" if selected > 1 else _("Select two or more levels in the Levels table first.")))
        kept = without or ("" if predictionNodeOf(node) is not None else _("This segmentation keeps no prediction: it was not made by SpiderSeg."))
        buttons.set(self.ui.revertButton, kept or one)
        buttons.set(self.ui.overlayComboBox, kept)
        model = without or (_("Choose the series it belongs to first.") if self.panel.volumeNode is None else "")
        model = model or (_("Install what SpiderSeg needs first.") if self.panel.segment.missingPackages() else "")
        for button in (self.ui.addVertebraButton, self.ui.addDiscButton):
            buttons.set(button, model)
        level = self.panel.levels.selectedLevel
        isDrawable = level is not None and level.structure in (Structure.VERTEBRA, Structure.DISC)
        drawable = "" if isDrawable else _("Select a vertebra or a disc: the model draws nothing else anew.")
        buttons.set(self.ui.rerunButton, model or one or drawable)
        buttons.set(self.ui.surfacesButton, without)
        self.ui.surfacesButton.blockSignals(True)
        self.ui.surfacesButton.checked = node is not None and node.GetSegmentation().ContainsRepresentation("Closed surface")
        self.ui.surfacesButton.blockSignals(False)
