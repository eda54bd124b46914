"""The names of the levels as the project's JSON files hold them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from SpiderSegLib.labels import LevelState
from SpiderSegLib.level_names import LevelNaming


def naming_body(naming: LevelNaming) -> dict[str, Any]:
    """Names as JSON values."""
    own_names = {str(level): name for level, name in sorted(naming.own_names.items())}
    return {"state": naming.state.value, "lumbar_count": naming.lumbar_count, "own_names": own_names}


def naming_of(body: Any) -> LevelNaming:
    """The names that `naming_body` gave. Raises KeyError, TypeError, ValueError, AttributeError or LabelError for anything else."""
    own_names = body["own_names"]
    if not own_names:
        return _usual(body["state"], body["lumbar_count"])
    return LevelNaming(LevelState(body["state"]), int(body["lumbar_count"]), {int(level): str(name) for level, name in own_names.items()})


@lru_cache(maxsize=64)
def _usual(state: str, lumbar_count: int) -> LevelNaming:
    """Names without any given by hand: a handful of different ones for thousands of series."""
    return LevelNaming(LevelState(state), int(lumbar_count))
