"""What calls back from an application's event loop: a QTimer in 3D Slicer, a task of asyncio behind the browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Ticker(Protocol):
    """Calls back every so many milliseconds from `start` to `stop`, in the thread of the event loop; `stop` may be called by the callback."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


#: Makes one that stands still, of the interval in milliseconds and the callback.
MakeTicker = Callable[[int, Callable[[], object]], Ticker]
