"""SpiderSeg in 3D Slicer: this file only wires; the panel is SpiderSegLib.gui, the work on nodes SpiderSegLib.mrml.

Must import before any Python package is installed: what the panel needs is imported in setup().
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

SAMPLE_NAME = "SpiderSegPhantom"


class SpiderSeg(ScriptedLoadableModule):
    """What Slicer knows of the module before it is opened."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("SpiderSeg")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["Segmentations", "SegmentEditor", "Markups", "Volumes"]
        self.parent.contributors = ["The SpiderSeg developers"]
        self.parent.helpText = _(
            "Segments the lumbar spine in sagittal MR series: every vertebra, every intervertebral disc and the spinal canal, numbered and "
            "named, to be checked and corrected. Research use only, not for diagnosis. Nothing leaves this computer."
        )
        self.parent.acknowledgementText = _("The labels, file layout and scores follow SPIDER (van der Graaf et al., Scientific Data 2024).")
        slicer.app.connect("startupCompleted()", registerSampleData)


def registerSampleData():
    """Adds the phantom to the module Sample Data; it is computed, not downloaded."""
    import SampleData

    from SpiderSegLib.paths import RESOURCES, data_path

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="SpiderSeg",
        sampleName=SAMPLE_NAME,
        thumbnailFileName=str(data_path(RESOURCES, "Icons", "SpiderSeg.png")),
        uris=[],
        fileNames=[],
        nodeNames=[],
        customDownloader=lambda source: loadPhantom(),
    )


def loadPhantom():
    """A lumbar phantom (T2) as a volume node of the scene."""
    from SpiderSegLib.mrml.volumes import newVolumeNode
    from SpiderSegLib.phantom import make_phantom

    node = newVolumeNode(slicer.mrmlScene, make_phantom().volume, "phantom_t2")
    node.CreateDefaultDisplayNodes()
    slicer.util.setSliceViewerLayers(background=node, fit=True)
    return node


@parameterNodeWrapper
class SpiderSegParameterNode:
    """What the panel keeps in the scene.

    inputVolume: the series that is segmented
    partnerVolume, thirdVolume: other series of the same patient, corrected with the same segmentation
    segmentation: the segmentation that is shown and corrected
    weights: bundle folder or checkpoint of another model; empty for the bundled one
    device: auto, cuda or cpu
    mirror: whether the mirrored series is run too
    opacity, outlineOnly, colorByConfidence: how levels are displayed
    """

    inputVolume: vtkMRMLScalarVolumeNode
    partnerVolume: vtkMRMLScalarVolumeNode
    thirdVolume: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    weights: str = ""
    device: str = "auto"
    mirror: bool = False
    opacity: Annotated[float, WithinRange(0.0, 1.0)] = 0.4
    outlineOnly: bool = False
    colorByConfidence: bool = False


class SpiderSegWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Makes the panel and tells it when the user, the scene or the parameters come and go."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.panel = None
        self._parameterNode = None
        self._guiTag = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        from SpiderSegLib.gui.annotation.placing import placeSections
        from SpiderSegLib.gui.panel import Panel
        from SpiderSegLib.mrml.terminologies import loadTerminology
        from SpiderSegLib.paths import RESOURCES, data_path

        uiWidget = slicer.util.loadUI(str(data_path(RESOURCES, "UI", "SpiderSeg.ui")))
        placeSections(uiWidget, slicer.util.loadUI(str(data_path(RESOURCES, "UI", "SpiderSegProject.ui"))))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        loadTerminology(slicer.modules.terminologies.logic())
        self.logic = SpiderSegLogic()
        self.panel = Panel(self.ui, slicer.mrmlScene, self.logic.queue)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeAddedEvent, self.panel.refreshLater)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeAboutToBeRemovedEvent, self.onNodeAboutToBeRemoved)
        self.initializeParameterNode()

    def cleanup(self):
        """Called when the application closes or the module is reloaded."""
        if self.panel is not None:
            self._setParameterNode(None)
            self.panel.cleanUp()
        self.removeObservers()

    def enter(self):
        """Called when the user opens the module."""
        self.initializeParameterNode()
        self.panel.shortcuts.install()
        self.panel.annotation.onEnter()

    def exit(self):
        """Called when the user leaves for another module: runs go on, an open case stays, keys and clicks are given back."""
        self.panel.shortcuts.remove()
        self.panel.clicks.stop()
        self.panel.annotation.onExit()

    def onSceneStartClose(self, caller, event):
        self.panel.onSceneClosing()
        self._setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        if self.parent.isEntered:
            self.initializeParameterNode()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAboutToBeRemoved(self, caller, event, node):
        self.panel.onNodeAboutToBeRemoved(node)

    def onReload(self):
        """Reloads the library with the module, so that Reload & Test runs what was just edited."""
        for name in [name for name in sys.modules if name.split(".")[0] == "SpiderSegLib"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def initializeParameterNode(self):
        """Takes the parameters of the scene."""
        self._setParameterNode(self.logic.getParameterNode())

    def _setParameterNode(self, parameterNode):
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._guiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.panel.onParametersModified)
        self._parameterNode = parameterNode
        if parameterNode is not None:
            self._guiTag = parameterNode.connectGui(self.ui)
            self.addObserver(parameterNode, vtk.vtkCommand.ModifiedEvent, self.panel.onParametersModified)
        self.panel.setParameterNode(parameterNode)


class SpiderSegLogic(ScriptedLoadableModuleLogic):
    """The module for scripts: `logic.segment(volumeNode, onLoaded, onFailed)` does what the button does, without the panel."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        from SpiderSegLib.gui.slicer_queue import makeSlicerQueue

        self.queue = makeSlicerQueue()

    def getParameterNode(self):
        return SpiderSegParameterNode(super().getParameterNode())

    def segment(self, volumeNode, onLoaded, onFailed, settings=None):
        """Starts a run and returns it at once; onLoaded(segmentationNode, messages) or onFailed(text) is called from the event loop."""
        from SpiderSegLib.mrml.runs import RunSettings
        from SpiderSegLib.mrml.workers.node_runs import NodeRuns

        return NodeRuns(slicer.mrmlScene, self.queue).segment(volumeNode, settings or RunSettings(), onLoaded, onFailed)


class SpiderSegTest(ScriptedLoadableModuleTest):
    """The module's own test, the same in a user's Slicer (Reload & Test) and without the application.

    It works on the scene's panel as a person does. Without PyTorch only the run itself is left out, and the message names what is missing.
    """

    #: The run takes seconds on a usual computer; a slow one that is busy with other things needs minutes.
    TIMEOUT_S = 300.0

    #: Whose masks those of the test are.
    ANNOTATOR = "Self-test"

    def setUp(self):
        slicer.mrmlScene.Clear(0)

    def runTest(self):
        self.setUp()
        self.test_PhantomFromSegmentToExport()
        self.setUp()
        self.test_CancelledRunLeavesTheSceneAsItWas()
        self.setUp()
        self.test_SceneClosedDuringARun()
        self.setUp()
        self.test_ProjectFromOpenToDone()
        self.setUp()

    def widget(self):
        """The panel's widget, opened if it is not."""
        if slicer.util.mainWindow() is not None:
            slicer.util.selectModule("SpiderSeg")
        widget = slicer.util.getModuleWidget("SpiderSeg")
        widget.initializeParameterNode()
        return widget

    def waitUntil(self, condition, what):
        """Lets the application work until a condition holds."""
        deadline = time.monotonic() + self.TIMEOUT_S
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"{what} took more than {self.TIMEOUT_S:.0f} s")
            slicer.app.processEvents()
            time.sleep(0.01)

    def canRun(self, widget):
        """Whether the packages of a run are there; says which are not."""
        missing = widget.panel.segment.missingPackages()
        if missing:
            self.delayDisplay("The run is left out, missing: {}".format(", ".join(str(package) for package in missing)))
        return not missing

    def segmentPhantom(self, widget):
        """The phantom's segmentation: by the button with the bundled weights, or from its true labelmap where nothing can run."""
        from SpiderSegLib.mrml.segmentations import newSegmentationNode
        from SpiderSegLib.phantom import make_phantom

        volumeNode = loadPhantom()
        widget.panel.parameterNode.inputVolume = volumeNode
        widget.panel.refresh()
        if self.canRun(widget):
            widget.ui.applyButton.click()
            self.assertEqual(widget.ui.applyButton.text, _("Cancel"))
            self.waitUntil(lambda: not widget.panel.segment.isRunning, "segmenting the phantom")
            self.assertIsNotNone(widget.panel.segmentationNode, widget.ui.progressLabel.text)
        else:
            phantom = make_phantom()
            widget.panel.parameterNode.segmentation = newSegmentationNode(slicer.mrmlScene, phantom.labelmap, volumeNode)
        widget.panel.refresh()
        return volumeNode, widget.panel.segmentationNode

    def test_PhantomFromSegmentToExport(self):
        """Segments the phantom, shifts a level, paints, takes both back, and writes a file that holds what was seen."""
        import numpy as np

        from SpiderSegLib.io import read_labelmap
        from SpiderSegLib.mrml.segmentations import labelmapOf
        from SpiderSegLib.mrml.segments import maskOf, segmentIdOfValue, segmentOf

        widget = self.widget()
        volumeNode, segmentationNode = self.segmentPhantom(widget)
        before = labelmapOf(segmentationNode, volumeNode).labelmap.array.copy()
        self.assertTrue({1, 2, 3, 4, 5, 100, 201, 202, 203, 204} <= set(np.unique(before).tolist()), "levels L5 to L1, their discs and the canal")
        lowest = segmentIdOfValue(segmentationNode, 1)
        self.assertEqual(segmentOf(segmentationNode, lowest).GetName(), "L5?")

        self.delayDisplay("Shift all levels up")
        widget.ui.shiftUpButton.click()
        self.assertEqual(segmentOf(segmentationNode, lowest).GetName(), "L4?")

        self.delayDisplay("Paint")
        painted = maskOf(segmentationNode, lowest)
        brush = np.zeros_like(painted)
        brush[brush.shape[0] // 2, :5, :5] = True
        self.paint(widget, segmentationNode, volumeNode, lowest, brush)
        self.assertEqual(int(maskOf(segmentationNode, lowest).sum()), int(painted.sum()) + 25)

        self.delayDisplay("Undo both")
        widget.ui.segmentEditorWidget.undo()
        widget.ui.segmentEditorWidget.undo()
        self.assertEqual(segmentOf(segmentationNode, lowest).GetName(), "L5?")
        np.testing.assert_array_equal(labelmapOf(segmentationNode, volumeNode).labelmap.array, before)

        self.delayDisplay("Save")
        with tempfile.TemporaryDirectory() as folder:
            widget.ui.folderPathLineEdit.currentPath = folder
            widget.ui.formatComboBox.currentIndex = 1
            widget.panel.refresh()
            widget.ui.exportButton.click()
            written = read_labelmap(next(Path(folder).glob("*.mha")))
            np.testing.assert_array_equal(written.array, before)

    def paint(self, widget, segmentationNode, volumeNode, segmentId, brush):
        """A stroke of the brush: what the Paint effect gives to the segment editor's logic."""
        from SpiderSegLib.mrml.segments import geometryOfImage, referenceImage
        from SpiderSegLib.mrml.volumes import orientedImage

        widget.ui.segmentEditorWidget.saveStateForUndo()
        logic = slicer.vtkSlicerSegmentEditorLogic()
        logic.SetMRMLScene(slicer.mrmlScene)
        logic.SetSegmentEditorNode(widget.ui.segmentEditorWidget.mrmlSegmentEditorNode())
        logic.SetSegmentationNode(segmentationNode)
        logic.SetSourceVolumeNode(volumeNode)
        image = orientedImage(brush.astype("uint8"), geometryOfImage(referenceImage(segmentationNode)))
        add = slicer.vtkSlicerSegmentEditorLogic.ModificationModeAdd
        logic.ModifySegmentByLabelmap(segmentationNode, segmentId, image, add, False, True)

    def test_CancelledRunLeavesTheSceneAsItWas(self):
        """Cancels a run in the middle of it."""
        widget = self.widget()
        if not self.canRun(widget):
            return
        widget.panel.parameterNode.inputVolume = loadPhantom()
        widget.panel.refresh()
        nodes = self.nodeIds()
        widget.ui.applyButton.click()
        worker = widget.panel.queue.running
        self.waitUntil(lambda: worker.stage != "" or worker.state.isFinal, "the start of a run")
        widget.ui.applyButton.click()
        self.waitUntil(lambda: not widget.panel.segment.isRunning, "cancelling a run")
        self.assertIsNone(widget.panel.segmentationNode)
        self.assertEqual(self.nodeIds(), nodes)
        widget.panel.refresh()
        self.assertEqual(widget.ui.applyButton.text, _("Segment"))

    def test_SceneClosedDuringARun(self):
        """Closes the scene while a run goes."""
        widget = self.widget()
        if not self.canRun(widget):
            return
        widget.panel.parameterNode.inputVolume = loadPhantom()
        widget.panel.refresh()
        widget.ui.applyButton.click()
        self.assertTrue(widget.panel.segment.isRunning)
        slicer.mrmlScene.Clear(0)
        self.waitUntil(lambda: not widget.panel.queue.isBusy, "ending the run of a closed scene")
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode"), 0)

    def test_ProjectFromOpenToDone(self):
        """Opens a project of one phantom, corrects its mask, saves it as done, and leaves without a question."""
        widget = self.widget()
        if not self.canRun(widget):
            return
        import qt

        from SpiderSegLib.gui.annotation.remembered import ANNOTATOR_KEY, RECENT_KEY

        settings = qt.QSettings()
        remembered = {key: settings.value(key) for key in (ANNOTATOR_KEY, RECENT_KEY)}
        try:
            with tempfile.TemporaryDirectory() as folder:
                self.annotatePhantom(widget, *self.phantomProject(Path(folder) / "project"))
        finally:
            for key, value in remembered.items():
                settings.remove(key) if value is None else settings.setValue(key, value)
            widget.ui.annotatorLineEdit.text = str(remembered[ANNOTATOR_KEY] or "")

    def annotatePhantom(self, widget, project, labels):
        """Goes through a project of one series whose prediction is `labels`."""
        from SpiderSegLib.corrections import read_history, read_mask
        from SpiderSegLib.mrml.segments import segmentIdOfValue

        widget.ui.annotatorLineEdit.text = self.ANNOTATOR
        widget.ui.projectPathLineEdit.currentPath = str(project.root)
        widget.panel.refresh()
        widget.ui.openProjectButton.click()
        widget.panel.refresh()
        self.delayDisplay("Next, paint, done")
        widget.ui.nextCaseButton.click()
        widget.panel.refresh()
        brush = labels == 0
        brush[:, 5:, :] = False
        segmentationNode = widget.panel.segmentationNode
        self.paint(widget, segmentationNode, widget.panel.volumeNode, segmentIdOfValue(segmentationNode, 1), brush)
        widget.ui.doneCaseButton.click()
        newest = read_history(project.folder, "phantom_t2").newest
        self.assertEqual((newest.status.value, newest.annotator), ("done", self.ANNOTATOR))
        saved = read_mask(project.folder, newest).array
        self.assertEqual(int((saved == 1).sum()), int((labels == 1).sum()) + int(brush.sum()))
        widget.ui.closeProjectButton.click()
        self.assertFalse(widget.panel.annotation.isOpen)

    def phantomProject(self, root):
        """A project of one phantom with its true labelmap as the prediction; and that labelmap."""
        import hashlib

        from SpiderSegLib.annotation_project.predictions import PredictionFacts, write_prediction
        from SpiderSegLib.annotation_project.project import create_project
        from SpiderSegLib.corrections import SeriesRecord, write_series_record
        from SpiderSegLib.fingerprint import content_hash
        from SpiderSegLib.io import write_volume
        from SpiderSegLib.phantom import make_phantom

        project, phantom, series = create_project(root), make_phantom(), "phantom_t2"
        path = project.folder.image(series)
        write_volume(path, phantom.volume)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        geometry = phantom.volume.geometry
        record = SeriesRecord(series, "phantom", geometry, sha256, sha256, content_hash(phantom.volume), {})
        write_series_record(project.folder, record, self.ANNOTATOR)
        sidecar = {"level_state": {"state": "assumed", "reasons": []}, "levels": [], "model": {"id": "phantom"}}
        write_prediction(project.folder, series, phantom.labelmap, PredictionFacts("phantom"), sidecar)
        return project, phantom.labelmap.array

    def nodeIds(self):
        """IDs of all nodes of the scene."""
        return sorted(slicer.mrmlScene.GetNthNode(index).GetID() for index in range(slicer.mrmlScene.GetNumberOfNodes()))
