"""What code, .ui and parameter node promise each other, read from their sources; and that a broken promise is seen."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

import harness
from harness.pythonqt.ui_loader import BadConnection, stand_ins
from harness.spine_panel import MODULE, PANEL_UI_FILES, PROJECT_UI_FILE, UI_FILE, UI_FILES, VALIDATION_UI_FILE

GUI_FILES = [MODULE, *sorted((MODULE.parent / "SpiderSegLib" / "gui").rglob("*.py"))]

#: The dialog has a form of its own, and `ui` there is that form.
DIALOG_FILE = MODULE.parent / "SpiderSegLib" / "gui" / "annotation" / "validation_dialog.py"
PANEL_FILES = [path for path in GUI_FILES if path != DIALOG_FILE]

#: Widgets of the .ui that only show something, or hold others.
PASSIVE = ("QLabel", "QWidget", "QDialog", "qMRMLWidget", "QFrame", "ctkCollapsibleButton", "qMRMLSegmentEditorWidget")

_SIGNAL = re.compile(r"\w+\([\w :*&,]*\)")


def elements(*ui_files: Path) -> Iterator[ElementTree.Element]:
    """All widgets of some .ui."""
    for ui_file in ui_files:
        yield from ElementTree.parse(ui_file).iter("widget")


def widgets_of(*ui_files: Path) -> dict[str, str]:
    """Class by name of all widgets of some .ui."""
    return {str(widget.get("name")): str(widget.get("class")) for widget in elements(*ui_files)}


def property_of(widget: ElementTree.Element, name: str) -> str:
    found = next((described for described in widget.findall("property") if described.get("name") == name), None)
    return "" if found is None else "".join(found.itertext()).strip()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def used_widgets(paths: Iterable[Path]) -> dict[str, str]:
    """Where each `ui.name` is used first: `self.ui.x`, `panel.ui.x`, and `ui.x` of a local variable."""
    found: dict[str, str] = {}
    for path in paths:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value).split(".")[-1] == "ui":
                found.setdefault(node.attr, f"{path.name}:{node.lineno}")
    return found


def broken_uses(ui_files: Iterable[Path], paths: Iterable[Path] = PANEL_FILES) -> list[str]:
    """Widgets that code uses and the .ui have not."""
    present = widgets_of(*ui_files)
    return [f"{where}: ui.{name}" for name, where in used_widgets(paths).items() if name not in present]


def test_every_widget_that_code_uses_is_in_the_ui():
    assert len(used_widgets(PANEL_FILES)) > 90
    assert broken_uses(PANEL_UI_FILES) == []
    assert broken_uses([VALIDATION_UI_FILE], [DIALOG_FILE]) == []


def renamed(ui_file: Path, tmp_path: Path, old: str) -> Path:
    """A copy of the .ui with one widget renamed, as in Designer."""
    text = ui_file.read_text(encoding="utf-8")
    assert f'name="{old}"' in text
    copy = tmp_path / "SpiderSeg.ui"
    copy.write_text(text.replace(f'name="{old}"', f'name="{old}2"'), encoding="utf-8")
    return copy


@pytest.mark.parametrize("name", ["applyButton", "levelTable", "segmentEditorWidget", "exportButton", "inputMessageLabel"])
def test_the_contract_breaks_when_a_widget_is_renamed(tmp_path, name):
    (broken,) = broken_uses([renamed(UI_FILE, tmp_path, name), PROJECT_UI_FILE])
    assert broken.endswith(f"ui.{name}")


@pytest.mark.parametrize("name", ["caseTable", "nextCaseButton", "curveLabel"])
def test_the_contract_breaks_when_a_widget_of_the_annotation_loop_is_renamed(tmp_path, name):
    (broken,) = broken_uses([UI_FILE, renamed(PROJECT_UI_FILE, tmp_path, name)])
    assert broken.endswith(f"ui.{name}")


def test_the_harness_does_not_load_a_ui_with_a_renamed_receiver(tmp_path):
    import slicer

    with pytest.raises(BadConnection, match="inputVolumeSelector"):
        slicer.util.loadUI(str(renamed(UI_FILE, tmp_path, "inputVolumeSelector")))


def test_every_widget_a_person_acts_on_is_used_by_code_or_bound_to_a_parameter():
    used = used_widgets(GUI_FILES)
    unused = [
        str(widget.get("name"))
        for widget in elements(*UI_FILES)
        if widget.get("class") not in PASSIVE and widget.get("name") not in used and not property_of(widget, "SlicerParameterName")
    ]
    assert unused == []


def test_every_widget_a_person_acts_on_has_a_tooltip():
    without = [str(widget.get("name")) for widget in elements(*UI_FILES) if widget.get("class") not in PASSIVE and not property_of(widget, "toolTip")]
    assert without == []


def test_no_two_widgets_of_the_ui_have_one_name():
    names = [str(widget.get("name")) for widget in elements(*UI_FILES)]
    assert sorted(names) == sorted(set(names))


def test_names_that_nobody_reads_are_marked_as_not_to_be_translated():
    shown = []
    for widget in elements(*UI_FILES):
        for described in widget.findall("property"):
            if described.get("name") in ("SlicerParameterName", "nodeTypes"):
                shown += [f"{widget.get('name')}.{described.get('name')}" for text in described if text.get("notr") != "true"]
    assert shown == []


# Parameters


def parameters_of_the_class() -> dict[str, str]:
    """Annotation by name of the parameters that SpiderSegParameterNode declares."""
    (found,) = [node for node in tree_of(MODULE).body if isinstance(node, ast.ClassDef) and node.name == "SpiderSegParameterNode"]
    return {
        node.target.id: ast.unparse(node.annotation) for node in found.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def bound_parameters() -> dict[str, str]:
    """Parameter by widget of the .ui."""
    return {str(widget.get("name")): parameter for widget in elements(*UI_FILES) if (parameter := property_of(widget, "SlicerParameterName"))}


def test_every_parameter_of_the_ui_is_one_of_the_parameter_node():
    assert set(bound_parameters().values()) - set(parameters_of_the_class()) == set()
    assert len(bound_parameters()) == len(set(bound_parameters().values())), "two widgets write one parameter"


def test_every_parameter_is_bound_or_used_by_code():
    used = {node.attr for path in GUI_FILES for node in ast.walk(tree_of(path)) if isinstance(node, ast.Attribute)}
    assert set(parameters_of_the_class()) - set(bound_parameters().values()) - used == set()


def test_every_parameter_is_described():
    (found,) = [node for node in tree_of(MODULE).body if isinstance(node, ast.ClassDef) and node.name == "SpiderSegParameterNode"]
    described = set(re.findall(r"\w+", ast.get_docstring(found) or ""))
    assert set(parameters_of_the_class()) - described == set()


def test_node_selectors_list_the_class_of_their_parameter():
    annotations = parameters_of_the_class()
    for widget in ElementTree.parse(UI_FILE).iter("widget"):
        if widget.get("class") == "qMRMLNodeComboBox":
            assert property_of(widget, "nodeTypes") == annotations[property_of(widget, "SlicerParameterName")], widget.get("name")


# Signals


def connections() -> list[tuple[str, str, str]]:
    """Where, widget and signal of every `...ui.widget.connect("signal(..)", ..)`; widget '' for other objects."""
    found = []
    for path in GUI_FILES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "connect" and node.args:
                signature = node.args[0]
                assert isinstance(signature, ast.Constant), f"{path.name}:{node.lineno}: a signal is a literal"
                if isinstance(signature.value, str):
                    receiver = ast.unparse(node.func.value).split(".")
                    found.append((f"{path.name}:{node.lineno}", receiver[-1] if "ui" in receiver else "", signature.value))
    return found


def test_every_connected_signal_exists_on_the_class_of_the_widget():
    import qt

    classes = widgets_of(*UI_FILES)
    checked = 0
    for where, widget, signal in connections():
        assert _SIGNAL.fullmatch(signal), f"{where}: '{signal}' is no signature"
        if not widget:
            continue
        name = classes[widget]
        cls = stand_ins().get(name) or getattr(qt, name)
        assert signal in getattr(cls, "vtkSignals", {}) or cls().metaObject().indexOfSignal(signal) >= 0, f"{where}: {name} has no signal {signal}"
        checked += 1
    assert checked >= 50


def test_a_signal_that_does_not_exist_would_be_found():
    import qt

    assert qt.QPushButton().metaObject().indexOfSignal("clicked(bool)") >= 0
    assert qt.QPushButton().metaObject().indexOfSignal("clikced(bool)") < 0


def test_the_panel_makes_no_connection_that_fails(load_module):
    load_module(MODULE).enter()
    assert harness.failed_connections == []


# The .ui itself


def test_every_widget_that_needs_the_scene_gets_it():
    tree = ElementTree.parse(UI_FILE)
    needing = {name for name, kind in widgets_of(UI_FILE).items() if kind in ("qMRMLNodeComboBox", "qMRMLSegmentEditorWidget")}
    root = str(tree.getroot().findtext("class"))
    scene_connections = {
        str(connection.findtext("receiver"))
        for connection in tree.iter("connection")
        if (connection.findtext("sender"), connection.findtext("signal"), connection.findtext("slot"))
        == (root, "mrmlSceneChanged(vtkMRMLScene*)", "setMRMLScene(vtkMRMLScene*)")
    }
    assert scene_connections == needing
    assert len(list(tree.iter("connection"))) == len(needing)


@pytest.mark.parametrize("ui_file", UI_FILES, ids=lambda path: path.stem)
def test_every_custom_class_is_declared_with_its_header(ui_file):
    declared = {str(custom.findtext("class")): str(custom.findtext("header")) for custom in ElementTree.parse(ui_file).iter("customwidget")}
    used = {kind for kind in widgets_of(ui_file).values() if kind.startswith(("ctk", "qMRML"))}
    assert declared == {name: f"{name}.h" for name in used}


def test_code_obeys_pythonqt():
    assert harness.pythonqt_faults(GUI_FILES) == []


def test_the_icon_of_the_sample_data_is_found(load_module):
    import slicer

    load_module(MODULE)
    (source,) = slicer.modules.sampleDataSources["SpiderSeg"][-1:]
    assert Path(source.thumbnailFileName).suffix == ".png"
    assert Path(source.thumbnailFileName).exists()
