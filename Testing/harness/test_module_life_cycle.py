"""The module from loading to unloading: scenes that come and go, runs that go on, what is remembered, Reload and Test."""

from __future__ import annotations

import ast
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SampleData
import slicer

import harness
from harness.real_runs import segment_phantom
from harness.spine_panel import ENDLESS, MODULE, PATIENCE_S, SpinePanel, fake_on_path, node_ids, whole_record
from mrml_scene import columnLabels, columnPoint
from SpiderSegLib.labels import LevelState
from SpiderSegLib.mrml.segmentations import predictionNodeOf
from SpiderSegLib.mrml.segments import namingOf
from SpiderSegLib.mrml.spine_tools import predictedLabels
from SpiderSegLib.mrml.workers.process_tree import tree_of
from SpiderSegLib.process_table import identity_of, is_running

LIBRARY = MODULE.parent / "SpiderSegLib"

#: Waits until it is told to go on, then gives a result for the column.
GATED = "report('network', 0.4)\nwait_for('gate')\nanswer('whole')\n"

#: What a user's Slicer does not bring; requests, numpy and SimpleITK it does.
NOT_INSTALLED = ("torch", "monai", "einops", "scipy", "nibabel", "tqdm", "typer", "matplotlib", "highdicom", "skimage")


@pytest.fixture
def case(load_module):
    return SpinePanel(load_module(MODULE))


@pytest.fixture
def gated(monkeypatch, tmp_path):
    """PythonSlicer that finishes when told to."""
    fake = fake_on_path(monkeypatch, tmp_path, GATED)
    fake.has("whole", columnLabels(), whole_record())
    return fake


def idle(case):
    harness.wait_until(lambda: not case.panel.queue.isBusy, PATIENCE_S)
    case.settle()


# Loading, entering, leaving


def test_without_main_window_and_layout_the_module_is_made_opened_and_closed():
    loaded = harness.load_module(MODULE)
    assert (slicer.util.mainWindow(), slicer.app.layoutManager()) == (None, None)
    loaded.enter()
    harness.spin(0.05)
    loaded.unload()


def test_a_module_that_was_never_entered_is_closed_cleanly():
    harness.load_module(MODULE).unload()


def test_the_user_comes_goes_and_comes_back(case):
    case.open_column()
    case.select("L4?")
    parameters = case.parameters.parameterNode
    case.loaded.exit()
    case.loaded.enter()
    case.settle()
    assert case.parameters.parameterNode is parameters
    assert case.selected() == ["L4?"]
    case.click("shiftUpButton")
    assert case.names()[0] == "L4?"


def test_leaving_the_module_ends_waiting_for_clicks(case):
    case.open_column()
    case.select("L4?")
    nodes = node_ids()
    case.click("splitButton")
    case.loaded.exit()
    assert node_ids() == nodes
    assert not case.ui.splitButton.checked
    case.loaded.enter()


def test_opening_the_module_changes_nothing_in_the_scene_but_its_own_nodes(load_module):
    for name in ("vtkMRMLScriptedModuleNode", "vtkMRMLSegmentEditorNode"):  # closing a scene leaves them in it
        for node in slicer.util.getNodesByClass(name):
            slicer.mrmlScene.RemoveNode(node)
    before = set(node_ids())
    SpinePanel(load_module(MODULE))
    added = sorted(slicer.mrmlScene.GetNodeByID(one).GetClassName() for one in set(node_ids()) - before)
    assert added == ["vtkMRMLScriptedModuleNode", "vtkMRMLSegmentEditorNode"]


# Scenes


def test_after_the_scene_was_closed_the_panel_works_on_the_next_one(case):
    case.open_column()
    case.select("L4?")
    slicer.mrmlScene.Clear(0)
    case.settle()
    assert (case.node, case.panel.volumeNode, case.column(1)) == (None, None, [])
    assert case.ui.levelStateLabel.text == "No segmentation yet. Segment a series, or choose a segmentation above."
    case.open_column()
    case.paint("L5?", np.eye(12, 8, dtype=bool)[None].repeat(3, 0))
    case.undo()
    assert case.voxels()["L5?"] == 36
    case.click("shiftUpButton")
    assert case.names()[0] == "L4?"


def test_a_scene_closed_while_another_module_is_shown_is_taken_when_the_user_comes_back(case):
    case.open_column()
    case.loaded.exit()
    slicer.mrmlScene.Clear(0)
    harness.spin(0.05)
    case.loaded.enter()
    case.settle()
    case.open_column()
    assert case.names()[0] == "L5?"


def test_a_scene_closed_while_clicks_are_waited_for_is_clean(case):
    case.open_column()
    case.select("L4?")
    case.click("splitButton")
    slicer.mrmlScene.Clear(0)
    case.settle()
    assert not case.panel.clicks.isActive
    assert not case.ui.splitButton.checked


@pytest.mark.parametrize("is_closed_before", [True, False], ids=["into an empty scene", "beside an open one"])
def test_a_saved_scene_brings_back_parameters_segmentation_and_prediction(case, tmp_path, is_closed_before):
    case.open_column()
    case.click("confirmButton")
    case.click("mirrorCheckBox")
    case.ui.opacitySlider.value = 0.75
    case.ui.weightsPathLineEdit.currentPath = "/models/mine.pt"
    harness.choose(case.ui.deviceComboBox, "CPU")
    case.settle()
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    case.settle()
    assert (case.ui.mirrorCheckBox.checked, case.ui.weightsPathLineEdit.currentPath) == (False, "")
    if not is_closed_before:
        case.open_volume("other")
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    case.settle()
    assert case.panel.volumeNode.GetName() == "t2"
    np.testing.assert_array_equal(case.labels(), columnLabels())
    np.testing.assert_array_equal(predictedLabels(case.node), columnLabels())
    assert namingOf(case.node).state is LevelState.CONFIRMED
    assert (case.ui.mirrorCheckBox.checked, case.ui.opacitySlider.value) == (True, 0.75)
    assert (case.ui.weightsPathLineEdit.currentPath, case.ui.deviceComboBox.currentText) == ("/models/mine.pt", "CPU")
    case.select("L4")
    case.click("islandsButton")
    assert case.ui.correctMessageLabel.text == "L4: nothing to do"
    case.click("shiftUpButton")
    case.undo()
    assert case.names()[0] == "L5"


def test_a_deleted_segmentation_takes_what_belongs_to_it_out_of_the_scene(case):
    case.open_volume()
    before = node_ids()
    case.parameters.segmentation = None
    case.open_column()
    harness.choose(case.ui.overlayComboBox, "What was changed")
    case.settle()
    volume_node = case.panel.volumeNode
    slicer.mrmlScene.RemoveNode(case.node)
    slicer.mrmlScene.RemoveNode(volume_node)
    case.settle()
    kept = {slicer.mrmlScene.GetNodeByID(one).GetClassName() for one in set(node_ids()) - set(before)}
    assert "vtkMRMLLabelMapVolumeNode" not in kept


# Runs


def test_two_runs_wait_for_each_other_and_each_brings_its_segmentation(case, gated):
    first, second = case.open_volume("first"), case.open_volume("second")
    case.click("applyButton")
    harness.wait_until(lambda: case.ui.progressBar.value == 40, PATIENCE_S)
    case.parameters.inputVolume = second
    case.settle()
    assert case.ui.applyButton.text == "Segment"
    case.click("applyButton")
    assert [worker.title for worker in case.panel.queue.workers] == ["first", "second"]
    assert case.ui.applyButton.text == "Cancel"
    assert len(gated.calls) == 1
    gated.go("gate")
    idle(case)
    assert len(gated.calls) == 2
    segmentations = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert [node.GetName() for node in segmentations] == ["first segmentation", "second segmentation"]
    assert case.node is segmentations[1]
    assert first.GetName() == "first"


def test_a_result_for_another_series_than_the_chosen_one_is_offered_and_not_shown(case, gated):
    case.open_volume("first")
    second = case.open_volume("second")
    case.click("applyButton")
    case.parameters.inputVolume = second
    case.settle()
    gated.go("gate")
    idle(case)
    assert case.node is None
    assert case.ui.progressLabel.text == "first segmentation is ready to be chosen."
    harness.choose(case.ui.segmentationSelector, "first segmentation")
    case.settle()
    assert case.names()[0] == "L5?"


def test_a_run_that_waits_is_cancelled_and_the_one_before_it_goes_on(case, gated):
    case.open_volume("first")
    second = case.open_volume("second")
    case.click("applyButton")
    case.parameters.inputVolume = second
    case.settle()
    case.click("applyButton")
    case.click("applyButton")
    assert [worker.title for worker in case.panel.queue.workers] == ["first"]
    gated.go("gate")
    idle(case)
    assert [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")] == ["first segmentation"]


def test_a_result_that_comes_while_another_module_is_shown_is_there_on_return(case, gated):
    case.open_volume()
    case.click("applyButton")
    case.loaded.exit()
    gated.go("gate")
    harness.wait_until(lambda: not case.panel.queue.isBusy, PATIENCE_S)
    assert case.node.GetName() == "t2 segmentation"
    case.loaded.enter()
    case.settle()
    assert case.names()[0] == "L5?"
    assert case.ui.progressLabel.text == "Done."


def test_a_scene_closed_during_a_run_ends_it(case, gated):
    case.open_volume()
    case.click("applyButton")
    folder = case.panel.queue.running.folder.path
    slicer.mrmlScene.Clear(0)
    idle(case)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    assert not folder.exists()
    assert (case.ui.applyButton.text, case.ui.progressBar.visible) == ("Segment", False)


def test_a_run_keeps_the_series_as_it_was_when_it_was_started(case, gated):
    volume_node = case.open_volume(array=np.full(columnLabels().shape, 5, np.int16))
    case.click("applyButton")
    harness.wait_until(lambda: gated.calls, PATIENCE_S)
    slicer.util.arrayFromVolume(volume_node)[:] = 9
    from SpiderSegLib.io import read_volume

    given = read_volume(Path(gated.calls[0][1]))
    assert set(np.unique(given.array)) == {5}
    gated.go("gate")
    idle(case)


def test_the_module_closed_during_the_real_run_leaves_no_process_and_no_folder():
    case = SpinePanel(harness.load_module(MODULE))
    case.open_volume()
    case.click("applyButton")
    worker = case.panel.queue.running
    harness.wait_until(lambda: worker.stage, PATIENCE_S)
    tree = tree_of([identity_of(worker._process.pid)])
    assert len(tree) == 2
    case.loaded.unload()
    assert [process for process in tree if is_running(process)] == []
    assert not worker.folder.path.exists()


def test_a_run_brings_its_result_without_moving_a_view_and_the_event_loop_goes_on(capsys):
    run = segment_phantom()
    assert run.failure == ""
    assert run.views_afterwards == run.views_before
    with capsys.disabled():
        print(f" [real run {run.seconds:.1f} s, longest gap of the event loop {1000 * run.longest_gap_s:.0f} ms]", end="")  # noqa: T201


def test_scripts_segment_without_the_panel(case, gated):
    heard = []
    volume_node = case.open_volume()
    run = case.loaded.widget.logic.segment(volume_node, lambda node, messages: heard.append((node.GetName(), messages)), heard.append)
    assert run.title == "t2"
    gated.go("gate")
    harness.wait_until(lambda: heard, PATIENCE_S)
    assert heard == [("t2 segmentation", [])]


# What is remembered


def display_of(case):
    return case.parameters.opacity, case.parameters.outlineOnly, case.parameters.colorByConfidence


def test_the_display_is_remembered_from_one_session_to_the_next(load_module):
    case = SpinePanel(harness.load_module(MODULE))
    case.ui.opacitySlider.value = 0.9
    case.click("outlineCheckBox")
    case.click("confidenceCheckBox")
    case.loaded.unload()
    slicer.mrmlScene.Clear(0)
    case = SpinePanel(load_module(MODULE))
    assert display_of(case) == (0.9, True, True)
    assert (case.ui.opacitySlider.value, case.ui.outlineCheckBox.checked, case.ui.confidenceCheckBox.checked) == (0.9, True, True)
    case.open_column()
    display = case.node.GetDisplayNode()
    assert (display.GetOpacity2DFill(), display.GetVisibility2DFill()) == (0.9, False)


def test_the_opacity_is_shown_while_the_slider_moves(case):
    case.open_column()
    case.ui.opacitySlider.value = 0.2
    assert case.node.GetDisplayNode().GetOpacity2DFill() == 0.2


def test_a_scene_of_somebody_else_does_not_change_what_is_remembered(case, tmp_path):
    case.open_column()
    slicer.app.userSettings().setValue("SpiderSeg/opacity", 0.9)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    case.settle()
    assert case.parameters.opacity == 0.9
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    case.settle()
    assert case.parameters.opacity == 0.4
    assert case.node.GetDisplayNode().GetOpacity2DFill() == 0.4
    assert float(slicer.app.userSettings().value("SpiderSeg/opacity")) == 0.9


@pytest.mark.parametrize("key", ["opacity", "exportFormat"])
def test_damaged_settings_do_not_keep_the_module_from_opening(load_module, key):
    slicer.app.userSettings().setValue(f"SpiderSeg/{key}", "much")
    case = SpinePanel(load_module(MODULE))
    assert (case.parameters.opacity, case.ui.formatComboBox.currentIndex) == (0.4, 0)


def test_folder_and_format_of_the_last_export_are_remembered(load_module, tmp_path):
    case = SpinePanel(harness.load_module(MODULE))
    case.open_column()
    case.ui.folderPathLineEdit.currentPath = str(tmp_path)
    harness.choose(case.ui.formatComboBox, "SPIDER labelmap (.mha)")
    case.settle()
    case.click("exportButton")
    case.loaded.unload()
    slicer.mrmlScene.Clear(0)
    case = SpinePanel(load_module(MODULE))
    assert (case.ui.folderPathLineEdit.currentPath, case.ui.formatComboBox.currentText) == (str(tmp_path), "SPIDER labelmap (.mha)")


# Sample data, Reload, Test


def test_the_phantom_is_offered_as_sample_data_and_chosen_by_the_panel(case):
    sources = slicer.modules.sampleDataSources["SpiderSeg"]
    assert [source.sampleName for source in sources][-1:] == ["SpiderSegPhantom"]
    node = SampleData.downloadSample("SpiderSegPhantom")
    case.settle()
    assert (node.GetName(), case.panel.volumeNode) == ("phantom_t2", node)


@pytest.fixture
def library():
    """The library's modules, put back after a reload made new ones, for the tests that come later."""
    kept = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "SpiderSegLib"}
    yield kept
    for name in [name for name in sys.modules if name.split(".")[0] == "SpiderSegLib"]:
        del sys.modules[name]
    sys.modules.update(kept)


def test_reload_brings_a_new_panel_that_works_with_a_new_library(case, library):
    case.open_column()
    old = case.loaded.widget
    case.loaded.reload()
    harness.spin(0.1)
    assert case.loaded.widget is not old
    assert sys.modules["SpiderSegLib.gui.panel"] is not library["SpiderSegLib.gui.panel"]
    assert type(case.panel) is sys.modules["SpiderSegLib.gui.panel"].Panel
    assert old.Observations == []
    case.settle()
    case.click("shiftUpButton")
    assert case.names()[0] == "L4?"


def test_a_reload_during_a_run_ends_it(case, library, gated):
    case.open_volume()
    case.click("applyButton")
    worker = case.panel.queue.running
    process = worker._process
    case.loaded.reload()
    assert process.poll() is not None
    assert not worker.folder.path.exists()


@pytest.mark.slow
def test_reload_and_test_passes_with_the_bundled_weights(case, library):
    case.loaded.widget.onReloadAndTest(msec=0)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_the_modules_own_test_passes_where_nothing_can_run(case, monkeypatch, tmp_path):
    class NoPackages:
        def missingPackages(self):
            return ["torch"]

    fake = fake_on_path(monkeypatch, tmp_path, ENDLESS)
    case.panel.installation = NoPackages()
    case.panel.segment._missing = None
    harness.run_self_test(case.loaded)
    assert fake.calls == []


# Packages, words

_HIDDEN_PACKAGES = """
import importlib.abc, sys
import harness
harness.start()
class Hide(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"hidden: {{name}}", name=name)
sys.meta_path.insert(0, Hide())
assert not {hidden!r} & {{name.split(".")[0] for name in sys.modules}}
loaded = harness.load_module({module!r})
assert not {hidden!r} & {{name.split(".")[0] for name in sys.modules}}
loaded.enter()
harness.spin(0.1)
assert harness.slot_errors == [] and harness.failed_connections == [], harness.slot_errors
print("works")
"""


def test_the_panel_opens_before_any_package_is_installed():
    program = _HIDDEN_PACKAGES.format(hidden=set(NOT_INSTALLED), module=str(MODULE))
    environment = {"PYTHONPATH": str(Path(harness.__file__).parents[1]), "PATH": "/usr/bin:/bin", "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=PATIENCE_S)
    assert done.stdout.endswith("works\n"), done.stderr


#: What people read stands in the files of the panel, and in those below them that translate.
TRANSLATION = "from SpiderSegLib.mrml.translation import _"
SHARED_FILES = [path for path in sorted((LIBRARY / "mrml").rglob("*.py")) if TRANSLATION in path.read_text(encoding="utf-8")]
TRANSLATED_FILES = [MODULE, *sorted((LIBRARY / "gui").rglob("*.py")), *SHARED_FILES]


def translated(node: ast.AST) -> bool:
    """Whether a node is a call of _() or translate()."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "translate")


def untranslated_sentences(tree: ast.AST) -> list[str]:
    """String literals of two words and more that are neither inside _() nor for developers: docstrings, log lines, tests, file contents."""
    found = []

    def visit(node: ast.AST) -> None:
        if translated(node) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            return
        if isinstance(node, ast.ClassDef) and node.name.endswith("Test"):
            return
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("logger."):
            return
        if isinstance(node, ast.Raise) and node.exc is not None and ast.unparse(node.exc).startswith(("RuntimeError", "NotImplementedError")):
            return
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(words(node.value)) > 1:
            found.append(f"line {node.lineno}: {node.value!r}")
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return found


def words(text: str) -> list[str]:
    return [word for word in text.split() if word.isalpha()]


#: What is no language of people: a representation's name in MRML, commands, annotations, a thread's name, marks in records and reports.
NO_SENTENCES = (
    *("'The SpiderSeg developers'", "'Closed surface'", "'python -m pip download'", "-m pip install", "'str | None'", "'worker output'"),
    *("'spiderseg project'", "'by the rule'", "': champion, challenger and reference'"),
)


def test_what_stands_below_the_panel_is_translated_by_slicer_itself():
    """A function around Slicer's would make it look under the wrong file's name."""
    # Run anew: other tests may have imported it before the application was there.
    assert runpy.run_path(str(LIBRARY / "mrml" / "translation.py"))["_"] is slicer.i18n.tr


@pytest.mark.parametrize("path", TRANSLATED_FILES, ids=lambda path: path.name)
def test_every_sentence_can_be_translated(path):
    found = untranslated_sentences(ast.parse(path.read_text(encoding="utf-8")))
    assert [text for text in found if not any(known in text for known in NO_SENTENCES)] == []


@pytest.mark.parametrize("path", TRANSLATED_FILES, ids=lambda path: path.name)
def test_what_is_translated_is_a_literal(path):
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if translated(node)]
    assert [ast.unparse(call) for call in calls if not all(isinstance(argument, ast.Constant) for argument in call.args)] == []


@pytest.mark.parametrize("path", TRANSLATED_FILES, ids=lambda path: path.name)
def test_what_a_widget_shows_goes_through_translation(path):
    """Of one word too: what is assigned to a text or tooltip, or given to a message."""
    shown = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Attribute) and target.attr in ("text", "toolTip", "title") for target in node.targets
        ):
            shown.append(node.value)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in (
            "setMessage",
            "perform",
            "setWindowTitle",
            "setText",
            "_say",
            "set",
        ):
            shown += node.args
    literals = [text for value in shown for text in literals_of(value)]
    assert literals == []


def literals_of(node: ast.AST) -> list[str]:
    """String literals with a letter in an expression, outside _() and dictionary look-ups."""
    if translated(node) or isinstance(node, ast.Subscript | ast.Compare | ast.Lambda):
        return []
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) and any(character.isalpha() for character in node.value) else []
    return [text for child in ast.iter_child_nodes(node) for text in literals_of(child)]


def test_an_untranslated_sentence_is_found():
    tree = ast.parse(
        "def f(self):\n    '''Not this one.'''\n    logger.info('nor this one')\n    self.say('but this one')\n    return _('and not this')"
    )
    assert untranslated_sentences(tree) == ["line 4: 'but this one'"]


def test_the_prediction_is_hidden_from_the_selectors(case):
    case.open_column()
    assert predictionNodeOf(case.node).GetHideFromEditors()
    assert [node.GetName() for node in case.ui.inputVolumeSelector.nodes()] == ["t2"]


def test_a_place_beyond_the_image_is_no_error_of_the_views(case):
    harness.open_views("Yellow")
    case.open_column()
    case.panel.levels.jumpTo(case.panel.levels.rows[0])
    assert columnPoint(2.5, 8, 1) == pytest.approx(case.panel.levels.rows[0].centerRas)
