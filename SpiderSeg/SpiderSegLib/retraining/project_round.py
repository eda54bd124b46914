"""A round of a project: begun, gone on with after any interruption, and its outcome recorded; the champion changes last."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from SpiderSegLib.annotation_project.decisions import Choice, champion_id, decide, frozen_patients, read_decisions, validation_uses
from SpiderSegLib.annotation_project.decisions import Decision as Recorded
from SpiderSegLib.annotation_project.exclusive import Turn, retraining_turn
from SpiderSegLib.annotation_project.models import ModelRecord, TrainedOn, add_model, champion, checkpoint_of, new_model_id, read_models
from SpiderSegLib.annotation_project.project import Project
from SpiderSegLib.annotation_project.summary import SeriesSummary
from SpiderSegLib.corrections.records import Clock, utc_now
from SpiderSegLib.dataset import DatasetItem
from SpiderSegLib.errors import DatasetError, OutputError, ProjectError, TrainingError
from SpiderSegLib.fingerprint import sha256_of
from SpiderSegLib.ranks import Rank
from SpiderSegLib.retraining.checks import named, training_patients
from SpiderSegLib.retraining.decision import Decision, DecisionKind, decision_object
from SpiderSegLib.retraining.files import RoundFiles
from SpiderSegLib.retraining.fine_tuning import fine_tune
from SpiderSegLib.retraining.opening import open_round
from SpiderSegLib.retraining.progress import RoundCallback, RoundProgress
from SpiderSegLib.retraining.project_data import project_data
from SpiderSegLib.retraining.record import read_request
from SpiderSegLib.retraining.request import RetrainRequest, RoundNotes
from SpiderSegLib.retraining.round import read_decision, run_round
from SpiderSegLib.retraining.wording import headline
from SpiderSegLib.stages import CancelCallback

#: What the rule does of itself; a recommendation waits for a person.
_CHOICE_OF = {DecisionKind.PROMOTE: Choice.PROMOTE, DecisionKind.REJECT: Choice.REJECT}

#: Comment of a decision that no person took.
BY_THE_RULE = "by the rule"

#: What the request of a round is called once it was given up.
GIVEN_UP = "request-given-up.json"

#: How often a process looks whether the first one has begun the round.
POLL_S = 0.5


@dataclass(frozen=True)
class RoundOptions:
    """What a person may choose of a round; the rest are the defaults of RetrainRequest.

    `replay` is older data from outside; is_restarting: a round that was interrupted is given up, not gone on with.
    """

    steps: int = 1000
    device: str = "auto"
    seed: int = 0
    batch_size: int = 2
    workers: int = 1
    replay: tuple[DatasetItem, ...] = ()
    is_restarting: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a round came to: the challenger, the decision, and whether it is the champion now."""

    challenger: ModelRecord
    decision: Decision
    is_promoted: bool

    @property
    def report(self) -> str:
        return headline(self.decision)


def retrain_project(
    project: Project,
    summaries: Mapping[str, SeriesSummary],
    person: str,
    options: RoundOptions,
    on_progress: RoundCallback | None = None,
    is_cancelled: CancelCallback | None = None,
    clock: Clock = utc_now,
) -> Outcome | None:
    """Goes on with the round that was interrupted, else begins one; promotes the challenger when the rule says so.

    Under torchrun all processes train; the first one does the rest, and the others get None.

    A round keeps the masks it was begun with; those saved meanwhile are new to the next. Raises DatasetError when nothing is new,
    ProjectError, also while another round is at work, and what `run_round` raises; the champion then stays.
    """
    rank = Rank.from_environment()
    with contextlib.ExitStack() as stack:
        if rank.is_first:
            on_progress = _renewing(stack.enter_context(retraining_turn(project.folder)), on_progress)
        request = _agreed_request(project, summaries, options, rank)
        if rank.is_of_torchrun:
            fine_tune(open_round(request, on_progress if rank.is_first else None, is_cancelled), rank)
            if not rank.is_first:
                return None
        decision = run_round(request, on_progress, is_cancelled)
        from SpiderSegLib.weights import load_weights

        provenance = load_weights(str(request.out)).provenance
        return record_outcome(project, request, provenance, decision, person, clock)


def unfinished_round(project: Project) -> RetrainRequest | None:
    """The round of the present champion that has a request and whose outcome is not fully recorded yet; the latest of several.

    A round that trains on patients who were frozen since it began is given up.
    """
    known, decisions = read_models(project), read_decisions(project.folder)
    if not known:
        return None
    parent = champion(project)
    frozen = frozen_patients(decisions)
    for place in sorted(_round_folders(project), reverse=True):
        if not RoundFiles(place).request.is_file() or (place.name in known and _is_told(place, decisions)):
            continue
        request = read_request(place)
        if request.champion.name == parent.model_id and not frozen & training_patients((*request.new_items, *request.replay_items)):
            return request
    return None


def give_up(project: Project) -> RetrainRequest | None:
    """Gives up the round that was interrupted, if there is one: what it made stays in its folder, its model is never made.

    Raises OutputError.
    """
    request = unfinished_round(project)
    if request is not None:
        path = RoundFiles(request.out).request
        try:
            project.folder.disk.rename(path, path.with_name(GIVEN_UP))
        except OSError as error:
            raise OutputError(f"{path}: the round can't be given up: {error.strerror}") from error
    return request


def _is_told(out: Path, decisions: Sequence[Recorded]) -> bool:
    """Whether the decision of a round is written down, with what followed from it: a kill may have come in between."""
    told = {one.choice for one in decisions if one.model_id == out.name}
    if Choice.RETRAIN not in told or not RoundFiles(out).decision.is_file():
        return Choice.RETRAIN in told
    return read_decision(out).kind not in _CHOICE_OF or bool(told & {Choice.PROMOTE, Choice.REJECT})


def _renewing(turn: Turn, on_progress: RoundCallback | None) -> RoundCallback:
    """Says with every step that the round is at work."""

    def report(step: RoundProgress) -> None:
        with contextlib.suppress(OutputError):  # a note that can't be renewed is no reason to end a training
            turn.renew()
        if on_progress is not None:
            on_progress(step)

    return report


def record_outcome(
    project: Project, request: RetrainRequest, provenance: TrainedOn, decision: Decision, person: str, clock: Clock = utc_now
) -> Outcome:
    """Makes the challenger a model of the project and writes down the decision; done twice, it changes nothing.

    Raises ProjectError when patients were frozen meanwhile who trained it, OutputError.
    """
    seen = frozen_patients(read_decisions(project.folder)) & set(provenance.training_patients)
    if seen:
        raise ProjectError(
            f"{request.model_id} was trained on patients who were frozen for validation since it began, and is given up: {named(seen)}; retrain again"
        )
    known = read_models(project)
    challenger = known.get(request.model_id)
    if challenger is None:
        challenger = add_model(project, request.out, provenance, request.champion.name, clock)
    told = [one.choice for one in read_decisions(project.folder) if one.model_id == challenger.model_id]
    if Choice.RETRAIN not in told:
        details = {"decision": decision_object(decision)}
        decide(project.folder, Recorded(Choice.RETRAIN, person, challenger.model_id, comment=headline(decision), details=details), clock)
    choice = _CHOICE_OF.get(decision.kind)
    if choice is not None and choice not in told:
        decide(project.folder, Recorded(choice, person, challenger.model_id, comment=BY_THE_RULE), clock)
    return Outcome(challenger, decision, champion(project).model_id == challenger.model_id)


def promote(project: Project, model_id: str, person: str, comment: str = "", clock: Clock = utc_now) -> Recorded:
    """Makes a model the champion because a person says so. Raises ProjectError when there is none of this id, or it is the champion."""
    _require(project, model_id)
    if champion(project).model_id == model_id:
        raise ProjectError(f"{model_id} is the champion already")
    return decide(project.folder, Recorded(Choice.PROMOTE, person, model_id, comment=comment, details=_advice(project, model_id)), clock)


def reject(project: Project, model_id: str, person: str, comment: str = "", clock: Clock = utc_now) -> Recorded:
    """Writes down that a challenger was looked at and not taken. Raises ProjectError when there is none, or it is the champion."""
    _require(project, model_id)
    if champion(project).model_id == model_id:
        raise ProjectError(f"{model_id} is the champion; roll back to another model instead")
    return decide(project.folder, Recorded(Choice.REJECT, person, model_id, comment=comment, details=_advice(project, model_id)), clock)


def roll_back(project: Project, person: str, model_id: str = "", comment: str = "", clock: Clock = utc_now) -> Recorded:
    """Makes an earlier model the champion again: the one before the present if none is named.

    Raises ProjectError when there is none of this id, none before, or its files are damaged.
    """
    present = champion(project)
    target = model_id or _champion_before(read_decisions(project.folder)) or present.parent
    if not target or target == present.model_id:
        raise ProjectError(f"{present.model_id} has no model before it to go back to" if not model_id else f"{model_id} is the champion already")
    _require(project, target)
    return decide(project.folder, Recorded(Choice.ROLL_BACK, person, target, comment=comment), clock)


def _agreed_request(project: Project, summaries: Mapping[str, SeriesSummary], options: RoundOptions, rank: Rank) -> RetrainRequest:
    """The round of all processes: the first one begins it, and the others find it on the disk they share."""
    if options.is_restarting and rank.world > 1:
        raise TrainingError("several processes can't agree on giving up a round; run it once in one process")
    if rank.is_first:
        _require(project, champion(project).model_id)
        if options.is_restarting:
            give_up(project)
        request = unfinished_round(project) or _new_request(project, summaries, options)
        if rank.is_of_torchrun:
            open_round(request)
        return request
    # The processes can join each other only once, for the training. When the first one fails, torchrun ends this one.
    while (begun := unfinished_round(project)) is None:
        time.sleep(POLL_S)
    return begun


def _new_request(project: Project, summaries: Mapping[str, SeriesSummary], options: RoundOptions) -> RetrainRequest:
    parent = champion(project)
    data = project_data(project, summaries, parent, options.replay)
    if not data.new:
        done = sum(bool(summary.accepted) for summary in summaries.values())
        raise DatasetError(
            f"nothing new to train on: {done} series have an accepted mask, and each trained {parent.model_id} or is frozen for validation; "
            "correct some series and save them as done"
        )
    rounds = tuple(place for place in _round_folders(project) if RoundFiles(place).decision.is_file())
    return RetrainRequest(
        champion=project.folder.model(parent.model_id),
        new_items=data.new,
        replay_items=data.replay,
        validation_items=data.validation,
        out=project.folder.model(new_model_id(project)),
        steps=options.steps,
        device=options.device,
        seed=options.seed,
        batch_size=options.batch_size,
        workers=options.workers,
        earlier_rounds=rounds,
        notes=RoundNotes(
            validation_uses=validation_uses(read_decisions(project.folder)),
            validation_seeded_share=data.validation_seeded_share,
            training_seeded_share=data.training_seeded_share,
            data_description=f"the project {project.name}",
        ),
    )


def _round_folders(project: Project) -> list[Path]:
    return sorted(place for place in project.folder.models.iterdir() if place.is_dir()) if project.folder.models.is_dir() else []


def _require(project: Project, model_id: str) -> ModelRecord:
    models = read_models(project)
    if model_id not in models:
        raise ProjectError(f"{model_id}: no such model in the project; it has {', '.join(models)}")
    # Weights that are damaged would leave the project without a model.
    path, expected = checkpoint_of(project, model_id), models[model_id].checkpoint_sha256
    if sha256_of(path) != expected:
        raise ProjectError(f"{path}: not the weights of {model_id}: the file was changed or damaged; get it back from a backup")
    return models[model_id]


def _advice(project: Project, model_id: str) -> dict[str, object]:
    """What the round recommended to the person who decides."""
    out = project.folder.model(model_id)
    return {"decision": decision_object(read_decision(out))} if RoundFiles(out).decision.is_file() else {}


def _champion_before(decisions: Sequence[Recorded]) -> str:
    """The champion before the last change of it; '' when that is not written down."""
    present = champion_id(decisions)
    earlier = [one for one in decisions if one.choice in (Choice.PROMOTE, Choice.ROLL_BACK)]
    return next((one.model_id for one in reversed(earlier[:-1]) if one.model_id != present), "")
