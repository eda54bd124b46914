"""The translation function of texts that people read, imported under the name that Slicer's tools look for: `_`, called with a literal.

In 3D Slicer it is Slicer's own function, not a wrapper: Slicer looks a text up under the name of the file that calls it.
"""

from __future__ import annotations

try:
    from slicer.i18n import tr as _
except ImportError:  # outside the application nobody translates

    def _(text: str) -> str:
        return text


__all__ = ["_"]
