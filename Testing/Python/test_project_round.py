"""A project's round: what trains, replays and judges; interrupted, gone on with, recorded; what follows from it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from small_cases import write_overview
from small_project import TrainedOnNobody, add_series, add_small_model, make_project, save_mask
from SpiderSegLib.active_learning.pre_segmenting import waiting_series
from SpiderSegLib.annotation_project.decisions import Choice, read_decisions, validation_uses
from SpiderSegLib.annotation_project.exclusive import retraining_turn
from SpiderSegLib.annotation_project.index import ProjectIndex
from SpiderSegLib.annotation_project.models import champion, read_models
from SpiderSegLib.annotation_project.project import Project, open_project
from SpiderSegLib.annotation_project.validation_patients import freeze
from SpiderSegLib.annotation_project.verification import verify
from SpiderSegLib.cli.main import run
from SpiderSegLib.corrections import Correction, ShownPrediction, Status, save, series_names
from SpiderSegLib.errors import Cancelled, DatasetError, ProjectError
from SpiderSegLib.io import read_labelmap, write_volume
from SpiderSegLib.phantom import PhantomConfig, default_geometry, make_phantom
from SpiderSegLib.retraining import project_round
from SpiderSegLib.retraining.decision import Decision, DecisionKind, decision_object
from SpiderSegLib.retraining.files import RoundFiles
from SpiderSegLib.retraining.fine_tuning import read_curve
from SpiderSegLib.retraining.opening import open_round
from SpiderSegLib.retraining.progress import RoundProgress, RoundStage
from SpiderSegLib.retraining.project_data import project_data, replay_items
from SpiderSegLib.retraining.project_round import RoundOptions, promote, record_outcome, retrain_project, roll_back, unfinished_round
from SpiderSegLib.retraining.request import RetrainRequest

OPTIONS = RoundOptions(steps=2, device="cpu", workers=0)


@pytest.fixture(scope="module")
def spider(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("round") / "spider"
    for number in range(4):
        phantom = make_phantom(PhantomConfig(seed=number), default_geometry((56, 64, 5), (3.3, 3.2, 6.6)))
        image = phantom.volume.with_array(phantom.volume.array.astype(np.int16))
        for folder, volume in (("images", image), ("masks", phantom.labelmap)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            write_volume(root / folder / f"{number + 1}_t2.mha", volume)
    return root


@pytest.fixture
def project(tmp_path, spider, tiny_weights) -> Project:
    """Four patients without masks, and the tiny network as generation 0."""
    root = tmp_path / "project"
    assert run(["project", "init", str(root), "--weights", str(tiny_weights)]) == 0
    (tmp_path / "images").mkdir()
    for path in sorted((spider / "images").iterdir()):
        (tmp_path / "images" / path.name).write_bytes(path.read_bytes())
    assert run(["project", "import", str(root), str(tmp_path / "images"), "--progress", "none"]) == 0
    made = open_project(root)
    assert sorted(series_names(made.folder)) == ["1_t2", "2_t2", "3_t2", "4_t2"]
    return made


def annotate(
    project: Project, spider: Path, series: str, annotator: str = "Ada", parent: str = "", status: Status = Status.DONE, but: int = 0, shown=None
):
    labelmap = read_labelmap(spider / "masks" / f"{series}.mha")
    array = np.where(labelmap.array == but, 0, labelmap.array).astype(np.uint8)
    return save(project.folder, Correction(series, labelmap.with_array(array), annotator, status, parent, shown=shown)).revision


def summaries(project: Project):
    return ProjectIndex(project).read()


def names(items) -> list[str]:
    return sorted(item.image.name.split(".")[0] for item in items)


# What a round works on


def test_accepted_masks_are_new_and_frozen_patients_only_judge(project, spider):
    for series in ("1_t2", "2_t2"):
        annotate(project, spider, series)
    annotate(project, spider, "3_t2", status=Status.IN_PROGRESS)
    freeze(project, ["2"], "Eve")
    data = project_data(project, summaries(project), champion(project))
    assert (names(data.new), names(data.replay), names(data.validation)) == (["1_t2"], [], ["2_t2"])
    assert all(item.label.parent.parent == project.folder.revisions for item in data.new)


def test_a_frozen_patient_never_trains_with_a_mask_that_may_not_judge(project, spider):
    first = annotate(project, spider, "2_t2")
    freeze(project, ["2"], "Eve")
    predicted = ShownPrediction(read_labelmap(spider / "masks" / "2_t2.mha").array.astype(np.uint8), "tiny")
    annotate(project, spider, "2_t2", parent=first.id, but=3, shown=predicted)
    data = project_data(project, summaries(project), champion(project))
    assert data.new == data.validation == ()


def test_the_share_that_the_champion_s_line_drew_is_told(project, spider):
    predicted = ShownPrediction(read_labelmap(spider / "masks" / "1_t2.mha").array.astype(np.uint8), "tiny")
    annotate(project, spider, "1_t2", but=3, shown=predicted)
    annotate(project, spider, "2_t2")
    data = project_data(project, summaries(project), champion(project))
    assert data.training_seeded_share == pytest.approx(0.5, abs=0.01)
    assert data.validation_seeded_share is None


def test_validation_patients_are_left_out_of_older_data(project, spider):
    for series in ("1_t2", "2_t2"):
        annotate(project, spider, series)
    freeze(project, ["2"], "Eve")
    data = project_data(project, summaries(project), champion(project), replay_items(spider))
    assert names(data.replay) == ["1_t2", "3_t2", "4_t2"]


def test_patients_whom_their_source_keeps_for_validation_do_not_train(tmp_path, spider, tiny_weights):
    write_overview(tmp_path / "spider", {"1_t2": "training", "2_t2": "validation"})
    for folder in ("images", "masks"):
        (tmp_path / "spider" / folder).mkdir()
        for series in ("1_t2", "2_t2"):
            (tmp_path / "spider" / folder / f"{series}.mha").write_bytes((spider / folder / f"{series}.mha").read_bytes())
    root = tmp_path / "project"
    assert run(["project", "init", str(root), "--weights", str(tiny_weights)]) == 0
    assert run(["project", "import", str(root), str(tmp_path / "spider"), "--progress", "none"]) == 0
    project = open_project(root)
    data = project_data(project, summaries(project), champion(project))
    assert (names(data.new), names(data.validation)) == (["1_t2"], [])


@pytest.fixture
def small(tmp_path) -> Project:
    """Three patients with manual masks, without networks."""
    made = make_project(tmp_path / "small", ["p1_t1", "p1_t2", "p2_t2", "p3_t2"])
    add_small_model(made)
    for series in ("p1_t2", "p2_t2", "p3_t2"):
        save_mask(made, series)
    return made


def test_a_patient_whom_the_source_keeps_for_validation_does_not_train_with_any_series(small):
    add_series(small, "p2_t1", 9, subset="validation")
    data = project_data(small, summaries(small), champion(small))
    assert names(data.new) == ["p1_t2", "p3_t2"]


def test_a_changed_index_lets_no_frozen_patient_train(small):
    freeze(small, ["p1"], "Eve")
    summaries(small)
    (kept,) = small.folder.cache.iterdir()
    kept.write_text(kept.read_text().replace('"patient_id":"p1"', '"patient_id":"p9"'))
    assert {summary.patient_id for summary in summaries(small).values()} == {"p9", "p2", "p3"}
    data = project_data(small, summaries(small), champion(small))
    assert (names(data.new), names(data.validation)) == (["p2_t2", "p3_t2"], ["p1_t2"])


def test_a_mask_that_is_not_what_was_saved_neither_trains_nor_judges(small):
    (mask,) = small.folder.revisions_of("p2_t2").glob("*.mha")
    mask.write_bytes(next(small.folder.revisions_of("p1_t2").glob("*.mha")).read_bytes() + b"x")
    with pytest.raises(ProjectError, match="not the mask that was saved"):
        project_data(small, summaries(small), champion(small))


def begun(project: Project) -> RetrainRequest:
    """A round of which the request is on disk."""
    request = project_round._new_request(project, summaries(project), OPTIONS)
    open_round(request)
    return request


def test_a_round_that_trains_on_patients_frozen_meanwhile_is_given_up(project, spider):
    for series in ("1_t2", "2_t2"):
        annotate(project, spider, series)
    request = begun(project)
    assert unfinished_round(project) == request
    freeze(project, ["1"], "Eve")
    assert unfinished_round(project) is None
    decision = Decision(DecisionKind.PROMOTE, True, (), ("better",), 12, 12)
    with pytest.raises(ProjectError, match="frozen for validation since it began, and is given up: 1;"):
        record_outcome(project, request, TrainedOnNobody("gen-001", ("1", "2")), decision, "Eve")
    assert list(read_models(project)) == ["tiny"]


def test_a_kill_between_the_decision_and_what_follows_from_it_is_made_good(project, spider, monkeypatch):
    annotate(project, spider, "1_t2")
    request = begun(project)
    decision = Decision(DecisionKind.PROMOTE, True, (), ("better",), 12, 12)
    (request.out / "models").mkdir()
    (request.out / "models" / "model.pt").write_bytes(b"trained")
    RoundFiles(request.out).decision.write_text(json.dumps({"decision": decision_object(decision)}))
    decide = project_round.decide
    # One decision more with each try: none, the round's, the promotion.
    for n_decisions in (0, 1, 2):
        left = iter(range(n_decisions))
        monkeypatch.setattr(project_round, "decide", lambda *arguments, left=left: decide(*arguments) if next(left, None) is not None else killed())
        assert unfinished_round(project) == request
        with contextlib.suppress(KeyboardInterrupt):
            record_outcome(project, request, TrainedOnNobody("gen-001", ("1",)), decision, "Eve")
    assert unfinished_round(project) is None
    assert champion(project).model_id == "gen-001"
    assert [one.choice for one in read_decisions(project.folder)] == [Choice.RETRAIN, Choice.PROMOTE]


def killed() -> None:
    raise KeyboardInterrupt


def test_one_round_at_a_time(small):
    with retraining_turn(small.folder), pytest.raises(ProjectError, match="another round of retraining of this project is at work"):
        retrain_project(small, summaries(small), "Eve", OPTIONS)
    assert not (small.folder.models / "gen-001").exists()


def test_nothing_is_trained_from_weights_that_are_not_the_champion_s(small):
    (small.folder.model(champion(small).model_id) / "models" / "model.pt").write_bytes(b"other")
    with pytest.raises(ProjectError, match="not the weights of"):
        retrain_project(small, summaries(small), "Eve", OPTIONS)


def test_nothing_new_is_said_before_anything_is_made(project):
    with pytest.raises(DatasetError, match="nothing new to train on: 0 series have an accepted mask"):
        retrain_project(project, summaries(project), "Eve", OPTIONS)
    assert list(read_models(project)) == ["tiny"]
    assert read_decisions(project.folder) == ()


# The round


@pytest.mark.slow
def test_rounds_follow_each_other_and_a_person_decides_between_few_patients(project, spider, capsys):
    annotate(project, spider, "1_t2")
    annotate(project, spider, "2_t2")
    freeze(project, ["2"], "Eve")

    # Cancelled after the training: the champion stays, nothing is recorded.
    def stop(step: RoundProgress) -> None:
        if step.stage is RoundStage.SCORE:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        retrain_project(project, summaries(project), "Eve", OPTIONS, stop)
    assert champion(project).model_id == "tiny"
    assert read_decisions(project.folder)[-1].choice is Choice.FREEZE
    assert unfinished_round(project).model_id == "gen-001"

    # What is saved meanwhile belongs to the next round.
    annotate(project, spider, "3_t2")
    outcome = retrain_project(project, summaries(project), "Eve", OPTIONS)
    assert (outcome.challenger.model_id, outcome.challenger.generation, outcome.challenger.parent) == ("gen-001", 1, "tiny")
    assert not outcome.is_promoted
    assert outcome.challenger.training_patients == ("1",)
    assert RoundFiles(project.folder.model("gen-001")).report.is_file()
    assert validation_uses(read_decisions(project.folder)) == 1
    assert verify(project) == ()

    # A person promotes it: the open series wait for its predictions, and its masks are replayed.
    promote(project, "gen-001", "Eve", "looks better")
    assert champion(project).model_id == "gen-001"
    assert waiting_series(list(summaries(project).values()), champion(project)) == ("4_t2",)
    data = project_data(project, summaries(project), champion(project))
    assert (names(data.new), names(data.replay)) == (["3_t2"], ["1_t2"])
    roll_back(project, "Eve")
    assert champion(project).model_id == "tiny"

    # From the terminal, on the rolled back champion: both masks are new to it.
    capsys.readouterr()
    assert run(["project", "retrain", str(project.root), "--steps", "1", "--device", "cpu", "--person", "Eve", "--progress", "none"]) == 0
    text = capsys.readouterr().out
    assert "A person decides" in text
    assert "spiderseg project promote" in text
    assert read_models(project)["gen-002"].training_patients == ("1", "3")
    assert "gen-002" in text
    assert run(["project", "reject", str(project.root), "gen-002", "--person", "Eve"]) == 0
    assert run(["project", "models", str(project.root)]) == 0
    assert "reject gen-002 by Eve" in capsys.readouterr().out
    assert verify(project) == ()


@pytest.mark.slow
def test_two_processes_train_one_round(project, spider):
    for series in ("1_t2", "2_t2"):
        annotate(project, spider, series)
    freeze(project, ["2"], "Eve")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "SpiderSegLib"]
    arguments = ["project", "retrain", str(project.root), "--steps", "2", "--device", "cpu", "--person", "Eve", "--progress", "none"]
    done = subprocess.run([*torchrun, *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[:3000]
    assert done.stdout.count("A person decides") >= 1
    assert list(read_models(project)) == ["tiny", "gen-001"]
    assert [decision.choice for decision in read_decisions(project.folder)] == [Choice.FREEZE, Choice.RETRAIN]
    assert [point.step for point in read_curve(project.folder.model("gen-001"))] == [1, 2]


def test_a_round_that_was_interrupted_can_be_given_up(project, spider):
    annotate(project, spider, "1_t2")

    def stop(step: RoundProgress) -> None:
        if step.stage is RoundStage.TRAIN:
            raise Cancelled("enough")

    for _ in range(2):
        with pytest.raises(Cancelled):
            retrain_project(project, summaries(project), "Eve", OPTIONS, stop)
    assert unfinished_round(project).model_id == "gen-001"
    with pytest.raises(Cancelled):
        retrain_project(project, summaries(project), "Eve", replace(OPTIONS, steps=3, is_restarting=True), stop)
    assert unfinished_round(project).model_id == "gen-002"
    assert list(read_models(project)) == ["tiny"]
