"""What stands between a person and leaving a case."""

from __future__ import annotations

from SpiderSegLib.errors import SpiderSegError


class UnsavedChanges(SpiderSegError):
    """A case would be left whose changes are saved nowhere; `series` is its name. Save them, keep them for later, or discard them."""

    def __init__(self, series: str, details: tuple[str, ...] = ()) -> None:
        super().__init__("; ".join((f"{series}: the changes since the last save are not saved", *details)))
        self.series = series
