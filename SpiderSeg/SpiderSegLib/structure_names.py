"""Which structure a segment's name means: segmentations made elsewhere carry no values, and people rename segments by hand.

Read are our own names and those of SNOMED CT, of Slicer, and of other spine segmentation tools: 'L5', 'L5? (partial)', 'Vertebra 3',
'L4/L5', 'L4-5', 'vertebrae_L5', 'disc_L5_S', 'IVD L4', 'Fifth lumbar vertebra', 'Spinal canal'. Anything else is None rather than a guess:
an endplate or a nerve root is no vertebra, the cord is no canal, the sacrum is no label of the scheme.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from SpiderSegLib.labels import DISC_OFFSET, HIGHEST_LEVEL, PARTIAL_OFFSET, SPINAL_CANAL, Structure, label_table, structure_of
from SpiderSegLib.level_names import SACRUM, USUAL_LUMBAR_COUNT, LevelNaming, anatomical_name, full_name, short_name, vertebra_name

_VERTEBRA_WORDS = frozenset({"vertebra", "vertebrae", "vertebral", "body", "lumbar", "thoracic", "cervical", "level", "vert"})
_DISC_WORDS = frozenset({"disc", "discs", "disk", "disks", "ivd", "intervertebral"})
_PARTIAL_WORDS = frozenset({"partial", "partially", "visible", "incomplete", "cut"})
_CANAL_NAMES = ("spinal canal", "vertebral canal", "canal")
_SACRUM_WORDS = frozenset({"s", "s1", "sacrum"})

_CONFIRMATION = re.compile(r"\((?:level assumed|transitional):[^)]*\)|\?")
_ORDINAL = re.compile(r"(?:lumbar )?(vertebra|disc) (\d{1,2})")

#: Two levels of one region written short: 'L4-5', 'L4/5'; behind an underscore or space the second is the number of a copy.
_SHORT_PAIR = re.compile(r"\b([ltc])(\d{1,2})[-/](\d{1,2})\b")

#: 'L5', 'T12', 'Th12', 'C7', and 'L5S1' as two of them.
_LEVEL = re.compile(r"(?:th|[ltcs])\d{1,2}")
_LEVELS = re.compile(rf"(?:{_LEVEL.pattern})+")


def value_of_name(name: str, naming: LevelNaming | None = None) -> int | None:
    """The SPIDER value of a segment's name, or None when it names no structure of the scheme.

    Levels are counted as `naming` does (five lumbar vertebrae if not given): L5 is 1, or 2 with six of them. A disc named by one level
    lies below it, by two between them. A name that a person gave to a level is found whatever it is.
    """
    naming = naming or LevelNaming()
    text = _plain(name)
    own = _values_of_own_names(naming)
    if text in own:
        return own[text]
    if text in _CANAL_NAMES:
        return SPINAL_CANAL
    words = text.split()
    partial = any(word in _PARTIAL_WORDS for word in words)
    value = _whole_value(" ".join(word for word in words if word not in _PARTIAL_WORDS), naming)
    if value is None or not partial:
        return value
    return value + PARTIAL_OFFSET if structure_of(value) is Structure.VERTEBRA else None


def naming_of_names(names: Iterable[str]) -> LevelNaming:
    """How a segmentation made elsewhere counts: with six lumbar vertebrae where it has an L6, with a T13 where it has one; assumed."""
    levels = {level for name in names for level in _levels_of(_plain(name).split())}
    if "L6" in levels:
        return LevelNaming(lumbar_count=6)
    if "T13" in levels:
        return LevelNaming(own_names={USUAL_LUMBAR_COUNT + 1: "T13"})
    return LevelNaming()


def _plain(name: str) -> str:
    """Lower case, words apart by one space, the word on confirmation gone."""
    text = _SHORT_PAIR.sub(_written_out, _CONFIRMATION.sub(" ", name.lower()))
    return " ".join(re.split(r"[\s_,;:.()\[\]/-]+", text)).strip()


def _written_out(pair: re.Match[str]) -> str:
    region, upper, lower = pair.groups()
    return f"{region}{upper} {region}{lower}" if int(lower) == int(upper) + 1 else pair.group()


def _whole_value(text: str, naming: LevelNaming) -> int | None:
    """The value of a plain name without a word on partial view."""
    text = _anatomy_of_meaning().get(text, text)
    ordinal = _ORDINAL.fullmatch(text)
    if ordinal:
        level = int(ordinal.group(2))
        offset = DISC_OFFSET if ordinal.group(1) == "disc" else 0
        return offset + level if 1 <= level <= HIGHEST_LEVEL else None
    return _value_of_words(text.split(), naming)


def _value_of_words(words: list[str], naming: LevelNaming) -> int | None:
    levels = _levels_of(words)
    rest = {word for word in words if not _LEVELS.fullmatch(word)}
    is_disc = bool(rest & _DISC_WORDS)
    if levels and rest & _SACRUM_WORDS:
        levels, rest = [*levels, SACRUM], rest - _SACRUM_WORDS
    if rest - _VERTEBRA_WORDS - _DISC_WORDS or not 1 <= len(levels) <= 2:
        return None
    if len(levels) == 2:
        is_called_vertebra = bool(rest & _VERTEBRA_WORDS) and not is_disc
        return None if is_called_vertebra else _disc_between(levels[0], levels[1], naming)
    level = _level_number(levels[0], naming)
    return level + DISC_OFFSET if level and is_disc else level or None


def _levels_of(words: Iterable[str]) -> list[str]:
    """The levels among plain words, in order: 'l5s1' gives L5 and S1, 'th12' gives T12."""
    found = [level for word in words if _LEVELS.fullmatch(word) for level in _LEVEL.findall(word)]
    return [f"{level[0].upper()}{int(level.lstrip('thlcs'))}" for level in found]


def _disc_between(one: str, other: str, naming: LevelNaming) -> int | None:
    """The disc between two neighbors, in whichever order they are named."""
    numbers = (_level_number(one, naming), _level_number(other, naming))
    if numbers[0] is None or numbers[1] is None or abs(numbers[0] - numbers[1]) != 1:
        return None
    return DISC_OFFSET + max(numbers[0], numbers[1])


def _level_number(name: str, naming: LevelNaming) -> int | None:
    """Level of an upper-case name; 0 for the sacrum."""
    return next((level for level in range(HIGHEST_LEVEL + 1) if vertebra_name(level, naming).upper() == name), None)


def _values_of_own_names(naming: LevelNaming) -> dict[str, int]:
    """Plain outputs of `level_names` for the structures a person named: such a name may hold anything."""
    found: dict[str, int] = {}
    levels = {level + above for level in naming.own_names for above in (0, 1) if level + above <= HIGHEST_LEVEL}
    for value in (offset + level for offset in (0, PARTIAL_OFFSET, DISC_OFFSET) for level in sorted(levels)):
        for name in (anatomical_name(value, naming), short_name(value, naming), full_name(value, naming)):
            found.setdefault(_plain(name), value)
    return found


@lru_cache(maxsize=1)
def _anatomy_of_meaning() -> dict[str, str]:
    """Plain meaning of each code that names a level -> plain name of that level: 'fifth lumbar vertebra' -> 'l5'."""
    names = {_plain(entry.type_code[2]): _plain(anatomical_name(value)) for value, entry in reversed(label_table().items())}
    return {meaning: name for meaning, name in names.items() if meaning not in ("vertebra", "intervertebral disc")}
