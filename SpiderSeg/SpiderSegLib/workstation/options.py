"""What a person asks of `spiderseg workstation`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from SpiderSegLib.mrml.runs import RunSettings
from SpiderSegLib.workstation.web.access import LOCAL_HOST

__all__ = ["RunSettings", "WorkstationOptions"]


@dataclass(frozen=True)
class WorkstationOptions:
    """What is opened (a series, a folder of series, a project, or None: the start page), by whom, and where the page is served.

    port 0 is a free one. annotator may be '' unless a project is opened.
    """

    path: Path | None = None
    annotator: str = ""
    host: str = LOCAL_HOST
    port: int = 0
    openBrowser: bool = True
    settings: RunSettings = field(default_factory=RunSettings)
