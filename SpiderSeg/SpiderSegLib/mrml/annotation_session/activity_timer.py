"""Minutes that a person works on a case: the clock stands still while nobody touches anything."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Looking at an image without a touch counts so long; then the person is taken to be away.
IDLE_S = 60.0


class ActivityTimer:
    """Counts the time between touches, at most IDLE_S each. Stopped until the first `restart`; touches count nothing then."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._countedS = 0.0
        self._lastTouchS: float | None = None

    def restart(self, minutes: float = 0.0) -> None:
        """Counts anew, from minutes that were spent before; counts as a touch."""
        self._countedS, self._lastTouchS = 60 * minutes, self._monotonic()

    def stop(self) -> None:
        """Counts no more; what was counted is forgotten."""
        self._countedS, self._lastTouchS = 0.0, None

    def touch(self) -> None:
        """A person did something: a click, a key, a scroll."""
        if self._lastTouchS is not None:
            self._countedS += self._sinceTouchS()
            self._lastTouchS = self._monotonic()

    @property
    def minutes(self) -> float:
        """Minutes of work since the restart."""
        return (self._countedS + self._sinceTouchS()) / 60

    @property
    def isPaused(self) -> bool:
        """Whether it stands still: stopped, or nobody touched anything for IDLE_S."""
        return self._lastTouchS is None or self._monotonic() - self._lastTouchS >= IDLE_S

    def _sinceTouchS(self) -> float:
        return 0.0 if self._lastTouchS is None else min(max(0.0, self._monotonic() - self._lastTouchS), IDLE_S)
