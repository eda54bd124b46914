"""All parts of the page, made and wired once."""

from __future__ import annotations

from pathlib import Path

from SpiderSegLib.workstation.bench import Bench
from SpiderSegLib.workstation.controls.case_controls import CaseControls
from SpiderSegLib.workstation.controls.case_list_controls import CaseListControls
from SpiderSegLib.workstation.controls.display_controls import DisplayControls
from SpiderSegLib.workstation.controls.file_controls import FileControls
from SpiderSegLib.workstation.controls.finding_controls import FindingControls
from SpiderSegLib.workstation.controls.level_controls import LevelControls
from SpiderSegLib.workstation.controls.open_controls import OpenControls
from SpiderSegLib.workstation.controls.run_controls import RunControls
from SpiderSegLib.workstation.controls.spine_controls import SpineControls
from SpiderSegLib.workstation.controls.tool_controls import ToolControls
from SpiderSegLib.workstation.kept_edits import KeptEdits
from SpiderSegLib.workstation.web.server import Routes


class AllControls:
    """The controls of a bench, which becomes able to perform their actions. Raises InputError when `opened` is not there."""

    def __init__(self, bench: Bench, edits: KeptEdits, opened: Path | None) -> None:
        """opened: the file or folder whose series the start page lists; None for none."""
        self.display = DisplayControls(bench)
        self.levels = LevelControls(bench)
        self.tools = ToolControls(bench)
        self.runs = RunControls(bench)
        self.spine = SpineControls(bench, self.levels, self.runs)
        self.caseList = CaseListControls(bench)
        self.findings = FindingControls(bench)
        self.cases = CaseControls(bench, self.caseList, self.runs, self.findings)
        self.opening = OpenControls(bench, self.cases, edits, opened)
        self.files = FileControls(bench)
        self.runs.onSegmented = self.findings.check
        bench.parts = (
            self.display,
            self.levels,
            self.tools,
            self.spine,
            self.runs,
            self.caseList,
            self.cases,
            self.findings,
            self.opening,
            self.files,
        )

    def onStart(self, routes: Routes) -> None:
        """The server takes and gives files from now on."""
        self.opening.onStart(routes)
        self.files.onStart(routes)
