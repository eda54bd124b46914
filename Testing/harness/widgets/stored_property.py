"""A Q_PROPERTY with its setter slot, as CTK's and MRML's widgets declare dozens of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Property


def stored_property(kind: type | str, name: str, default: Any, changed: Callable[[Any], None] | None = None) -> Any:
    """Property kept in `_<name>`; `changed(widget)` is called after an assignment of another value."""

    def read(self: Any) -> Any:
        return vars(self).get(f"_{name}", default)

    def write(self: Any, value: Any) -> None:
        if read(self) != value:
            vars(self)[f"_{name}"] = value
            if changed is not None:
                changed(self)

    return Property(kind, read, write)


def add_setters(cls: type) -> type:
    """Class decorator: `setValue(v)` for the property `value`, for every property that has no setter of its own."""
    for name, member in list(vars(cls).items()):
        setter = f"set{name[0].upper()}{name[1:]}"
        if isinstance(member, Property) and not hasattr(cls, setter):
            setattr(cls, setter, _setter(name))
    return cls


def _setter(name: str) -> Callable[[Any, Any], None]:
    return lambda self, value: setattr(self, name, value)
