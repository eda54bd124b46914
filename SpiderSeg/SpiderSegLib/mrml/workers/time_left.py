"""How long a run will still take, from the shares of it that were reported done."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

#: Before so much was seen an estimate would only frighten or flatter.
LEAST_SHARE, LEAST_SECONDS = 0.02, 2.0

#: The speed is that of so long a time back, because the stages' shares are rough; at least of the last two reports.
SPEED_WINDOW_S = 20.0

#: Weight of the newest estimate: it jumps at the borders of stages.
WEIGHT_OF_NEW = 0.3


class TimeLeft:
    """Seconds a run will still take; counts down between reports.

    The clock starts with the first report above 0, because loading torch takes seconds that no share stands for.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, float] | None = None
        self._recent: deque[tuple[float, float]] = deque()
        self._end: float | None = None

    def report(self, fraction: float) -> None:
        """So much of the run, 0..1, is done now; a share that does not grow is ignored."""
        now = self._clock()
        if fraction <= (self._recent[-1][1] if self._recent else 0.0):
            return
        self._recent.append((now, fraction))
        while len(self._recent) > 2 and now - self._recent[1][0] >= SPEED_WINDOW_S:
            self._recent.popleft()
        if self._first is None:
            self._first = (now, fraction)
        elif now - self._first[0] >= LEAST_SECONDS and fraction - self._first[1] >= LEAST_SHARE:
            self._estimate(now, fraction)

    def _estimate(self, now: float, fraction: float) -> None:
        then, fraction_then = self._recent[0]
        end = now + (now - then) * (1 - fraction) / (fraction - fraction_then)
        self._end = end if self._end is None else (1 - WEIGHT_OF_NEW) * self._end + WEIGHT_OF_NEW * end

    @property
    def seconds(self) -> float | None:
        """At least 0; None until it can be told."""
        return None if self._end is None else max(0.0, self._end - self._clock())
