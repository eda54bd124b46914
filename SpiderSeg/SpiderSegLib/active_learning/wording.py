"""A case of the work list, and in words why it stands where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from SpiderSegLib.active_learning.candidate import Candidate
from SpiderSegLib.active_learning.scoring import Strategy
from SpiderSegLib.active_learning.series_uncertainty import PlaceUncertainty
from SpiderSegLib.counted import counted
from SpiderSegLib.labels import SPINAL_CANAL
from SpiderSegLib.level_names import LevelNaming, short_name

#: From this multiple of the usual entropy on a place is called uncertain; nine of ten series have one under the bundled weights.
UNCERTAIN_FROM = 1.5

#: Mean disagreement of the mirrored runs from which on it is worth a word: two runs of a good model differ by 0.01 to 0.03.
DISAGREEMENT_FROM = 0.05


@dataclass(frozen=True)
class Ranked:
    """A case at its place (1 is next).

    score: the strategy's number, before a patient's further series are put back; turn: how many series of the patient come before it or
    were annotated lately; newest_generation: the newest model among all candidates.
    """

    place: int
    candidate: Candidate
    score: float
    strategy: Strategy
    turn: int = 0
    newest_generation: int | None = None

    @property
    def explanation(self) -> str:
        """A few words, such as 'canal uncertain at L2?, linter: gap above L3?'."""
        return ", ".join(_reasons(self))


def _reasons(ranked: Ranked) -> Iterator[str]:
    candidate = ranked.candidate
    if ranked.strategy is Strategy.OLDEST:
        yield f"waiting since {candidate.waiting_since_utc[:10]}" if candidate.waiting_since_utc else "waiting since an unknown time"
    if ranked.strategy is Strategy.RANDOM:
        yield "drawn at random"
    yield from _uncertainty_reasons(candidate)
    findings = _findings(candidate)
    if findings:
        yield f"linter: {findings}"
    if _is_outdated(candidate, ranked.newest_generation):
        yield f"segmented by model generation {candidate.generation}, the newest is {ranked.newest_generation}"
    if ranked.turn and ranked.strategy.is_diverse:
        yield f"put back behind {ranked.turn} other series of patient {candidate.patient_id}"
    if candidate.held_by:
        yield "held by you"


def _uncertainty_reasons(candidate: Candidate) -> Iterator[str]:
    uncertainty = candidate.uncertainty
    if uncertainty is None:
        yield "not segmented yet"
        return
    place = uncertainty.least_certain
    if place is None:
        yield "nothing found"
    elif place.relative >= UNCERTAIN_FROM:
        yield _uncertain(place, candidate.naming)
    else:
        yield "no level uncertain"
    if uncertainty.disagreement is not None and uncertainty.disagreement >= DISAGREEMENT_FROM:
        yield "mirrored runs disagree"


def _uncertain(place: PlaceUncertainty, naming: LevelNaming) -> str:
    structure = place.structure.name.lower()
    return f"{structure} uncertain" if place.at == SPINAL_CANAL else f"{structure} uncertain at {short_name(place.at, naming)}"


def _findings(candidate: Candidate) -> str:
    """The worst finding and how many more there are; counts alone when it is not told."""
    total = candidate.linter_errors + candidate.linter_warnings
    if candidate.linter_worst and total:
        return candidate.linter_worst + (f" and {total - 1} more" if total > 1 else "")
    counts = ((candidate.linter_errors, "error"), (candidate.linter_warnings, "warning"))
    return " and ".join(counted(count, noun) for count, noun in counts if count)


def _is_outdated(candidate: Candidate, newest_generation: int | None) -> bool:
    return candidate.generation is not None and newest_generation is not None and candidate.generation < newest_generation
