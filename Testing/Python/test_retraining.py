"""One round of retraining on a tiny network: what it refuses, what it leaves, and that every interruption goes on to the same end."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from retraining_cases import request_in, write_champion, write_series
from SpiderSegLib import bundle
from SpiderSegLib.errors import Cancelled, DatasetError, OutputError, TrainingError
from SpiderSegLib.io import read_labelmap, read_volume, write_volume
from SpiderSegLib.network import Provenance, load_checkpoint
from SpiderSegLib.ranks import Rank
from SpiderSegLib.retraining import (
    DecisionKind,
    RetrainRequest,
    RoundFiles,
    RoundNotes,
    RoundProgress,
    RoundStage,
    evaluate_both,
    fine_tune,
    open_round,
    read_curve,
    read_decision,
    read_request,
    round,
    run_round,
    scoring,
)
from SpiderSegLib.retraining.progress import ProgressMeter
from SpiderSegLib.retraining.recipe import FineTuningRecipe
from SpiderSegLib.retraining.scoring import weights_digest
from SpiderSegLib.retraining.stored_scores import ScoreKey, read_scores, write_scores
from SpiderSegLib.weights import load_weights

pytestmark = pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad:UserWarning")


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory) -> RetrainRequest:
    """A round that was not begun; tests that begin it choose a folder of their own."""
    return request_in(tmp_path_factory.mktemp("round"))


@pytest.fixture(scope="module")
def decided(request_: RetrainRequest) -> RetrainRequest:
    """The same round, run without interruption."""
    request = replace(request_, notes=RoundNotes(12, 0.5, 1.0, "made up"))
    run_round(request)
    return request


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Several threads only wait for each other on a network of this size."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def hashes_below(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*")) if path.is_file()}


# What a round refuses


def test_nothing_new_to_train_on_is_refused(request_):
    with pytest.raises(DatasetError, match="nothing new to train on"):
        open_round(replace(request_, new_items=()))


def test_missing_files_are_named(request_, tmp_path):
    gone = replace(request_.new_items[0], label=tmp_path / "gone.mha")
    with pytest.raises(DatasetError, match=r"found nothing at .*gone\.mha"):
        open_round(replace(request_, new_items=(gone,)))
    with pytest.raises(DatasetError, match=r"found nothing at .*no_model"):
        open_round(replace(request_, champion=tmp_path / "no_model"))


def test_a_validation_patient_among_the_new_or_replayed_masks_is_refused(request_, tmp_path):
    for side in ("new_items", "replay_items"):
        leaking = replace(write_series(tmp_path, "40_t1", "40", 4), patient_id="8")
        with pytest.raises(DatasetError, match=r"leakage: validation patients are among those that train the new or replayed masks: 8;"):
            open_round(replace(request_, **{side: (*getattr(request_, side), leaking)}))


def test_a_renamed_validation_patient_is_found_by_the_name_of_the_series(request_):
    renamed = replace(request_.validation_items[0], patient_id="somebody")
    with pytest.raises(DatasetError, match="leakage: validation patients are among those that train the new or replayed masks: 8"):
        open_round(replace(request_, new_items=(*request_.new_items, replace(request_.validation_items[1], patient_id="somebody else"))))
    with pytest.raises(DatasetError, match="leakage"):
        open_round(replace(request_, new_items=(*request_.new_items, renamed)))


def test_a_validation_patient_that_trained_the_champion_is_refused(request_, tmp_path):
    champion = write_champion(tmp_path / "model.pt", Provenance("first", training_patients=("9", "10")))
    with pytest.raises(DatasetError, match="leakage: validation patients are among those that train the champion first: 9;"):
        open_round(replace(request_, champion=champion))


def test_a_validation_image_that_trained_the_champion_under_another_name_is_refused(request_, tmp_path):
    digest = hashlib.sha256(request_.validation_items[0].image.read_bytes()).hexdigest()
    champion = write_champion(tmp_path / "model.pt", Provenance("first", training_image_sha256={"elsewhere/x.mha": digest}))
    with pytest.raises(DatasetError, match="leakage: the files of validation series are among what trained the champion first: 7_t2"):
        open_round(replace(request_, champion=champion))


def test_a_validation_file_under_another_name_among_the_new_ones_is_refused(request_, tmp_path):
    copied = write_series(tmp_path, "30_t2", "30", 4)
    mask_alone = replace(copied, image=None)
    for kind, item in (("label", mask_alone), ("image", copied)):
        getattr(copied, kind).write_bytes(getattr(request_.validation_items[2], kind).read_bytes())
        with pytest.raises(DatasetError, match="leakage: the files of validation series are among the new or replayed series: 9_t2"):
            open_round(replace(request_, new_items=(item,)))


def test_a_validation_image_in_another_format_is_found_before_the_first_step(request_, tmp_path):
    volume = read_volume(request_.validation_items[0].image)
    copied = write_series(tmp_path, "30_t2", "30", 4)
    write_volume(tmp_path / "30_t2.nii.gz", volume)
    write_volume(copied.label, read_labelmap(request_.validation_items[0].label))
    opened = open_round(
        replace(
            request_,
            new_items=(replace(copied, image=tmp_path / "30_t2.nii.gz"),),
            validation_items=request_.validation_items[:1],
            out=tmp_path / "out",
        )
    )
    with pytest.raises(DatasetError, match="leakage"):
        fine_tune(opened)
    assert read_curve(tmp_path / "out") == ()


def test_validation_series_that_names_can_t_tell_apart_are_refused(request_, tmp_path):
    first = request_.validation_items[0]
    with pytest.raises(DatasetError, match="several of 7_t2"):
        open_round(replace(request_, validation_items=(first, replace(first, patient_id="70"))))
    odd = tuple(write_series(tmp_path, name, "7", seed) for seed, name in enumerate(("seven_t2", "7_t1")))
    with pytest.raises(DatasetError, match="found several patients by their series' names: 7"):
        open_round(replace(request_, validation_items=odd))
    with pytest.raises(DatasetError, match="found several patients under one name: 7"):
        open_round(replace(request_, validation_items=(first, replace(odd[1], patient_id="70"))))
    with pytest.raises(DatasetError, match="validation series with an image, found only a mask of 7_t2"):
        open_round(replace(request_, validation_items=(replace(first, image=None),)))


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"replay_share": 1.0}, {"learning_rate": 0.0}, {"workers": -1}])
def test_hyper_parameters_that_make_no_sense_are_refused(request_, wrong):
    with pytest.raises(TrainingError, match="found"):
        replace(request_, **wrong)


# What a round leaves


def test_a_round_leaves_a_bundle_whose_provenance_tells_what_trained_it(decided):
    checkpoint = load_weights(str(decided.out))
    provenance = checkpoint.provenance
    assert (provenance.model_id, provenance.initialized_from, provenance.steps) == ("second", "first", 4)
    assert provenance.training_patients == ("1", "2", "50")
    assert provenance.validation_patients == ("7", "8", "9")
    assert len(provenance.training_image_sha256) == 3
    assert set(provenance.validation_scores) == {"t2 vertebra", "t2 disc", "t2 canal", "mean"}
    assert weights_digest(checkpoint) == weights_digest(load_checkpoint(RoundFiles(decided.out).weights))
    card = (decided.out / "docs" / "README.md").read_text()
    assert card.startswith("# Model card: second\n")
    assert "**Research use only, not for diagnosis. Not a medical device.**" in card
    assert "| new | 2 | 1 | 1 t1, 1 t2 |" in card
    assert str(decided.out.parent) not in card


def test_the_champion_s_files_are_only_read(request_, decided):
    before = hashes_below(decided.champion.parent)
    run_round(replace(request_, steps=1, out=decided.out.parent / "third", validation_items=()))
    assert hashes_below(decided.champion.parent) == before


def test_the_decision_is_read_back_and_rests_on_the_frozen_patients(decided):
    decision = read_decision(decided.out)
    assert decision.kind is DecisionKind.RECOMMEND  # three patients
    assert (decision.n_patients, decision.n_series, len(decision.criteria)) == (3, 3, 6)
    record = json.loads((decided.out / "decision.json").read_text())
    assert record["challenger"] == {"model_id": "second", "sha256": load_weights(str(decided.out)).sha256}
    assert record["comparison"]["a"] == "first"
    assert (decided.out / "comparison.csv").read_text().startswith("group,score,mean_a,mean_b,")


class _Page(HTMLParser):
    """Collects text, pictures and whether every tag is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.sources.append(dict(attrs)["src"])
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_report_is_one_well_formed_file_that_works_offline(decided):
    page = _Page()
    source = (decided.out / "report.html").read_text()
    page.feed(source)
    page.close()
    text = " ".join(page.text)
    assert page.open == []
    assert len(page.sources) == 5  # changes, three cases, the curve
    assert all(one.startswith("data:image/png;base64,") for one in page.sources)
    assert not re.search(r"https?://", source)
    for said in (
        "Retraining: second",
        "Research use only",
        "12 rounds before this one were decided on the same validation patients",
        "Seeded by predictions of the champion's line: 100 % of the training masks, 50 % of the validation masks",
        "mean structure Dice is higher",
        "7_t2: mean structure Dice",
    ):
        assert said in text


def test_a_decided_round_is_not_done_again(decided):
    before = hashes_below(decided.out)
    assert run_round(decided) == read_decision(decided.out)
    assert hashes_below(decided.out) == before
    assert not RoundFiles(decided.out).resume_state.exists()


def test_the_request_is_read_back_as_it_was(decided):
    found = read_request(decided.out)
    assert replace(found, champion=found.champion.resolve()) == replace(decided, champion=decided.champion.resolve())


def test_a_project_that_moves_keeps_its_rounds(decided, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "second").mkdir()
    (tmp_path / "models" / "second" / "request.json").write_bytes((decided.out / "request.json").read_bytes())
    moved = read_request(tmp_path / "models" / "second")
    assert moved.champion == tmp_path / "champion" / "model.pt"
    assert moved.new_items[0].image == tmp_path / "data" / "images" / "1_t1.mha"


def test_without_validation_patients_a_round_ends_undecided_and_says_so(decided):
    decision = read_decision(decided.out.parent / "third")
    assert (decision.kind, decision.is_compared) == (DecisionKind.RECOMMEND, False)
    assert "could not be compared" in (decided.out.parent / "third" / "report.html").read_text()


def test_the_next_round_takes_the_champion_s_scores_from_the_earlier_one(request_, decided, tmp_path, monkeypatch):
    third = replace(request_, champion=decided.out, steps=1, out=tmp_path / "third", earlier_rounds=(decided.out,))
    opened = open_round(third)
    fine_tune(opened)
    predicted = []
    predict = scoring._Side._predict
    monkeypatch.setattr(scoring._Side, "_predict", lambda self, *of: (predicted.append(self.side), predict(self, *of)))
    found = evaluate_both(opened)
    assert predicted == ["challenger"] * 3  # second's predictions were the challenger's there, and are the champion's here
    name = "7_t2.mha"
    assert (tmp_path / "third" / "champion" / name).read_bytes() == (decided.out / "challenger" / name).read_bytes()
    assert len(found.champion.series) == 3


def test_a_changed_reference_is_scored_anew(request_, decided, tmp_path, monkeypatch):
    first = write_series(tmp_path / "data", "7_t2", "7", 7, shift=1)
    labelmap = read_labelmap(first.label)
    write_volume(first.label, labelmap.with_array(np.where(labelmap.array == 201, 0, labelmap.array)))
    changed = replace(request_, validation_items=(first,), out=tmp_path / "other", earlier_rounds=(decided.out,), steps=1)
    opened = open_round(changed)
    fine_tune(opened)
    evaluate_both(opened)
    assert (tmp_path / "other" / "champion" / "scores" / "7_t2.json").read_bytes() != (decided.out / "champion" / "scores" / "7_t2.json").read_bytes()


def test_scores_are_read_back_exactly_and_only_for_the_same_key(decided, tmp_path):
    opened = open_round(decided)
    for one in (*evaluate_both(opened).champion.series, *evaluate_both(opened).challenger.series):
        key = ScoreKey("weights", "image", "reference", "spider")
        write_scores(tmp_path / "scores.json", key, one)
        found = read_scores(tmp_path / "scores.json", key, one.files)
        assert repr(found.scores) == repr(one.scores)  # NaN equals itself in words alone
        assert read_scores(tmp_path / "scores.json", replace(key, weights="others"), one.files) is None
    (tmp_path / "scores.json").write_text('{"key": 1')
    assert read_scores(tmp_path / "scores.json", key, one.files) is None


def test_a_model_that_fails_on_a_series_has_it_listed_and_the_others_scored(request_, tmp_path):
    flat = write_series(tmp_path / "data", "20_t2", "20", 5)
    opened = open_round(replace(request_, steps=1, validation_items=(*request_.validation_items[:1], flat), out=tmp_path / "out"))
    fine_tune(opened)
    volume = read_volume(flat.image)
    write_volume(flat.image, volume.with_array(np.zeros_like(volume.array)))
    found = evaluate_both(opened)
    assert [one.series for one in found.challenger.failed] == ["20_t2"]
    assert [one.series for one in found.challenger.series] == ["7_t2"]


# New and replayed windows


def test_half_of_the_windows_show_replayed_series(request_, tmp_path):
    recipe = FineTuningRecipe(open_round(replace(request_, out=tmp_path / "out")))
    batches = recipe.batches(0, Rank())
    names = [name for _ in range(60) for name in next(batches)[2]]
    counts = Counter(Path(name).name for name in names)
    assert set(counts) == {"1_t1.mha", "1_t2.mha", "2_t2.mha"}
    assert 20 <= counts["2_t2.mha"] <= 40  # one series of three, and half of the 60 windows


def test_without_older_series_every_window_shows_new_ones(request_, tmp_path):
    recipe = FineTuningRecipe(open_round(replace(request_, replay_items=(), out=tmp_path / "out")))
    batches = recipe.batches(0, Rank())
    assert {Path(name).name for _ in range(8) for name in next(batches)[2]} == {"1_t1.mha", "1_t2.mha"}


# Interruptions


class Killed(BaseException):
    """As if the power went: nothing catches it."""


def same_end(request: RetrainRequest, reference: RetrainRequest) -> None:
    """The round ended with the weights, curve, predictions and decision of one that was never interrupted."""
    one, other = (load_checkpoint(RoundFiles(each.out).weights) for each in (request, reference))
    assert weights_digest(one) == weights_digest(other)
    assert read_curve(request.out) == read_curve(reference.out)
    assert read_decision(request.out).criteria == read_decision(reference.out).criteria
    for name in ("7_t2.mha", "8_t2.mha", "9_t2.mha"):
        assert (request.out / "challenger" / name).read_bytes() == (reference.out / "challenger" / name).read_bytes()


def test_a_round_stopped_in_training_goes_on_to_the_same_end(request_, decided, tmp_path):
    request = replace(request_, out=tmp_path / "second")
    seen: list[RoundProgress] = []
    with pytest.raises(Cancelled, match="after step 2 of 4; the same command goes on"):
        run_round(request, seen.append, lambda: seen[-1].message.startswith("step 1 ") if seen else False)
    assert [point.step for point in read_curve(request.out)] == [1, 2]
    run_round(request)
    same_end(request, decided)


def test_a_round_stopped_while_it_checks_has_trained_nothing(request_, tmp_path):
    for stop_at in ("checking 1_t1.mha", "checking series 2 of", "reading series 2 of"):
        seen: list[RoundProgress] = []
        with pytest.raises(Cancelled):
            run_round(
                replace(request_, out=tmp_path / "out"), seen.append, lambda seen=seen, at=stop_at: bool(seen) and seen[-1].message.startswith(at)
            )
        assert read_curve(tmp_path / "out") == ()


def with_files_of(decided: RetrainRequest, out: Path, *names: str) -> RetrainRequest:
    """The decided round as it was when only these of its files and folders were there."""
    out.mkdir()
    for name in ("request.json", *names):
        source = decided.out / name
        shutil.copytree(source, out / name) if source.is_dir() else shutil.copy(source, out / name)
    return replace(decided, out=out)


def stopped_in(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, call: int, request: RetrainRequest, error: BaseException) -> None:
    """Runs the round until the function is called for the call-th time."""
    original, calls = getattr(module, name), []

    def stop(*arguments):
        calls.append(arguments)
        if len(calls) == call:
            raise error
        return original(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(module, name, stop)
        with pytest.raises(type(error)):
            run_round(request)
    assert not RoundFiles(request.out).decision.exists()


@pytest.mark.parametrize("call", [1, 5])
def test_a_round_killed_between_two_predictions_goes_on_to_the_same_end(decided, tmp_path, monkeypatch, call):
    request = with_files_of(decided, tmp_path / "second", "training")
    stopped_in(monkeypatch, scoring, "write_scores", call, request, Killed())
    assert len(list(request.out.glob("*/scores/*.json"))) == call - 1
    run_round(request)
    same_end(request, decided)


@pytest.mark.parametrize(("module", "name"), [(bundle, "write_bundle"), (bundle, "save_checkpoint"), (round, "write_together")])
@pytest.mark.parametrize("error", [Killed(), OutputError("can't write: No space left on device")], ids=["killed", "full disk"])
def test_a_round_stopped_while_it_writes_its_results_goes_on_to_the_same_end(decided, tmp_path, monkeypatch, module, name, error):
    request = with_files_of(decided, tmp_path / "second", "training", "champion", "challenger")
    monkeypatch.setattr(round, "worst_cases", lambda *_: ())  # drawing takes the time
    stopped_in(monkeypatch, module, name, 1, request, error)
    run_round(request)
    same_end(request, decided)


def test_a_round_goes_on_only_with_what_it_was_begun_with(request_, decided, tmp_path):
    with pytest.raises(TrainingError, match="changed since: the hyper-parameters; begin a new one"):
        open_round(replace(decided, steps=5))
    corrected = write_series(tmp_path, "1_t1", "1", 99)
    with pytest.raises(TrainingError, match="changed since: the new masks"):
        open_round(replace(decided, new_items=(corrected, *decided.new_items[1:])))
    with pytest.raises(TrainingError, match="changed since: the champion's weights, the validation data"):
        open_round(replace(decided, champion=decided.out, validation_items=decided.validation_items[1:]))
    open_round(replace(decided, workers=1, notes=RoundNotes(3)))  # these decide nothing


# Progress


def test_progress_never_falls_and_names_every_stage(request_, tmp_path):
    seen: list[RoundProgress] = []
    run_round(replace(request_, steps=2, out=tmp_path / "out", validation_items=request_.validation_items[:1]), seen.append)
    fractions = [one.fraction for one in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert list(dict.fromkeys(one.stage for one in seen)) == list(RoundStage)
    assert "step 1 of 2, loss " in " ".join(one.message for one in seen)
    assert "challenger: 7_t2 (1 of 1)" in [one.message for one in seen]


def test_the_time_left_is_told_by_the_speed_of_the_stage_at_work(request_):
    now = [0.0]
    seen: list[RoundProgress] = []
    meter = ProgressMeter(replace(request_, steps=1000, validation_items=()), seen.append, lambda: now[0])
    for second, share in ((0.0, 0.5), (1.0, 0.51), (10.0, 0.6)):  # a resumed training: half was done before
        now[0] = second
        meter.report(RoundStage.TRAIN, share)
    assert [one.seconds_left is None for one in seen] == [True, True, False]
    assert seen[-1].seconds_left == pytest.approx(40, rel=0.05)
