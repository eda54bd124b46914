"""The work list: free cases by score, the series of one patient spread out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from SpiderSegLib.active_learning.candidate import Candidate
from SpiderSegLib.active_learning.scoring import Strategy, scores
from SpiderSegLib.active_learning.wording import Ranked
from SpiderSegLib.series_names import natural_key

#: What a series is worth for each series of its patient that comes before it or was annotated lately: it shows the same anatomy, and a model
#: that learned the one has learned half of the other.
NEXT_OF_PATIENT = 0.5


def rank(
    candidates: Sequence[Candidate],
    strategy: Strategy = Strategy.UNCERTAIN,
    seed: int = 0,
    annotator: str = "",
    recent_patients: Iterable[str] = (),
) -> tuple[Ranked, ...]:
    """All candidates that nobody but the annotator holds, the next to work on first.

    Under the strategies that are diverse a score is multiplied by NEXT_OF_PATIENT for every better series of the same patient, and for every
    time the patient is in `recent_patients`. Equal cases: a patient's first series first, then by name, '2_t1' before '10_t1'. The same
    candidates in any order, strategy and seed give the same list; the seed matters to Strategy.RANDOM alone. Raises as `scores`.
    """
    free = sorted((candidate for candidate in candidates if candidate.is_free_for(annotator)), key=lambda candidate: natural_key(candidate.series))
    urgency = scores(free, strategy, seed)
    turns = _turns(free, urgency, recent_patients) if strategy.is_diverse else [0] * len(free)
    # Sorting is stable: equal cases keep the order of their names.
    order = sorted(range(len(free)), key=lambda n: (-urgency[n] * NEXT_OF_PATIENT ** turns[n], turns[n]))
    newest = max((candidate.generation for candidate in candidates if candidate.generation is not None), default=None)
    return tuple(Ranked(place, free[n], urgency[n], strategy, turns[n], newest) for place, n in enumerate(order, start=1))


def _turns(candidates: Sequence[Candidate], urgency: Sequence[float], recent_patients: Iterable[str]) -> list[int]:
    """How many series of its patient come before each candidate, those annotated lately included."""
    counts = Counter(recent_patients)
    turns = [0] * len(candidates)
    for n in sorted(range(len(candidates)), key=lambda n: -urgency[n]):
        patient = candidates[n].patient_id
        turns[n] = counts[patient]
        counts[patient] += 1
    return turns
