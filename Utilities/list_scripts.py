"""Writes the list of the module's Python files into SpiderSeg/CMakeLists.txt: run it after a file was added, renamed or removed.

python Utilities/list_scripts.py
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

MODULE = Path(__file__).resolve().parents[1] / "SpiderSeg"
CMAKE_LISTS = MODULE / "CMakeLists.txt"

#: The block between `set(MODULE_PYTHON_SCRIPTS` and its closing bracket.
BLOCK = re.compile(r"(?<=^set\(MODULE_PYTHON_SCRIPTS\n)(?:  [^)\n]+\n)*(?=  \)$)", re.MULTILINE)


def scripts_of(module: Path) -> list[str]:
    """Every .py file below a folder, as '/'-separated paths relative to it, sorted."""
    return sorted(path.relative_to(module).as_posix() for path in module.rglob("*.py"))


def with_scripts(cmake_lists: str, scripts: list[str]) -> str:
    """The text of a CMakeLists.txt with its list replaced. Raises ValueError where it has no such list, or several."""
    text, replaced = BLOCK.subn("".join(f"  {script}\n" for script in scripts), cmake_lists)
    if replaced != 1:
        raise ValueError(f"expected one set(MODULE_PYTHON_SCRIPTS ...) with one file a line, found {replaced}")
    return text


def main() -> int:
    scripts = scripts_of(MODULE)
    before = CMAKE_LISTS.read_text(encoding="utf-8")
    after = with_scripts(before, scripts)
    if after != before:
        CMAKE_LISTS.write_text(after, encoding="utf-8", newline="\n")
    sys.stdout.write(f"{CMAKE_LISTS}: {len(scripts)} files, {'as before' if after == before else 'rewritten'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
