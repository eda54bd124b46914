"""The application that the harness builds: scene, files, module life cycle, parameter binding, processes, packages, editor, views."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from zipfile import ZipFile

import ctk
import numpy as np
import pytest
import qt
import slicer
import slicer.packaging
import vtk

import harness
from harness.application import startup_environment

EXAMPLE = Path(__file__).parent / "example"


@pytest.fixture
def example(tmp_path, load_module):
    """The example module, loaded from a copy and entered."""
    shutil.copytree(EXAMPLE, tmp_path / "Example")
    loaded = load_module(tmp_path / "Example" / "Example.py")
    loaded.enter()
    return loaded


def add_volume(name="Volume", shape=(3, 4, 5), value=7):
    return slicer.util.addVolumeFromArray(np.full(shape, value, np.int16), name=name)


class TestModuleLifeCycle:
    def test_a_button_is_enabled_by_the_scene_and_clicked_with_the_mouse(self, example):
        with pytest.raises(AssertionError, match="'applyButton' is disabled"):
            harness.click(example.ui.applyButton)
        add_volume("T2")
        harness.choose(example.ui.inputSelector, "T2")
        harness.click(example.ui.applyButton)
        assert example.widget.applied == ["T2"]
        assert "applyButton" in harness.clicked

    def test_a_hidden_button_cannot_be_clicked(self, example):
        harness.click(example.ui.inputs)
        assert example.ui.inputs.collapsed is True
        with pytest.raises(AssertionError, match="'invert' is not visible"):
            harness.click(example.ui.invert)

    def test_every_button_of_the_panel_can_be_enumerated(self, example):
        assert set(harness.buttons(example.panel)) == {"inputs", "invert", "applyButton"}

    def test_closing_the_scene_leaves_a_module_that_works(self, example):
        add_volume("T2")
        harness.choose(example.ui.inputSelector, "T2")
        slicer.mrmlScene.Clear(0)
        assert example.ui.inputSelector.currentNode() is None
        assert example.ui.applyButton.enabled is False
        add_volume("T1")
        harness.choose(example.ui.inputSelector, "T1")
        assert example.ui.applyButton.enabled is True

    def test_reload_makes_a_new_widget_and_the_old_one_lets_go_of_the_scene(self, example):
        old = example.widget
        example.reload()
        assert example.widget is not old
        assert old.Observations == []

    def test_the_modules_own_test_runs_and_its_failure_is_raised(self, example, monkeypatch):
        harness.run_self_test(example)
        monkeypatch.setattr(example.python_module, "makeEmptyVolume", None)
        slicer.modules.sampleDataSources["Example"].clear()
        with pytest.raises(KeyError, match="ExampleEmpty"):
            harness.run_self_test(example)

    def test_closing_the_application_cleans_up(self, tmp_path):
        shutil.copytree(EXAMPLE, tmp_path / "Example")
        loaded = harness.load_module(tmp_path / "Example" / "Example.py")
        widget = loaded.widget
        loaded.unload()
        assert widget.Observations == []
        assert not hasattr(slicer.modules, "example")

    def test_a_module_description_takes_only_slicers_attributes(self, example):
        assert (example.module.title, list(example.module.categories)) == ("Example", ["Testing"])
        with pytest.raises(AttributeError, match="tittle"):
            example.module.tittle = "Misspelt"

    def test_an_error_in_a_slot_is_shown_to_the_user_and_recorded(self, example, monkeypatch):
        monkeypatch.setattr(slicer.app, "_testing", False)
        monkeypatch.setattr(slicer.util, "mainWindow", lambda: example.panel)
        example.ui.applyButton.enabled = True
        with harness.answering(qt.QMessageBox.Ok) as shown:
            harness.click(example.ui.applyButton)
        assert shown[0].text.startswith("It failed.\n\n'NoneType'")
        assert len(harness.slot_errors) == 1
        harness.slot_errors.clear()


class TestParameterBinding:
    def test_widgets_show_the_defaults_and_ranges(self, example):
        ui = example.ui
        assert (ui.thresholdSlider.value, ui.thresholdSlider.minimum, ui.thresholdSlider.maximum) == (100.0, -100.0, 500.0)
        assert (ui.countSpinBox.value, ui.countSpinBox.minimum, ui.invert.checked) == (3, 1, False)
        assert [ui.device.itemText(index) for index in range(ui.device.count)] == ["Automatic", "Processor"]
        assert ui.device.currentText == "Processor"

    def test_what_the_user_does_reaches_the_node(self, example):
        parameters = example.widget._parameterNode
        harness.click(example.ui.invert)
        harness.choose(example.ui.device, "Automatic")
        harness.type_text(example.ui.countSpinBox, "12")
        example.ui.thresholdSlider.value = 7.5
        example.ui.folder.currentPath = "/data"
        assert (parameters.invert, parameters.device.name, parameters.count) == (True, "AUTO", 12)
        assert (parameters.threshold, parameters.folder) == (7.5, Path("/data"))
        node = parameters.parameterNode
        assert [node.GetParameter(name) for name in ("invert", "device", "count", "threshold")] == ["True", "AUTO", "12", "7.5"]

    def test_what_the_program_does_reaches_the_widgets(self, example):
        parameters = example.widget._parameterNode
        parameters.invert = True
        parameters.threshold = -5
        parameters.device = example.python_module.Device.AUTO
        parameters.inputVolume = add_volume("T2")
        assert (example.ui.invert.checked, example.ui.thresholdSlider.value) == (True, -5.0)
        assert (example.ui.device.currentText, example.ui.inputSelector.currentNode().GetName()) == ("Automatic", "T2")

    def test_after_leaving_the_module_neither_follows_the_other(self, example):
        parameters = example.widget._parameterNode
        example.exit()
        parameters.invert = True
        assert example.ui.invert.checked is False
        example.ui.thresholdSlider.value = 1.0
        assert parameters.threshold == 100.0

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("threshold", 501),
            ("threshold", "5"),
            ("count", 0),
            ("count", 2.0),
            ("count", True),
            ("invert", 1),
            ("device", "CPU"),
            ("folder", "/data"),
        ],
    )
    def test_a_value_that_is_not_allowed_is_refused_naming_the_parameter(self, example, name, value):
        before = getattr(example.widget._parameterNode, name)
        with pytest.raises(ValueError, match=f"parameter '{name}'"):
            setattr(example.widget._parameterNode, name, value)
        assert getattr(example.widget._parameterNode, name) == before

    def test_a_node_that_has_values_keeps_them(self, example):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
        node.SetParameter("count", "9")
        parameters = example.python_module.ExampleParameterNode(node)
        assert (parameters.count, parameters.invert) == (9, False)

    @pytest.mark.parametrize(("parameter", "message"), [("inverted", "no parameter 'inverted'"), ("count", "QCheckBox")])
    def test_a_widget_for_no_parameter_or_of_the_wrong_kind_is_an_error(self, example, parameter, message):
        with pytest.raises(ValueError, match=message):
            example.widget._parameterNode.connectParametersToGui({parameter: qt.QCheckBox()})

    def test_parameters_survive_a_scene_file(self, example, tmp_path):
        example.widget._parameterNode.count = 42
        assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
        slicer.mrmlScene.Clear(0)
        assert example.ui.countSpinBox.value == 3
        slicer.util.loadScene(str(tmp_path / "scene.mrb"))
        assert example.widget.logic.getParameterNode().count == 42


class TestNodeComboBox:
    @pytest.fixture
    def selector(self):
        selector = slicer.qMRMLNodeComboBox()
        selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        selector.setMRMLScene(slicer.mrmlScene)
        return selector

    def test_it_follows_nodes_that_are_added_renamed_and_removed(self, selector):
        selector.noneEnabled = True
        heard = []
        selector.connect("currentNodeChanged(vtkMRMLNode*)", heard.append)
        volume = add_volume("T1")
        assert (selector.nodeCount(), selector.currentNode(), heard) == (1, None, [])
        selector.setCurrentNode(volume)
        volume.SetName("T2")
        assert (selector.currentNodeID, heard) == (volume.GetID(), [volume])
        harness.choose(selector, "T2")
        slicer.mrmlScene.RemoveNode(volume)
        assert (selector.nodeCount(), selector.currentNode(), selector.currentNodeID) == (0, None, "")
        assert heard == [volume, None]

    def test_without_none_the_first_node_is_chosen(self, selector):
        assert selector.currentNode() is None
        first = add_volume("first")
        add_volume("second")
        assert selector.currentNode() is first
        slicer.mrmlScene.RemoveNode(first)
        assert selector.currentNode().GetName() == "second"

    def test_only_the_types_asked_for_and_no_hidden_nodes_are_listed(self, selector):
        add_volume("shown")
        add_volume("hidden").SetHideFromEditors(True)
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labelmap")
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "segmentation")
        assert sorted(node.GetName() for node in selector.nodes()) == ["labelmap", "shown"]
        selector.showChildNodeTypes = False
        assert [node.GetName() for node in selector.nodes()] == ["shown"]

    def test_an_attribute_filters_and_is_given_to_new_nodes(self, selector):
        add_volume("without")
        selector.addAttribute("vtkMRMLScalarVolumeNode", "Project", "SPIDER")
        selector.baseName = "New"
        assert selector.currentNode() is None
        assert selector.addNode() is selector.currentNode()
        assert [node.GetName() for node in selector.nodes()] == ["New"]


class TestFiles:
    def test_a_volume_goes_through_a_file_and_becomes_the_active_one(self, tmp_path):
        path = tmp_path / "volume.nrrd"
        assert slicer.util.saveNode(add_volume(value=9), str(path))
        loaded = slicer.util.loadVolume(path)
        assert slicer.util.arrayFromVolume(loaded).tolist() == np.full((3, 4, 5), 9).tolist()
        assert slicer.app.applicationLogic().GetSelectionNode().GetActiveVolumeID() == loaded.GetID()

    def test_a_volume_that_is_not_to_be_shown_moves_nobodys_view(self, tmp_path):
        slicer.util.saveNode(add_volume(), str(tmp_path / "volume.nrrd"))
        loaded = slicer.util.loadVolume(str(tmp_path / "volume.nrrd"), {"show": False})
        assert slicer.app.applicationLogic().GetSelectionNode().GetActiveVolumeID() != loaded.GetID()

    def test_a_segmentation_goes_through_a_bundle(self, tmp_path):
        volume = add_volume()
        segmentation = add_segmentation(volume)
        slicer.util.saveScene(str(tmp_path / "scene.mrb"))
        slicer.mrmlScene.Clear(0)
        slicer.util.loadScene(str(tmp_path / "scene.mrb"))
        segmentation = slicer.util.getFirstNodeByClassByName("vtkMRMLSegmentationNode", "Segmentation")
        assert [segmentation.GetSegmentation().GetNthSegment(0).GetName(), count_voxels(segmentation)] == ["L5", 8]

    def test_an_export_leaves_the_storage_node_alone(self, tmp_path):
        volume = add_volume()
        slicer.util.exportNode(volume, str(tmp_path / "out.nii.gz"))
        assert (tmp_path / "out.nii.gz").stat().st_size > 0
        assert volume.GetStorageNode() is None

    def test_what_cannot_be_read_is_slicers_error(self, tmp_path):
        with pytest.raises(RuntimeError, match=r"Failed to load node from file: .*missing.nrrd"):
            slicer.util.loadVolume(tmp_path / "missing.nrrd")


class TestProcesses:
    def launch(self, program, **options):
        lines, codes = [], []
        launcher = shutil.which("PythonSlicer")
        process = slicer.util.launchConsoleProcess(
            [launcher, "-c", program], blocking=False, logCallback=lines.append, completedCallback=codes.append, **options
        )
        return process, lines, codes

    def test_the_event_loop_runs_while_a_process_does(self):
        _, lines, codes = self.launch("import time; print('begun', flush=True); time.sleep(0.3); print('ended'); raise SystemExit(3)")
        with harness.EventLoopWatch() as watch:
            harness.wait_until(lambda: lines == ["begun"])
            harness.wait_until(lambda: codes)
        assert (lines, codes) == (["begun", "ended"], [3])
        assert watch.longest_gap_s > 0

    def test_a_process_does_not_see_the_development_install_or_slicers_pythonpath(self, monkeypatch, tmp_path):
        monkeypatch.setenv("PYTHONPATH", "/of/slicer")
        program = "import sys; print([p for p in sys.path if p.endswith('SpiderSeg') or p.startswith(('/of', '/given'))])"
        _, lines, codes = self.launch(program, updateEnvironment={"PYTHONPATH": "/given"})
        harness.wait_until(lambda: codes)
        assert lines == ["['/given']"]

    def test_the_start_up_environment_is_without_slicers_paths(self):
        assert startup_environment({"PYTHONPATH": "/of/slicer", "HOME": "/home"}) == {"HOME": "/home"}

    def test_killing_the_launcher_leaves_the_real_python_running(self):
        process, lines, _ = self.launch("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
        harness.wait_until(lambda: lines)
        child = int(lines[0])
        assert child != process.pid
        process.kill()
        harness.wait_until(lambda: process.poll() is not None)
        try:
            assert "python" in subprocess.run(["ps", "-o", "args=", "-p", str(child)], capture_output=True, text=True, check=True).stdout
        finally:
            os.kill(child, signal.SIGKILL)


class TestPackages:
    @pytest.fixture
    def wheels(self, tmp_path, monkeypatch):
        """A folder with two versions of a package, which is all that pip can find."""
        for version in ("1.0", "2.0"):
            information = f"harness_example-{version}.dist-info"
            with ZipFile(tmp_path / f"harness_example-{version}-py3-none-any.whl", "w") as wheel:
                wheel.writestr("harness_example.py", f"version = {version!r}\n")
                wheel.writestr(f"{information}/METADATA", f"Metadata-Version: 2.1\nName: harness-example\nVersion: {version}\nRequires-Dist: numpy\n")
                wheel.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
                wheel.writestr(f"{information}/RECORD", "")
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
        yield
        if slicer.packaging.pip_check("harness-example"):
            slicer.packaging.pip_uninstall("harness-example")

    def test_pip_really_installs_under_constraints_and_replaces_nothing(self, wheels, tmp_path):
        constraints = tmp_path / "constraints.txt"
        constraints.write_text(f"harness-example<2\nnumpy=={np.__version__}\n", encoding="utf-8")
        assert not slicer.packaging.pip_check("harness-example>=1 numpy")
        slicer.packaging.pip_ensure("harness-example>=1", constraints=constraints, requester="Test", skip_in_testing=False)
        import harness_example

        assert harness_example.version == "1.0"
        assert slicer.packaging.pip_check(["harness-example>=1", "numpy"])
        assert not slicer.packaging.pip_check("harness-example>=2")
        assert [path.name for path in harness.start().python.packages.glob("numpy*")] == []

    def test_a_skipped_dependency_is_named_and_not_installed(self, wheels):
        assert slicer.packaging.pip_ensure("harness-example", skip_packages=["numpy"], skip_in_testing=False) == ["numpy"]

    def test_nothing_is_installed_in_testing_mode_or_when_the_user_declines(self, wheels, monkeypatch):
        slicer.packaging.pip_ensure("harness-example")
        assert not slicer.packaging.pip_check("harness-example")
        monkeypatch.setattr(slicer.app, "_testing", False)
        with pytest.raises(RuntimeError, match="declined"), harness.answering(qt.QMessageBox.Cancel) as shown:
            slicer.packaging.pip_ensure("harness-example", requester="SpiderSeg")
        assert not shown or "harness-example" in shown[0].text

    def test_requirements_are_read_without_comments_and_options(self, tmp_path):
        path = tmp_path / "requirements.txt"
        path.write_text("# ours\n-c constraints.txt\n\nnumpy>=1.20\nscipy\n", encoding="utf-8")
        assert [str(requirement) for requirement in slicer.packaging.load_requirements(path)] == ["numpy>=1.20", "scipy"]


def add_segmentation(volume):
    """A segmentation of one segment, L5, of 2 x 2 x 2 voxels."""
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Segmentation")
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segmentation.CreateDefaultDisplayNodes()
    segmentation.GetSegmentation().AddEmptySegment("level1", "L5", (1.0, 0.0, 0.0))
    mask = np.zeros(slicer.util.arrayFromVolume(volume).shape, np.uint8)
    mask[:2, :2, :2] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation, "level1", volume)
    return segmentation


def count_voxels(segmentation):
    volume = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    return int(slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, "level1", volume).sum())


class TestSegmentEditor:
    @pytest.fixture
    def editor(self):
        editor = slicer.qMRMLSegmentEditorWidget()
        editor.setMRMLScene(slicer.mrmlScene)
        editor.setMRMLSegmentEditorNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
        volume = add_volume()
        editor.setSegmentationNode(add_segmentation(volume))
        editor.setSourceVolumeNode(volume)
        editor.setCurrentSegmentID("level1")
        return editor

    def paint(self, editor):
        """What the Paint effect does with one brush stroke over the whole volume."""
        logic = slicer.vtkSlicerSegmentEditorLogic
        node = editor.mrmlSegmentEditorNode()
        painter = logic()
        painter.SetMRMLScene(slicer.mrmlScene)
        painter.SetSegmentEditorNode(node)
        painter.ResetModifierLabelmapToDefault()
        stroke = painter.GetModifierLabelmap()
        stroke.GetPointData().GetScalars().Fill(1)
        painter.ModifySegmentByLabelmap(editor.segmentationNode(), "level1", stroke, logic.ModificationModeAdd, False, False)

    def test_a_stroke_is_undone_and_redone(self, editor):
        editor.saveStateForUndo()
        self.paint(editor)
        assert count_voxels(editor.segmentationNode()) == 60
        editor.undo()
        assert count_voxels(editor.segmentationNode()) == 8
        editor.redo()
        assert count_voxels(editor.segmentationNode()) == 60

    def test_names_and_tags_of_segments_are_undone_with_the_voxels(self, editor):
        segment = editor.segmentationNode().GetSegmentation().GetSegment("level1")
        segment.SetTag("SpiderSeg.Level", "1")
        editor.saveStateForUndo()
        segment.SetName("L4")
        segment.SetTag("SpiderSeg.Level", "2")
        editor.undo()
        segment = editor.segmentationNode().GetSegmentation().GetSegment("level1")
        tag = vtk.reference("")
        segment.GetTag("SpiderSeg.Level", tag)
        assert (segment.GetName(), str(tag)) == ("L5", "1")

    def test_the_node_holds_what_the_widget_shows(self, editor):
        node = editor.mrmlSegmentEditorNode()
        assert (node.GetSegmentationNode(), node.GetSourceVolumeNode()) == (editor.segmentationNode(), editor.sourceVolumeNode())
        node.SetSelectedSegmentID("")
        assert editor.currentSegmentID() == ""
        editor.setActiveEffectByName("Paint")
        assert node.GetActiveEffectName() == "Paint"
        with pytest.raises(ValueError, match="'Pain'"):
            editor.setActiveEffectByName("Pain")

    def test_closing_the_scene_takes_everything_from_it(self, editor):
        slicer.mrmlScene.Clear(0)
        assert (editor.mrmlSegmentEditorNode(), editor.segmentationNode(), editor.currentSegmentID()) == (None, None, "")


class TestSliceViews:
    def test_a_picture_shows_the_volume_and_the_segment_where_they_are(self):
        volume = add_volume(shape=(10, 10, 10), value=100)
        volume.CreateDefaultDisplayNodes()
        volume.GetDisplayNode().SetAutoWindowLevel(False)
        volume.GetDisplayNode().SetWindowLevel(200, 100)
        segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        segmentation.CreateDefaultDisplayNodes()
        segmentation.GetSegmentation().AddEmptySegment("level1", "L5", (1.0, 0.0, 0.0))
        lower_half = np.zeros((10, 10, 10), np.uint8)
        lower_half[:5] = 1
        slicer.util.updateSegmentBinaryLabelmapFromArray(lower_half, segmentation, "level1", volume)

        picture = harness.slice_view(volume, "Yellow", size=(200, 200))
        assert picture.shape == (200, 200, 3)
        assert picture[50, 100].tolist() == [127, 127, 127]
        # Half of the red segment over half of the grey: 255 and 127, 0 and 127.
        assert picture[150, 100].tolist() == pytest.approx([191, 63, 63], abs=1)

    def test_the_layout_manager_exists_only_while_views_are_open(self):
        assert slicer.app.layoutManager() is None
        views = harness.open_views("Yellow", "Red")
        assert views.sliceViewNames() == ("Yellow", "Red")
        volume = add_volume()
        slicer.util.setSliceViewerLayers(background=volume, fit=True)
        assert views.sliceWidget("Red").mrmlSliceCompositeNode().GetBackgroundVolumeID() == volume.GetID()
        assert views.sliceWidget("Yellow").mrmlSliceNode().GetOrientation() == "Sagittal"
        assert views.sliceWidget("Purple") is None
        harness.close_views()
        assert slicer.app.layoutManager() is None
        assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSliceNode") == 0

    def test_pictures_go_to_png_files(self, tmp_path):
        harness.slice_view(add_volume(), path=tmp_path / "slice.png")
        harness.grab(qt.QPushButton("Apply"), tmp_path / "button.png")
        assert all(path.read_bytes().startswith(b"\x89PNG") for path in (tmp_path / "slice.png", tmp_path / "button.png"))


class TestWidgets:
    def test_a_section_hides_its_contents_and_says_so(self):
        section = ctk.ctkCollapsibleButton("Levels")
        layout = qt.QVBoxLayout(section)
        label = qt.QLabel("inside")
        layout.addWidget(label)
        heard = []
        section.connect("contentsCollapsed(bool)", heard.append)
        section.show()
        harness.click(section)
        assert (section.collapsed, label.visible, heard) == (True, False, [True])
        section.collapsed = False
        assert (label.visible, section.checked, heard) == (True, True, [True, False])

    def test_a_slider_keeps_its_range_and_tells_of_every_value_once(self):
        slider = ctk.ctkSliderWidget()
        slider.setRange(0.0, 1.0)
        slider.singleStep = 0.1
        heard = []
        slider.connect("valueChanged(double)", heard.append)
        slider.value = 0.25
        slider.value = 7.0
        assert (slider.value, heard) == (1.0, [0.25, 1.0])
        with pytest.raises(AttributeError, match="value"):
            slider.value = "half"

    def test_the_browse_button_asks_for_a_folder(self):
        edit = ctk.ctkPathLineEdit()
        edit.filters = ctk.ctkPathLineEdit.Dirs | ctk.ctkPathLineEdit.Writable
        edit.show()
        with harness.answering("/data/project") as shown:
            harness.click(edit.findChild(qt.QToolButton))
        assert (edit.currentPath, shown[0].kind) == ("/data/project", "QFileDialog.getExistingDirectory")

    @pytest.mark.parametrize(("module", "name"), [(ctk, "ctkNoSuchWidget"), (slicer, "qMRMLNoSuchWidget")])
    def test_a_class_without_stand_in_is_an_attribute_error_naming_it(self, module, name):
        with pytest.raises(AttributeError, match=name):
            getattr(module, name)
