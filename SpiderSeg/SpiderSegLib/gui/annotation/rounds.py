"""What a round of retraining left in its folder, as the panel shows it. Knows no Qt."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from SpiderSegLib.errors import DatasetError
from SpiderSegLib.evaluation import OVERALL
from SpiderSegLib.evaluation.report.wording import NOTHING, number, signed
from SpiderSegLib.retraining import Decision, RoundFiles, headline, read_decision
from SpiderSegLib.retraining.wording import SHOWN_SCORES

#: The picture of a worst case is told from other figures of a report by how its description ends.
CASE_DESCRIPTION = ": champion, challenger and reference"

_PNG = "data:image/png;base64,"


@dataclass(frozen=True)
class Picture:
    """A figure of a report: the series, the PNG, and what it shows in words."""

    series: str
    png: bytes
    caption: str


@dataclass(frozen=True)
class Round:
    """A round that was decided: both models, the decision, the rows of the comparison (a text for each column)."""

    champion: str
    challenger: str
    decision: Decision
    comparison: tuple[tuple[str, ...], ...]
    report: Path

    @property
    def summary(self) -> str:
        """The decision, its reasons and what to keep in mind."""
        lines = [f"{self.challenger} against {self.champion}: {headline(self.decision)}", *self.decision.reasons, *self.decision.warnings]
        return "\n".join(lines)

    @property
    def criteria(self) -> list[tuple[str, str]]:
        """Whether each criterion is met, and its numbers in a sentence."""
        return [(_("yes") if one.is_met else _("NO"), f"{one.name}: {one.sentence}") for one in self.decision.criteria]


def readRound(folder: Path) -> Round | None:
    """The round in a model's folder; None when there was none, as of the first model. Raises DatasetError when it can't be read."""
    files = RoundFiles(folder)
    if not files.decision.is_file():
        return None
    decision = read_decision(folder)
    try:
        content = json.loads(files.decision.read_text(encoding="utf-8"))
        models = [str(content[side]["model_id"]) for side in ("champion", "challenger")]
        rows = () if content["comparison"] is None else tuple(_rows(content["comparison"]["differences"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        text = _("{path}: expected the decision of a round: {error}")
        raise DatasetError(text.format(path=files.decision, error=repr(error))) from error
    return Round(models[0], models[1], decision, rows, files.report)


def _rows(differences: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """All sequences together first, and each alone where there are several."""
    groups = [group for group in differences if group != OVERALL]
    found = []
    for group in (OVERALL, *(groups if len(groups) > 1 else [])):
        title = groups[0] if group == OVERALL and len(groups) == 1 else group
        for score, words in SHOWN_SCORES.items():
            if score in differences[group]:
                found.append((title, words, *_numbers(differences[group][score])))
    return found


def _numbers(difference: Mapping[str, Any]) -> tuple[str, ...]:
    change, ends = difference["change"], difference["change"]["interval"]
    interval = NOTHING if ends is None else f"{ends[0]:+.3f} .. {ends[1]:+.3f}"
    return number(difference["mean_a"]), number(difference["mean_b"]), signed(change["mean"]), interval


def worstCases(report: Path) -> list[Picture]:
    """The pictures of a report's worst cases, the worst first; none when there is no report."""
    reader = _FigureReader()
    try:
        reader.feed(report.read_text(encoding="utf-8"))
    except OSError:
        return []
    return [
        Picture(description.removesuffix(CASE_DESCRIPTION), png, caption)
        for description, png, caption in reader.figures
        if description.endswith(CASE_DESCRIPTION)
    ]


class _FigureReader(HTMLParser):
    """Collects (description, PNG, caption) of the figures inside a report."""

    def __init__(self) -> None:
        super().__init__()
        self.figures: list[tuple[str, bytes, str]] = []
        self._isCaption = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        source = found.get("src") or ""
        if tag == "img" and source.startswith(_PNG):
            self.figures.append((found.get("alt") or "", base64.b64decode(source.removeprefix(_PNG)), ""))
        self._isCaption = tag == "figcaption"

    def handle_endtag(self, tag: str) -> None:
        self._isCaption = False

    def handle_data(self, data: str) -> None:
        if self._isCaption and self.figures:
            description, png, caption = self.figures[-1]
            self.figures[-1] = (description, png, caption + data)
