"""A Q_PROPERTY is an attribute: it shadows the getter of the same name, takes only its own type, and nothing else can be assigned."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QMetaProperty, QObject, SignalInstance

# They are virtual functions as well: Qt's layouts would call the attribute and never come back.
VIRTUAL_PROPERTIES = frozenset({"sizeHint", "minimumSizeHint"})

_ACCEPTED_TYPES: dict[str, tuple[type, ...]] = {
    "QString": (str,),
    "bool": (bool, int),
    "int": (int,),
    "uint": (int,),
    "double": (int, float),
    "float": (int, float),
    "QStringList": (list, tuple),
}

_loading = False
_sealed: set[type] = set()


def seal(cls: type) -> type:
    """Class decorator of stand-ins: `cls` counts as C++, so that only its own code may give its objects new attributes, with underscores."""
    _sealed.add(cls)
    return cls


class QtProperty:
    """Class attribute through which an instance's Q_PROPERTY is read; the class itself still offers the function it shadows."""

    def __init__(self, name: str, shadowed: Any) -> None:
        self.name = name
        self.shadowed = shadowed

    def __get__(self, instance: QObject | None, owner: type) -> Any:
        if instance is None:
            if self.shadowed is None:
                raise AttributeError(f"type object '{owner.__name__}' has no attribute '{self.name}'")
            return self.shadowed
        return instance.property(self.name)

    def __set__(self, instance: QObject, value: Any) -> None:
        assign(instance, self.name, value)


def add_properties(cls: type[QObject]) -> None:
    """Makes every Q_PROPERTY that `cls` declares, or whose getter it redefines, an attribute of it."""
    meta_object = cls.staticMetaObject
    for index in range(meta_object.propertyCount()):
        name = meta_object.property(index).name()
        declared_here = index >= meta_object.propertyOffset() or name in cls.__dict__
        if declared_here and name not in VIRTUAL_PROPERTIES:
            setattr(cls, name, QtProperty(name, getattr(cls, name, None)))


def assign(instance: QObject, name: str, value: Any) -> None:
    """What `instance.name = value` does in PythonQt; raises AttributeError for a wrong type, a constant and an unknown name."""
    if isinstance(value, SignalInstance):  # PySide6 keeps a signal in the instance when it is first read
        vars(instance)[name] = value
        return
    name = "objectName" if name == "name" else name
    meta_object = instance.metaObject()
    index = meta_object.indexOfProperty(name)
    if index >= 0:
        _write(instance, meta_object.property(index), value)
    elif name.encode() in instance.dynamicPropertyNames():
        instance.setProperty(name, value)
    elif _loading or _may_grow(type(instance), name):
        _assign_python_attribute(instance, name, value)
    else:
        kind = "method" if hasattr(type(instance), name) else "new attribute"
        raise AttributeError(f"'{name}' of {type(instance).__name__}: a {kind} cannot be assigned on a Qt object")


def while_loading(load: Callable[[], Any]) -> Any:
    """Result of `load()`, during which Qt's loader may set attributes that no Python code may."""
    global _loading
    _loading = True
    try:
        return load()
    finally:
        _loading = False


def find_attribute(instance: QObject, name: str) -> Any:
    """What PythonQt finds when a class has no such attribute: the alias `name`, a dynamic property, or a direct child of that name."""
    if name == "name":
        return instance.objectName
    if name.encode() in instance.dynamicPropertyNames():
        return instance.property(name)
    if not name.startswith("_"):
        for child in instance.children():
            if child.objectName == name:
                return child
    raise AttributeError(f"'{type(instance).__name__}' object has no attribute '{name}'")


def _write(instance: QObject, described: QMetaProperty, value: Any) -> None:
    if not described.isWritable():
        raise AttributeError(f"property '{described.name()}' of {type(instance).__name__} is not writable")
    if not _accepts(described, value) or not instance.setProperty(described.name(), value):
        raise AttributeError(
            f"property '{described.name()}' of {type(instance).__name__} is a {described.typeName()} "
            f"and does not accept a {type(value).__name__} ({value!r})"
        )


def _accepts(described: QMetaProperty, value: Any) -> bool:
    if described.isEnumType() or described.isFlagType():
        return isinstance(value, int)
    accepted = _ACCEPTED_TYPES.get(described.typeName())
    return accepted is None or isinstance(value, accepted)


def _assign_python_attribute(instance: QObject, name: str, value: Any) -> None:
    descriptor = inspect.getattr_static(type(instance), name, None)
    if hasattr(type(descriptor), "__set__"):
        type(descriptor).__set__(descriptor, instance, value)
    else:
        vars(instance)[name] = value


def _may_grow(cls: type, name: str) -> bool:
    """Whether objects of `cls` take the attribute: those of Python classes do, unless it is a method of Qt's; Qt's and their stand-ins do not."""
    if cls.__module__.startswith("PySide6") or any(name in base.__dict__ for base in cls.__mro__ if base.__module__.startswith("PySide6")):
        return False
    return name.startswith("_") or cls not in _sealed
