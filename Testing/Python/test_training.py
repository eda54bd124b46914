"""The training loop on a tiny network and a few small cases: it learns, resumes exactly, and survives what goes wrong."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import training_cases
from SpiderSegLib.cli import train as training_command
from SpiderSegLib.cli.main import run
from SpiderSegLib.dataset import Datalist, image_hashes, load_training_case
from SpiderSegLib.errors import DatasetError, GeometryError, InputError, OutputError, TrainingError
from SpiderSegLib.io import read_volume, write_volume
from SpiderSegLib.network import Checkpoint, Provenance, build_network, load_checkpoint, save_checkpoint
from SpiderSegLib.ranks import Rank
from SpiderSegLib.training import DefaultRecipe, ReferenceConfig, ReferenceRecipe, TrainingConfig, loop, train
from SpiderSegLib.training.journal import Journal
from SpiderSegLib.training.losses import SpineLoss, posterior_dice_loss
from SpiderSegLib.training.recipe import run_in_float32
from SpiderSegLib.training.reference import to_report_classes
from SpiderSegLib.training.state import MOST_SKIPPED_IN_A_ROW, TrainingState
from SpiderSegLib.training.windows import WindowStream
from training_cases import CONFIG, write_cases

pytestmark = pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad:UserWarning")


@pytest.fixture(scope="module")
def case_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cases")


@pytest.fixture(scope="module")
def datalist(case_folder: Path) -> Datalist:
    return write_cases(case_folder)


def run_training(datalist: Datalist, out: Path, config: TrainingConfig = CONFIG, resume: bool = False) -> Path:
    return train(DefaultRecipe(datalist, config), out, "cpu", resume)


def new_state(config: TrainingConfig = CONFIG) -> TrainingState:
    return TrainingState.start(build_network(config.model), config, "cpu", "fp32")


def identity_of(datalist: Datalist, config: TrainingConfig = CONFIG) -> dict[str, str]:
    return {**DefaultRecipe(datalist, config).identity, "processes": "1"}


def state_weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["network"]


def records(out: Path) -> list[dict]:
    return Journal(out / "metrics.jsonl").records()


def test_training_leaves_a_loadable_best_checkpoint_with_its_provenance(datalist, tmp_path):
    checkpoint = load_checkpoint(run_training(datalist, tmp_path))
    assert checkpoint.model == CONFIG.model
    assert checkpoint.provenance.training_patients == ("1", "2")
    assert checkpoint.provenance.validation_patients == ("3",)
    assert len(checkpoint.provenance.training_image_sha256) == 3
    assert str(tmp_path) not in json.dumps(dict(vars(checkpoint.provenance)), default=str)
    assert [record["step"] for record in records(tmp_path)] == [1, 2, 3, 4]
    assert [record["step"] for record in records(tmp_path) if "validation" in record] == [3, 4]
    assert set(records(tmp_path)[-1]["validation"]) == {"t2 vertebra", "t2 disc", "t2 canal", "mean"}
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_loss_falls(datalist, tmp_path):
    config = replace(CONFIG, steps=40, falling_share=0.0, evaluate_every=1000, checkpoint_every=1000, source_weights={"stack": 1.0})
    run_training(datalist, tmp_path, config)
    losses = [record["loss"] for record in records(tmp_path)]
    assert np.mean(losses[-8:]) < 0.85 * np.mean(losses[:4])


def test_a_resumed_run_ends_with_the_same_weights_and_metrics(datalist, tmp_path, monkeypatch):
    run_training(datalist, tmp_path / "whole")
    whole_evaluate = loop._evaluate

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "_evaluate", interrupted)  # at step 3, after the checkpoint of step 2
    with pytest.raises(KeyboardInterrupt):
        run_training(datalist, tmp_path / "parts")
    monkeypatch.setattr(loop, "_evaluate", whole_evaluate)
    with (tmp_path / "parts" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "loss": 9.0, "norm": 1.0, "lr": 1.0}\n{"step": 4, "lo')  # after the checkpoint, and cut by a power failure
    run_training(datalist, tmp_path / "parts", resume=True)
    whole, parts = (torch.load(tmp_path / name / "last.pt", weights_only=True) for name in ("whole", "parts"))
    for key in ("network", "averaged"):
        assert all(torch.equal(whole[key][name], parts[key][name]) for name in whole[key])
    assert records(tmp_path / "parts") == records(tmp_path / "whole")


def test_the_seed_determines_the_run(datalist, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run_training(datalist, tmp_path / name, replace(CONFIG, seed=seed, steps=1))
    a, b, c = (state_weights(tmp_path / name / "last.pt") for name in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], c[name]) for name in a)


def test_windows_do_not_depend_on_the_number_of_workers_or_processes(datalist):
    cases = [load_training_case(item, CONFIG.preprocessing) for item in datalist.training]
    config = replace(CONFIG, batch_size=2)

    def windows(batch_size, rank, workers):
        stream = WindowStream(cases, replace(config, batch_size=batch_size), 3, rank)
        return iter(torch.utils.data.DataLoader(stream, batch_size, num_workers=workers))

    alone, shared = windows(2, Rank(), 0), windows(2, Rank(), 2)
    first, second = windows(1, Rank(0, 2), 0), windows(1, Rank(1, 2, 1), 0)
    for _ in range(4):
        joint = next(alone)
        for one, other in zip(joint, next(shared), strict=True):
            assert torch.equal(one, other)
        for one, *halves in zip(joint, next(first), next(second), strict=True):
            assert torch.equal(one, torch.cat(halves))


def test_a_persistently_infinite_loss_stops_and_names_the_series():
    state = new_state()
    for _ in range(MOST_SKIPPED_IN_A_ROW - 1):
        state.skip(["case_t1.mha"], float("nan"), 1.0)
    with pytest.raises(TrainingError, match=r"20 steps in a row.*case_t1\.mha"):
        state.skip(["case_t1.mha"], float("nan"), 1.0)


def test_a_step_with_an_infinite_gradient_changes_nothing(datalist, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *_: torch.tensor(float("inf")))
    run_training(datalist, tmp_path, replace(CONFIG, steps=2))
    torch.manual_seed(CONFIG.seed)
    start, end = build_network(CONFIG.model).state_dict(), state_weights(tmp_path / "last.pt")
    assert all(torch.equal(start[name], end[name]) for name in start)


def test_nothing_to_validate_or_to_resume_is_an_error(datalist, tmp_path):
    with pytest.raises(DatasetError, match="found 3 and 0"):
        run_training(replace(datalist, validation=()), tmp_path)
    with pytest.raises(TrainingError, match="nothing to resume"):
        run_training(datalist, tmp_path, resume=True)


def test_a_state_of_another_configuration_is_refused(datalist, tmp_path):
    new_state(replace(CONFIG, model=replace(CONFIG.model, hidden_size=64))).save(tmp_path / "last.pt", identity_of(datalist))
    with pytest.raises(TrainingError, match="another configuration"):
        run_training(datalist, tmp_path, resume=True)
    (tmp_path / "last.pt").write_bytes(b"")
    with pytest.raises(TrainingError, match="damaged"):
        run_training(datalist, tmp_path, resume=True)
    (tmp_path / "last.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingError, match="damaged"):
        run_training(datalist, tmp_path, resume=True)


def test_a_run_goes_on_only_with_its_own_data_seed_and_initial_weights(datalist, tmp_path):
    run_training(datalist, tmp_path, replace(CONFIG, steps=1))
    with pytest.raises(TrainingError, match="only as it was started; seed: it was 0, now 1"):
        run_training(datalist, tmp_path, replace(CONFIG, steps=2, seed=1), resume=True)
    fewer = replace(datalist, training=datalist.training[:2])
    with pytest.raises(TrainingError, match="training data: it was"):
        run_training(fewer, tmp_path, replace(CONFIG, steps=2), resume=True)
    initial = Checkpoint({}, CONFIG.model, CONFIG.preprocessing, Provenance("first"))
    with pytest.raises(TrainingError, match="initial weights: it was chance, now first"):
        train(DefaultRecipe(datalist, replace(CONFIG, steps=2), initial), tmp_path, "cpu", resume=True)
    assert run_training(datalist, tmp_path, replace(CONFIG, steps=2), resume=True).is_file()  # more steps are welcome


def test_a_run_killed_before_its_first_checkpoint_starts_again_with_a_clean_journal(datalist, tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 9.0, "norm": 1.0, "lr": 1.0}\n')
    run_training(datalist, tmp_path, replace(CONFIG, steps=2))
    assert [record["step"] for record in records(tmp_path)] == [1, 2]


def test_validation_series_are_checked_before_the_first_step(datalist, case_folder, tmp_path):
    one_slice = datalist.training[1]
    wrong = replace(datalist, validation=(replace(datalist.validation[0], label=one_slice.label),))
    with pytest.raises(GeometryError, match=r"image_t2\.mha and .*mask_slice\.mha: image and mask are not on the same grid"):
        run_training(wrong, tmp_path)
    assert records(tmp_path) == []


def test_a_series_without_contrast_does_not_train(datalist, case_folder, tmp_path):
    volume = read_volume(datalist.training[0].image)
    write_volume(tmp_path / "flat.mha", volume.with_array(np.full_like(volume.array, 7)))
    flat = replace(datalist.training[0], image=tmp_path / "flat.mha")
    with pytest.raises(InputError, match=r"flat\.mha"):
        run_training(replace(datalist, training=(flat,)), tmp_path / "run")


def test_a_split_that_leaks_does_not_train(datalist, tmp_path):
    leaking = replace(datalist, validation=(replace(datalist.training[0], patient_id="9"),))  # a patient under another name
    with pytest.raises(DatasetError, match="the same image in training"):
        run_training(leaking, tmp_path)


def test_a_loss_that_is_no_number_is_null_in_the_journal(tmp_path):
    journal = Journal(tmp_path / "metrics.jsonl")
    journal.append({"step": 1, "loss": float("nan")})
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1, "loss": null}\n'


def test_a_run_is_not_overwritten_by_a_new_one(datalist, tmp_path):
    (tmp_path / "last.pt").write_bytes(b"hours of work")
    with pytest.raises(TrainingError, match="holds a run already; --resume"):
        run_training(datalist, tmp_path)
    assert (tmp_path / "last.pt").read_bytes() == b"hours of work"


def test_a_full_disk_leaves_the_checkpoint_of_before(datalist, tmp_path, monkeypatch):
    state = new_state()
    state.save(tmp_path / "last.pt", {})
    before = (tmp_path / "last.pt").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"last\.pt: can't write: No space left"):
        state.save(tmp_path / "last.pt", {})
    assert (tmp_path / "last.pt").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


# Warm-up over 10 steps, constant to step 50, then half a cosine to 0 at step 100.
@pytest.mark.parametrize(("step", "rate"), [(0, 0.1), (9, 1.0), (49, 1.0), (75, 0.5), (100, 0.0)])
def test_the_learning_rate_warms_up_stays_and_falls_to_zero(step, rate):
    config = replace(CONFIG, steps=100, warmup_steps=10, falling_share=0.5, learning_rate=1.0)
    assert config.rate_at(step) == pytest.approx(rate)


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"falling_share": 1.5}, {"ema_decay": 1.0}, {"source_weights": {}}, {"source_weights": {"stack": -1.0, "slice": 2.0}}]
)
def test_hyper_parameters_that_make_no_sense_are_refused(wrong):
    with pytest.raises(TrainingError, match="found"):
        replace(CONFIG, **wrong)


def test_the_average_follows_the_weights():
    state = new_state()
    name, parameter = next(iter(state.network.named_parameters()))
    before = parameter.detach().clone()
    with torch.no_grad():
        parameter.add_(1.0)
    state.step = 10**6
    state.average(0.75)
    torch.testing.assert_close(state.averaged[name], before + 0.25)


def test_a_module_taken_out_of_autocast_computes_in_float32():
    module = torch.nn.Conv3d(1, 1, 1)
    run_in_float32(module)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.nn.Conv3d(1, 1, 1)(torch.ones(1, 1, 1, 1, 1)).dtype == torch.bfloat16
        assert module(torch.ones(1, 1, 1, 1, 1)).dtype == torch.float32


def row(*values: int) -> torch.Tensor:
    return torch.tensor(values).reshape(1, 1, 1, 1, -1)


# Four voxels: body, arch, arch, background. Vertebra probability 1 or 0 there; Dice = (2 overlap + 1) / (sum + 1).
@pytest.mark.parametrize(
    ("vertebra", "loss"),
    [
        ((1, 1, 1, 0), 0.0),  # all found
        ((1, 0, 0, 0), 1 - 1 / 3),  # bodies alone: overlap 0, sum 2
        ((1, 1, 0, 0), 1 - 3 / 4),  # half of the arch: overlap 1, sum 3
        ((0, 1, 1, 1), 1 - 5 / 6),  # spill into background counts, a missed body does not: overlap 2, sum 5
    ],
)
def test_the_posterior_loss_is_one_minus_the_dice_outside_the_bodies(vertebra, loss):
    logits = torch.zeros(1, 4, 1, 1, 4)
    logits[:, 1] = torch.where(row(*vertebra)[0] > 0, 50.0, -50.0)
    found = posterior_dice_loss(logits, row(1, 1, 1, 0), row(0, 1, 1, 0).bool())
    assert found.item() == pytest.approx(loss, abs=1e-5)


def test_the_posterior_term_enters_the_loss_by_its_weight():
    logits, classes, posterior = torch.zeros(1, 4, 1, 1, 4), row(1, 1, 1, 0), row(0, 1, 1, 0).bool()
    without, with_ = SpineLoss(0.0)(logits, classes, posterior), SpineLoss(0.5)(logits, classes, posterior)
    assert with_.item() == pytest.approx(without.item() + 0.5 * posterior_dice_loss(logits, classes, posterior).item())


def test_a_batch_without_posterior_elements_has_the_loss_of_its_classes_alone():
    logits, classes, none = torch.zeros(1, 4, 1, 1, 4), row(1, 1, 1, 0), row(0, 0, 0, 0).bool()
    assert SpineLoss(0.5)(logits, classes, none).item() == SpineLoss(0.0)(logits, classes, none).item()


def test_initial_weights_are_what_a_run_starts_from(datalist, tmp_path):
    torch.manual_seed(5)
    initial = Checkpoint(build_network(CONFIG.model).state_dict(), CONFIG.model, CONFIG.preprocessing, Provenance("first", training_patients=("8",)))
    config = replace(CONFIG, steps=1, learning_rate=1e-12)
    best = train(DefaultRecipe(datalist, config, initial), tmp_path, "cpu", weights=initial.weights)
    trained = load_checkpoint(best)
    name = next(iter(initial.weights))
    torch.testing.assert_close(trained.weights[name].float(), initial.weights[name], atol=2e-3, rtol=2e-3)
    assert trained.provenance.training_patients == ("1", "2", "8")  # what trained the first weights trained these
    assert trained.provenance.initialized_from == "first"


def test_initial_weights_that_saw_the_validation_patients_are_refused(datalist):
    initial = Checkpoint({}, CONFIG.model, CONFIG.preprocessing, Provenance("first", training_patients=("2", "3")))
    with pytest.raises(DatasetError, match="first were trained on what is to validate: 3"):
        DefaultRecipe(datalist, CONFIG, initial)


def test_initial_weights_that_saw_a_validation_image_under_another_name_are_refused(datalist):
    hashes = {"elsewhere/renamed.mha": next(iter(image_hashes(datalist.validation).values()))}
    initial = Checkpoint({}, CONFIG.model, CONFIG.preprocessing, Provenance("first", training_image_sha256=hashes))
    with pytest.raises(DatasetError, match=r"first were trained on what is to validate: .*validation_image_t2\.mha"):
        DefaultRecipe(datalist, CONFIG, initial)


def test_initial_weights_of_another_network_are_refused(datalist):
    initial = Checkpoint({}, replace(CONFIG.model, hidden_size=64), CONFIG.preprocessing, Provenance("first"))
    with pytest.raises(TrainingError, match=r"another configuration.*hidden_size=32.*hidden_size=64"):
        DefaultRecipe(datalist, CONFIG, initial)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_two_processes_have_the_loss_of_one_with_the_doubled_batch(datalist, case_folder, tmp_path):
    port, program = str(free_port()), training_cases.__file__
    processes = [
        subprocess.Popen(
            [sys.executable, program, str(case_folder), str(tmp_path / "two")],
            env={**os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=240)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    run_training(datalist, tmp_path / "one", replace(CONFIG, batch_size=2))
    one, two = records(tmp_path / "one"), records(tmp_path / "two")
    assert [record["step"] for record in two] == [1, 2, 3, 4]  # written once, not by each process
    for alone, shared in zip(one, two, strict=True):
        # bfloat16 rounds sums of another order differently.
        assert shared["loss"] == pytest.approx(alone["loss"], rel=5e-3)
        assert shared["norm"] == pytest.approx(alone["norm"], rel=5e-2)


# SPIDER value, the report's class: 101 and levels above 9 are kept, for the training step to clamp.
@pytest.mark.parametrize(("value", "report_class"), [(0, 0), (1, 1), (9, 9), (100, 10), (201, 11), (209, 19), (10, 10), (101, 101), (210, 210)])
def test_the_reference_recipe_numbers_its_classes_as_the_report(value, report_class):
    assert to_report_classes(np.array([value], np.uint8))[0] == report_class


def test_the_reference_recipe_trains_resumes_and_scores_in_its_own_space(datalist, tmp_path):
    config = ReferenceConfig(
        steps=1,
        batch_size=2,
        evaluate_every=2,
        checkpoint_every=1,
        workers=0,
        model=replace(CONFIG.model, roi_size_kji=(32, 128, 128), classes=20),
    )
    series = Datalist(datalist.training[:2], ())
    best = train(ReferenceRecipe(series, config, tmp_path), tmp_path, "cpu")
    content = torch.load(best, weights_only=True)
    assert (content["format"], content["step"]) == ("spiderseg-reference-1", 1)
    assert 0 <= content["scores"]["mean"] <= 1

    resampled = read_volume(next((tmp_path / "resampled").glob("image_t2_slice_*_label.nii.gz"))).geometry
    assert (resampled.size_ijk, resampled.orientation) == ((32, 128, 128), "RPS")
    train(ReferenceRecipe(series, replace(config, steps=2), tmp_path), tmp_path, "cpu", resume=True)
    assert [record["step"] for record in records(tmp_path)] == [1, 2]


def test_the_reference_recipe_says_that_its_patients_cross_the_split(datalist, tmp_path, caplog):
    series = Datalist(tuple(replace(item, patient_id="7") for item in datalist.training[:2]), ())
    ReferenceRecipe(series, ReferenceConfig(), tmp_path)
    assert "1 patients are on both sides" in caplog.text


def test_a_checkpoint_of_the_reference_recipe_is_not_taken_for_weights(tmp_path):
    torch.save({"format": "spiderseg-reference-1", "weights": {}}, tmp_path / "best.pt")
    from SpiderSegLib.errors import WeightsError

    with pytest.raises(WeightsError, match="expected a checkpoint of format"):
        load_checkpoint(tmp_path / "best.pt")


def write_datalist(path: Path, folder: Path) -> None:
    entries = [
        {"image": name and f"{name}.mha", "label": label, "patient_id": patient}
        for name, label, patient in (("image_t2", "mask.mha", "1"), ("image_t2_slice", "mask_slice.mha", "2"))
    ]
    path.write_text(json.dumps({"training": entries[:1], "validation": entries[1:]}))


def test_the_command_trains_from_given_weights(datalist, case_folder, tiny_weights, tmp_path):
    # tiny_weights have another working grid, so the command must say so and leave nothing behind.
    write_datalist(tmp_path / "list.json", case_folder)
    arguments = ["train", "--data", str(case_folder), "--out", str(tmp_path / "run"), "--datalist", str(tmp_path / "list.json")]
    assert run([*arguments, "--init", str(tiny_weights), "--steps", "1", "--device", "cpu"]) == 1
    assert not (tmp_path / "run").exists()
    assert run([*arguments, "--preset", "best"]) == 2
    assert run([*arguments, "--preset", "reference", "--init", str(tiny_weights)]) == 2


def test_without_a_data_list_a_folder_in_spider_s_layout_is_split_by_its_subsets(datalist, tmp_path, caplog):
    caplog.set_level("INFO")
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    for number, item in enumerate((datalist.training[0], datalist.validation[0]), start=1):
        assert item.image is not None
        (tmp_path / "data" / "images" / f"{number}_t2.mha").write_bytes(item.image.read_bytes())
        (tmp_path / "data" / "masks" / f"{number}_t2.mha").write_bytes(item.label.read_bytes())
    (tmp_path / "data" / "overview.csv").write_text("new_file_name,subset\n1_t2,validation\n2_t2,training\n")
    found = training_command._datalist(training_command.TrainOptions(tmp_path / "data", tmp_path / "out"))
    assert [item.patient_id for item in found.training] == ["2"]
    assert [item.patient_id for item in found.validation] == ["1"]
    assert "SPIDER's subset column" in caplog.text


def test_saved_initial_weights_are_read_back(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "weights.pt"
    save_checkpoint(path, Checkpoint(build_network(CONFIG.model).state_dict(), CONFIG.model, CONFIG.preprocessing, Provenance("first")))
    assert load_checkpoint(path).provenance.model_id == "first"
