"""Every key of the page's state with the value it starts with: what the page may read before anything is open."""

from __future__ import annotations

from typing import Any

from SpiderSegLib import __version__
from SpiderSegLib.workstation.ui import shortcuts

#: Views a layout may show; each has its own key.
VIEW_TAGS = ("Yellow", "Red", "Green", "SpiderSegPartner", "SpiderSegThird", "ThreeD")
VIEW_LABELS = {"Yellow": "Sagittal", "Red": "Axial", "Green": "Coronal", "SpiderSegPartner": "Sagittal", "SpiderSegThird": "Sagittal", "ThreeD": "3D"}


def defaults() -> dict[str, Any]:
    """A fresh dictionary at each call."""
    return {**_session(), **_project(), **_case(), **_tools(), **_display(), **_views()}


def _session() -> dict[str, Any]:
    return {
        "mode": "start",
        "busy": "",
        "notice": None,
        "appVersion": __version__,
        "annotator": "",
        "opened": {"folder": "", "files": []},
        "uploadUrl": "",
        "upload": None,
        "openUrl": None,
        "downloadUrl": None,
        "blockedUrl": "",
        "can": {},
        "dialog": "",
        "unsavedText": "",
        "offered": None,
        "shortcuts": shortcuts.forHelp(),
    }


def _project() -> dict[str, Any]:
    return {
        "project": None,
        "cases": [],
        "caseStates": [],
        "casesWords": "",
        "casesState": "",
        "casesColumn": "PLACE",
        "casesDescending": False,
        "casesPage": 1,
        "casesPages": 1,
        "casesCount": 0,
        "comment": "",
        "flagReason": "",
    }


def _case() -> dict[str, Any]:
    return {
        "currentCase": None,
        "saveState": {"isModified": False, "text": "", "minutes": ""},
        "run": None,
        "device": "auto",
        "mirror": False,
        "panelTab": "levels",
        "levels": [],
        "levelState": {"text": "", "isConfirmed": False, "lumbarCount": 5, "problem": ""},
        "levelValues": [],
        "levelName": "",
        "selected": [],
        "isIsolated": False,
        "findings": None,
        "finding": -1,
        "undo": {"canUndo": False, "canRedo": False},
    }


def _tools() -> dict[str, Any]:
    return {
        "tool": "",
        "prompt": "",
        "brushMm": 8.0,
        "sphereBrush": False,
        "threshold": [0, 1],
        "thresholdLimits": [0, 1, 1],
        "thresholdMask": False,
        "editArea": "everywhere",
        "scissorsMode": "eraseInside",
        "islandsMode": "removeSmall",
        "islandVoxels": 50,
        "smoothingMode": "median",
        "smoothingMm": 2,
    }


def _display() -> dict[str, Any]:
    return {
        "segmentationShown": True,
        "opacity": 0.5,
        "outlineOnly": False,
        "confidenceColors": False,
        "overlay": "nothing",
        "surfaces": False,
        "layout": "sagittal",
    }


def _views() -> dict[str, Any]:
    empty = {"series": "", "position": "", "index": 0, "count": 0, "window": "", "letters": None}
    return {f"view_{tag}": {"label": VIEW_LABELS[tag], **empty} for tag in VIEW_TAGS}
