"""A timer of the server's event loop, for what the workers of mrml/ ask for as a `Ticker`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class AsyncioTicker:
    """Calls `callback` every `intervalMs` in the running event loop; stands still until `start`.

    An exception of the callback goes to the loop's exception handler, and the ticking goes on.
    """

    def __init__(self, intervalMs: int, callback: Callable[[], object]) -> None:
        self._interval_s = intervalMs / 1000
        self._callback = callback
        self._next: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begins; a ticker that runs begins its interval anew. Needs a running event loop."""
        self.stop()
        self._next = asyncio.get_running_loop().call_later(self._interval_s, self._tick)

    def stop(self) -> None:
        """No callback comes any more; may be called from within it."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _tick(self) -> None:
        self.start()
        self._callback()
