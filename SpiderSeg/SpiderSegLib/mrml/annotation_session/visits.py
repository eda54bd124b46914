"""The cases that were opened, one after another, as a browser remembers pages."""

from __future__ import annotations


class Visits:
    """Series in the order they were opened, and which of them one is at."""

    def __init__(self) -> None:
        self._series: list[str] = []
        self._place = -1

    @property
    def present(self) -> str:
        """The series one is at, or was at last; '' before the first."""
        return self._series[self._place] if self._series else ""

    @property
    def previous(self) -> str:
        """The series opened before it; '' when it is the first."""
        return self._series[self._place - 1] if self._place > 0 else ""

    @property
    def latest(self) -> str:
        """The series from which one went to earlier ones; '' when one is there."""
        return self._series[-1] if self._place < len(self._series) - 1 else ""

    def go(self, series: str) -> None:
        """A series was opened anew; the one that is open already counts once, and so does the latest one that is gone on to again."""
        if series == self.present:
            return
        if self._series[-1:] != [series]:
            self._series.append(series)
        self._place = len(self._series) - 1

    def goToPrevious(self) -> None:
        self._place -= 1

    def goToLatest(self) -> None:
        self._place = len(self._series) - 1
