"""What belongs to the person and not to the scene: kept in the application's settings."""

from __future__ import annotations

import json

import qt

ANNOTATOR_KEY, RECENT_KEY, STRATEGY_KEY = "SpiderSeg/annotator", "SpiderSeg/recentProjects", "SpiderSeg/strategy"

#: Projects in the list of recent ones.
MOST_RECENT = 8


def annotator() -> str:
    """The name of the last time; '' at first."""
    return str(qt.QSettings().value(ANNOTATOR_KEY, "") or "")


def rememberAnnotator(name: str) -> None:
    qt.QSettings().setValue(ANNOTATOR_KEY, name)


def recentProjects() -> list[str]:
    """Folders of projects, the last opened first."""
    # As JSON: a list of one comes back from the settings as a text.
    try:
        found = json.loads(str(qt.QSettings().value(RECENT_KEY, "[]") or "[]"))
    except ValueError:
        return []
    return [str(path) for path in found] if isinstance(found, list) else []


def rememberProject(path: str) -> None:
    """Puts a project first in the list."""
    paths = [path, *(other for other in recentProjects() if other != path)]
    qt.QSettings().setValue(RECENT_KEY, json.dumps(paths[:MOST_RECENT]))


def strategy() -> str:
    """How the work list was ordered the last time."""
    return str(qt.QSettings().value(STRATEGY_KEY, "") or "")


def rememberStrategy(value: str) -> None:
    qt.QSettings().setValue(STRATEGY_KEY, value)
