"""What the linter says of what is on screen; each finding jumps to its place. It warns and never blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from SpiderSegLib.linter import Finding
from SpiderSegLib.mrml.display import jumpTo
from SpiderSegLib.mrml.translation import _
from SpiderSegLib.mrml.volumes import rasOf
from SpiderSegLib.workstation.bench import Action, Bench


class FindingControls:
    """Shows the findings of the last look; none were looked for yet when a series was just opened."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._findings: tuple[Finding, ...] | None = None
        #: Number of the one that was jumped to last; -1 before the first.
        self._present = -1
        self.actions: Mapping[str, Action] = {
            "checkFindings": self.check,
            "jumpToFinding": self.jumpTo,
            "nextFinding": self.jumpToNext,
        }

    def check(self) -> None:
        """Has the linter look at what is on screen. Raises SpiderSegError."""
        work = self.bench.work
        self.show(work.findings() if work is not None and work.segmentationNode is not None else None)

    def show(self, findings: tuple[Finding, ...] | None) -> None:
        """Shows what was found elsewhere, as on saving; None: nobody looked."""
        self._findings, self._present = findings, -1

    def forget(self) -> None:
        """Another series is opened."""
        self.show(None)

    def jumpTo(self, index: int) -> None:
        """All views go to a finding; some have no place."""
        finding = (self._findings or ())[int(index)]
        self._present = int(index)
        if finding.location_lps_mm is not None:
            jumpTo(self.bench.scene, rasOf(finding.location_lps_mm))

    def jumpToNext(self) -> None:
        """The next finding that has a place, after the last one the first; looks first if nobody did."""
        if self._findings is None:
            self.check()
        findings = self._findings or ()
        for step in range(1, len(findings) + 1):
            index = (self._present + step) % len(findings)
            if findings[index].location_lps_mm is not None:
                self.jumpTo(index)
                return

    # State

    def refresh(self) -> None:
        state = self.bench.state
        state.findings = None if self._findings is None else [findingState(finding) for finding in self._findings]
        state.finding = self._present

    def reasons(self) -> dict[str, str]:
        without = self.bench.whyNoSegmentation
        return {"checkFindings": without, "nextFinding": without or (_("There are no findings.") if self._findings == () else "")}


def findingState(finding: Finding) -> dict[str, Any]:
    """A finding as the page shows it."""
    return {
        "severity": finding.severity.value,
        "text": finding.message,
        "advice": finding.advice,
        "hasPlace": finding.location_lps_mm is not None,
    }
