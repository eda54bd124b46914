"""One round of retraining: a challenger is trained from the champion, both are scored on frozen validation patients, a rule decides.

`request` says what a round works on, `opening` checks and records it (`checks`, `record`), `fine_tuning` trains by `recipe`, `scoring`
predicts and scores both models (`stored_scores`), `decision` holds the rule (`criteria`), `round` puts it together and leaves a bundle,
`model_card` and `report` (`pictures`, `wording`). `files` says where everything is, `progress` how far a round is.
"""

from SpiderSegLib.retraining.criteria import Criterion, DecisionRule
from SpiderSegLib.retraining.decision import Decision, DecisionKind, decide, use_warning
from SpiderSegLib.retraining.files import CHALLENGER, CHAMPION, RoundFiles
from SpiderSegLib.retraining.fine_tuning import CurvePoint, fine_tune, read_curve
from SpiderSegLib.retraining.opening import OpenRound, open_round
from SpiderSegLib.retraining.progress import RoundCallback, RoundProgress, RoundStage
from SpiderSegLib.retraining.record import read_request
from SpiderSegLib.retraining.request import RetrainRequest, RoundNotes
from SpiderSegLib.retraining.round import conclude, read_decision, run_round
from SpiderSegLib.retraining.scoring import Evaluations, evaluate_both
from SpiderSegLib.retraining.wording import headline

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "Criterion",
    "CurvePoint",
    "Decision",
    "DecisionKind",
    "DecisionRule",
    "Evaluations",
    "OpenRound",
    "RetrainRequest",
    "RoundCallback",
    "RoundFiles",
    "RoundNotes",
    "RoundProgress",
    "RoundStage",
    "conclude",
    "decide",
    "evaluate_both",
    "fine_tune",
    "headline",
    "open_round",
    "read_curve",
    "read_decision",
    "read_request",
    "run_round",
    "use_warning",
]
