"""What the .ui promise of their buttons: which test clicks which is said by a decorator, so that one without a test is seen."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import harness

#: Classes of a .ui that a person presses.
BUTTON_CLASSES = ("QPushButton", "QCheckBox", "QToolButton", "QRadioButton", "ctkCollapsibleButton")


def clicks(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorator: the test clicks these buttons, and fails if it did not."""

    def register(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def checked(*arguments: Any, **more: Any) -> None:
            harness.clicked.clear()
            test(*arguments, **more)
            assert set(names) <= harness.clicked

        return checked

    return register


def clicked_by_tests(files: Iterable[Path]) -> set[str]:
    """Names in the decorators of some test files, read from their sources."""
    found: set[str] = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "clicks":
                found.update(name for argument in node.args if isinstance(name := getattr(argument, "value", None), str))
    return found


def buttons_of(ui_file: Path) -> list[str]:
    """Names of the buttons of a .ui."""
    return [str(widget.get("name")) for widget in ElementTree.parse(ui_file).iter("widget") if widget.get("class") in BUTTON_CLASSES]


def usual_tool_tips(ui_files: Iterable[Path]) -> dict[str, str]:
    """Tooltips of some .ui by the widget's name."""
    found: dict[str, str] = {}
    for ui_file in ui_files:
        for widget in ElementTree.parse(ui_file).iter("widget"):
            for described in widget.findall("property"):
                if described.get("name") == "toolTip":
                    found[str(widget.get("name"))] = "".join(described.itertext()).strip()
    return found
