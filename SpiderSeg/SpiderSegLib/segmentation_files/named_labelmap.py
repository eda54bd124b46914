"""A labelmap with what files keep beside it: how its levels are named, the model that drew it, confidences, colors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from SpiderSegLib.errors import LabelError
from SpiderSegLib.labels import check_values, label_table, level_of, structure_of
from SpiderSegLib.level_names import LevelNaming, full_name, short_name
from SpiderSegLib.segment_tags import SegmentTags
from SpiderSegLib.volume import Volume

#: Red, green, blue, 0..255.
Color = tuple[int, int, int]


@dataclass(frozen=True)
class NamedLabelmap:
    """uint8 SPIDER values on a grid, and the naming of their levels.

    model_id is '' for a mask drawn by hand; confidences are 0..1 by value; colors are by value, those of the label table where none is
    given. Raises LabelError for values outside the scheme and for arrays of another type.
    """

    labelmap: Volume
    naming: LevelNaming = field(default_factory=LevelNaming)
    model_id: str = ""
    confidences: Mapping[int, float] = field(default_factory=dict)
    colors: Mapping[int, Color] = field(default_factory=dict)

    def __post_init__(self) -> None:
        name = self.labelmap.name or "labelmap"
        if self.labelmap.array.dtype != np.uint8:
            raise LabelError(f"{name}: expected labels stored as uint8, found {self.labelmap.array.dtype}")
        check_values(self.values, name)

    @classmethod
    def of(
        cls, labelmap: Volume, naming: LevelNaming | None = None, model_id: str = "", confidences: Mapping[int, float] | None = None
    ) -> NamedLabelmap:
        """Of a labelmap of any integer type. Raises LabelError."""
        array = labelmap.array
        if array.dtype != np.uint8:
            check_values(np.unique(array), labelmap.name or "labelmap")
            labelmap = labelmap.with_array(array.astype(np.uint8))
        return cls(labelmap, naming or LevelNaming(), model_id, confidences or {})

    @cached_property
    def values(self) -> tuple[int, ...]:
        """The values present: vertebrae, discs, then the canal, each from the lowest level up."""
        present = np.flatnonzero(np.bincount(self.labelmap.array.ravel(), minlength=256)).tolist()
        check_values(present, self.labelmap.name or "labelmap")
        return tuple(sorted((value for value in present if value), key=lambda value: (structure_of(value), level_of(value), value)))

    def tags(self, value: int) -> SegmentTags:
        """What a segment of this value carries."""
        return SegmentTags(value, self.naming, self.model_id, self.confidences.get(value))

    def name(self, value: int) -> str:
        """Name beside the level's state: 'L5?'."""
        return short_name(value, self.naming)

    def full_name(self, value: int) -> str:
        """Name that stands alone: 'Lumbar vertebra 1 (level assumed: L5)'."""
        return full_name(value, self.naming)

    def color(self, value: int) -> Color:
        """The segment's own color, else the label table's."""
        red, green, blue, _ = label_table()[value].color_rgba
        return self.colors.get(value, (red, green, blue))
