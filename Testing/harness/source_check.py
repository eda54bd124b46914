"""What PythonQt would refuse and PySide6 lets pass at run time, found in the source: scoped enums and keyword arguments of Qt's classes."""

from __future__ import annotations

import ast
import enum
from collections.abc import Iterable, Iterator
from pathlib import Path


def pythonqt_faults(paths: Iterable[str | Path]) -> list[str]:
    """`file:line: what` for every `qt.Qt.AlignmentFlag.AlignLeft` (PythonQt: qt.Qt.AlignLeft) and every `qt.QLabel(text="")`."""
    return [fault for path in paths for fault in _faults(Path(path))]


def _faults(path: Path) -> Iterator[str]:
    import qt

    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            names = _dotted(node)
            if len(names) == 4 and names[0] == "qt":
                owner = getattr(getattr(qt, names[1], None), names[2], None)
                if isinstance(owner, enum.EnumMeta):
                    yield f"{path.name}:{node.lineno}: {'.'.join(names)}: write qt.{names[1]}.{names[3]}"
        if isinstance(node, ast.Call) and node.keywords:
            names = _dotted(node.func)
            if names[:1] in (["qt"], ["ctk"]):
                yield f"{path.name}:{node.lineno}: {'.'.join(names)}() takes no keyword arguments"


def _dotted(node: ast.AST) -> list[str]:
    """["qt", "Qt", "AlignLeft"] of qt.Qt.AlignLeft; [] of anything that is not a chain of names."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return [node.id, *names] if isinstance(node, ast.Name) else []
