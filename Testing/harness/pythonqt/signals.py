"""connect('clicked(bool)', f): signals by their C++ signature. What fails is recorded, because in Slicer it is only a line in the log."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import SIGNAL, QMetaMethod, QMetaObject, QObject, QTimer
from shiboken6 import getCppPointer

_qt_connect = QObject.connect
_qt_disconnect = QObject.disconnect


@dataclass(frozen=True)
class FailedConnection:
    """A connect() that named no signal of the class, or a slot that the receiver has not."""

    class_name: str
    object_name: str
    signature: str
    reason: str


@dataclass(frozen=True)
class SlotError:
    """An exception that left a slot, a timer's callback or a virtual function, where nobody could catch it."""

    where: str
    error: BaseException
    traceback: str


failed_connections: list[FailedConnection] = []
slot_errors: list[SlotError] = []

# Timers of single_shot, which nobody else holds.
_waiting: set[QTimer] = set()
_connections: dict[int, list[tuple[str, Callable[..., Any], Callable[..., None]]]] = {}


def record_error(where: str, error: BaseException) -> None:
    """Remembers an exception that Qt would swallow and writes it to stderr, as PythonQt does."""
    lines = "".join(traceback.format_exception(error))
    slot_errors.append(SlotError(where, error, lines))
    sys.stderr.write(f"{where}: {lines}")


def connect(sender: QObject, signature: str, *receiver: Any) -> bool:
    """Connects a signal to a callable, or to a receiver and its slot's signature; False, and a record, if either does not exist."""
    found = _find_signal(sender, signature)
    if found is None:
        return _fail(sender, signature, f"signal '{signature}' does not exist on {type(sender).__name__}")
    target = _target(receiver)
    if not callable(target):
        return _fail(sender, signature, f"{receiver!r} is no callable")
    slot = _guarded_slot(f"{type(sender).__name__}.{signature}", target, found.count(",") + 1 if "()" not in found else 0)
    _qt_connect(sender, SIGNAL(found), slot)
    _connections_of(sender).append((found, target, slot))
    return True


def disconnect(sender: QObject, signature: str, *receiver: Any) -> bool:
    """Undoes connect() with the same arguments; without a receiver, all of the signal's connections made here. False if there was none."""
    found = _find_signal(sender, signature)
    if found is None:
        return _fail(sender, signature, f"signal '{signature}' does not exist on {type(sender).__name__}")
    entries = _connections_of(sender)
    matching = [entry for entry in entries if entry[0] == found and (not receiver or entry[1] == _target(receiver))]
    # Of two equal connections PythonQt undoes one.
    for entry in matching[:1] if receiver else matching:
        _qt_disconnect(sender, SIGNAL(found), entry[2])
        entries.remove(entry)
    return bool(matching)


def single_shot(interval_ms: int, *receiver: Any) -> None:
    """QTimer.singleShot: the callable, or a receiver's slot, is called once; what it raises is recorded."""
    timer = QTimer()
    timer.setSingleShot(True)
    timer.setInterval(int(interval_ms))
    _waiting.add(timer)
    connect(timer, "timeout()", lambda: _waiting.discard(timer))
    connect(timer, "timeout()", *receiver)
    timer.start()


class BoundSignal:
    """`button.clicked`: connect, disconnect and emit without the signature, the longest one of the name."""

    def __init__(self, sender: QObject, name: str, instance: Any) -> None:
        self._sender = sender
        self._name = name
        self._instance = instance

    def connect(self, target: Callable[..., Any]) -> bool:
        return connect(self._sender, self._signature(), target)

    def disconnect(self, *target: Callable[..., Any]) -> bool:
        return disconnect(self._sender, self._signature(), *target)

    def emit(self, *arguments: Any) -> None:
        self._instance.emit(*arguments)

    def _signature(self) -> str:
        meta_object = self._sender.metaObject()
        methods = (meta_object.method(index) for index in range(meta_object.methodCount()))
        signals = [bytes(method.methodSignature().data()).decode() for method in methods if method.methodType() == QMetaMethod.MethodType.Signal]
        return next(signature for signature in signals if signature.split("(")[0] == self._name)


def _target(receiver: tuple[Any, ...]) -> Any:
    """The callable of (callable,) or of (object, "slot()"); None if there is none."""
    if len(receiver) == 2:
        return getattr(receiver[0], receiver[1].split("(")[0], None)
    return receiver[0] if len(receiver) == 1 else None


def _find_signal(sender: QObject, signature: str) -> str | None:
    """The signature under which Qt knows the signal; stand-ins name VTK's classes, where PySide6 has only PyObject."""
    normalized = bytes(QMetaObject.normalizedSignature(signature).data()).decode()
    normalized = getattr(type(sender), "vtkSignals", {}).get(normalized, normalized)
    return normalized if sender.metaObject().indexOfSignal(normalized) >= 0 else None


def _guarded_slot(where: str, target: Callable[..., Any], argument_count: int) -> Callable[..., None]:
    """`target` with as many arguments as it takes, as PythonQt calls it; its exceptions are recorded, since Qt must not see them."""
    count = min(argument_count, _parameter_count(target, argument_count))

    def slot(*arguments: Any) -> None:
        try:
            target(*arguments[:count])
        except Exception as error:  # noqa: BLE001  whatever a slot raises
            record_error(where, error)

    return slot


def _parameter_count(target: Callable[..., Any], otherwise: int) -> int:
    """PythonQt counts the parameters of functions and methods, those with a default too; any other callable gets every argument."""
    function = getattr(target, "__func__", target)
    if not inspect.isfunction(function) or function.__code__.co_flags & inspect.CO_VARARGS:
        return otherwise
    return function.__code__.co_argcount - inspect.ismethod(target)


def _connections_of(sender: QObject) -> list[tuple[str, Callable[..., Any], Callable[..., None]]]:
    key = _key(sender)
    if key not in _connections:
        _connections[key] = []
        _qt_connect(sender, SIGNAL("destroyed()"), lambda: _connections.pop(key, None))
    return _connections[key]


def _key(sender: QObject) -> int:
    return int(getCppPointer(sender)[0])


def _fail(sender: QObject, signature: str, reason: str) -> bool:
    failure = FailedConnection(type(sender).__name__, sender.objectName, signature, reason)
    failed_connections.append(failure)
    sys.stderr.write(f"PythonQt: QObject::connect() {reason}\n")
    return False
