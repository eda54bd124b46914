"""One parameter: its type, how it is written into the node's strings and references, and what may be assigned."""

from __future__ import annotations

import enum
import json
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer

from harness.slicer_api.parameter_node.annotations import Default, Validator

_SIMPLE: dict[type, Any] = {bool: False, int: 0, float: 0.0, str: "", Path: Path()}


class Serializer:
    """Text form of values of one type; None is allowed only where `optional`."""

    def __init__(self, cls: type, optional: bool) -> None:
        self.cls = cls
        self.optional = optional

    def default(self) -> Any:
        if self.optional:
            return None
        if issubclass(self.cls, enum.Enum):
            return next(iter(self.cls))
        return [] if self.cls is list else _SIMPLE[self.cls]

    def check(self, value: Any) -> None:
        if value is None and self.optional:
            return
        allowed = (float, int) if self.cls is float else (self.cls,)
        if not isinstance(value, allowed) or (isinstance(value, bool) and self.cls is not bool):
            raise ValueError(f"expected a {self.cls.__name__}, got a {type(value).__name__} ({value!r})")

    def contains(self, node: Any, name: str) -> bool:
        return bool(node.HasParameter(name))

    def read(self, node: Any, name: str) -> Any:
        text = node.GetParameter(name)
        if self.optional and text == "None":
            return None
        if issubclass(self.cls, enum.Enum):
            return self.cls[text]
        if self.cls is bool:
            return text == "True"
        return json.loads(text) if self.cls is list else self.cls(text)

    def write(self, node: Any, name: str, value: Any) -> None:
        if isinstance(value, enum.Enum):
            text = value.name
        else:
            text = json.dumps(value) if self.cls is list else str(float(value) if self.cls is float and value is not None else value)
        node.SetParameter(name, text)


class NodeSerializer(Serializer):
    """A MRML node, kept as a node reference; None if there is none."""

    def __init__(self, cls: type) -> None:
        super().__init__(cls, optional=True)

    def contains(self, node: Any, name: str) -> bool:
        return True

    def read(self, node: Any, name: str) -> Any:
        return node.GetNodeReference(name)

    def write(self, node: Any, name: str, value: Any) -> None:
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a wrapper class."""

    name: str
    data_type: Any
    serializer: Serializer
    default: Default
    annotations: tuple[Any, ...]

    def check(self, value: Any) -> None:
        """Raises ValueError, naming the parameter, for a value of another type or outside what its validators allow."""
        try:
            self.serializer.check(value)
            for annotation in self.annotations:
                if isinstance(annotation, Validator):
                    annotation.validate(value)
        except ValueError as error:
            raise ValueError(f"parameter '{self.name}': {error}") from error


def parameters_of(cls: type) -> dict[str, Parameter]:
    """The parameters that the class's annotations declare, in order; TypeError names a type that the stand-in does not know."""
    found = {}
    for name, data_type in typing.get_type_hints(cls, include_extras=True).items():
        bare = typing.get_args(data_type)[0] if typing.get_origin(data_type) is typing.Annotated else data_type
        annotations = data_type.__metadata__ if bare is not data_type else ()
        serializer = _serializer(name, bare)
        defaults = [Default(getattr(cls, name))] if hasattr(cls, name) else []
        defaults += [annotation for annotation in annotations if isinstance(annotation, Default)]
        default = defaults[0] if defaults else Default(serializer.default())
        found[name] = Parameter(name, data_type, serializer, default, annotations)
    return found


def _serializer(name: str, data_type: Any) -> Serializer:
    optional = False
    if typing.get_origin(data_type) in (typing.Union, types.UnionType):
        members = [member for member in typing.get_args(data_type) if member is not type(None)]
        optional = len(members) < len(typing.get_args(data_type))
        data_type = members[0] if len(members) == 1 else data_type
    cls = typing.get_origin(data_type) or data_type
    if isinstance(cls, type):
        if issubclass(cls, slicer.vtkMRMLNode):
            return NodeSerializer(cls)
        if cls in _SIMPLE or cls is list or issubclass(cls, enum.Enum):
            return Serializer(cls, optional)
    raise TypeError(f"parameter '{name}': the harness has no serializer for {data_type}")
