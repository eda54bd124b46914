"""Which case a person should correct next: how unsure the model is of a series, and the list that follows from it.

`series_uncertainty` measures a run, `candidate` is a case that waits, `scoring` the strategies and their formula, `ranking` the list,
`wording` why a case stands where it stands. How a project stores all this plays no part here.
"""

from SpiderSegLib.active_learning.candidate import Candidate
from SpiderSegLib.active_learning.ranking import rank
from SpiderSegLib.active_learning.scoring import Strategy
from SpiderSegLib.active_learning.series_uncertainty import PlaceUncertainty, SeriesUncertainty, measure_uncertainty, series_uncertainty
from SpiderSegLib.active_learning.wording import Ranked

__all__ = [
    "Candidate",
    "PlaceUncertainty",
    "Ranked",
    "SeriesUncertainty",
    "Strategy",
    "measure_uncertainty",
    "rank",
    "series_uncertainty",
]
