"""The training loop on a tiny network and a few small cases: it learns, resumes exactly, and survives what goes wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from SpiderSegLib import training
from SpiderSegLib.dataset import Datalist, DatasetItem
from SpiderSegLib.errors import DatasetError, TrainingError
from SpiderSegLib.io import write_volume
from SpiderSegLib.network import ModelConfig, load_checkpoint
from SpiderSegLib.training import TrainingConfig, TrainingState, WindowStream, learning_rate, run_in_float32, train
from SpiderSegLib.volume import Geometry, Volume

CONFIG = TrainingConfig(
    steps=4,
    batch_size=1,
    learning_rate=3e-3,
    warmup_steps=1,
    evaluate_every=3,
    checkpoint_every=2,
    workers=0,
    model=ModelConfig(roi_size_kji=(16, 32, 32), feature_size=4, hidden_size=32, mlp_dim=64, num_heads=4),
)

pytestmark = pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad:UserWarning")


@pytest.fixture(scope="module")
def datalist(tmp_path_factory: pytest.TempPathFactory) -> Datalist:
    """A stack, a single slice and a mask for synthesis; the stack of another patient validates."""
    folder = tmp_path_factory.mktemp("cases")
    geometry = Geometry((40, 48, 6), (1.5, 1.5, 3.0), (0.0, 0.0, 0.0), (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0))
    mask = np.zeros(geometry.shape_kji, np.uint8)
    mask[:, 4:20, 8:20], mask[:, 21:25, 8:20], mask[:, 2:46, 24:30] = 1, 201, 100
    image = (100 * (mask == 1) + 40 * (mask == 201) + 200 * (mask == 100) + np.random.default_rng(0).integers(0, 30, mask.shape)).astype(np.int16)
    for name, array in {"image": image, "mask": mask}.items():
        write_volume(folder / f"{name}.mha", Volume(array, geometry))
        one = Geometry((40, 48, 1), geometry.spacing_ijk_mm, geometry.origin_lps_mm, geometry.direction)
        write_volume(folder / f"{name}_slice.mha", Volume(array[3:4], one))
    stack = DatasetItem(folder / "mask.mha", "1", "spider", folder / "image.mha")
    slice_ = DatasetItem(folder / "mask_slice.mha", "2", "spider", folder / "image_slice.mha")
    return Datalist((stack, slice_, replace(stack, image=None)), (replace(stack, patient_id="3"),), "made up")


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["network"]


def test_training_leaves_a_loadable_best_checkpoint_with_its_provenance(datalist, tmp_path):
    best = train(datalist, tmp_path, CONFIG, "cpu")
    checkpoint = load_checkpoint(best)
    assert checkpoint.model == CONFIG.model
    assert checkpoint.provenance.training_patients == ("1", "2")
    assert checkpoint.provenance.validation_patients == ("3",)
    assert len(checkpoint.provenance.training_image_sha256) == 3
    assert str(tmp_path) not in json.dumps(dict(vars(checkpoint.provenance)), default=str)
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [1, 2, 3, 4]
    assert [record["step"] for record in records if "validation" in record] == [3, 4]


def test_the_loss_falls(datalist, tmp_path):
    config = replace(CONFIG, steps=40, evaluate_every=1000, checkpoint_every=1000, source_weights={"stack": 1.0})
    train(datalist, tmp_path, config, "cpu")
    losses = [json.loads(line)["loss"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert np.mean(losses[-8:]) < 0.85 * np.mean(losses[:4])


def test_a_resumed_run_ends_with_the_same_weights(datalist, tmp_path, monkeypatch):
    train(datalist, tmp_path / "whole", CONFIG, "cpu")
    whole_evaluate = training._evaluate

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "_evaluate", interrupted)  # at step 3, after the checkpoint of step 2
    with pytest.raises(KeyboardInterrupt):
        train(datalist, tmp_path / "parts", CONFIG, "cpu")
    monkeypatch.setattr(training, "_evaluate", whole_evaluate)
    train(datalist, tmp_path / "parts", CONFIG, "cpu", resume=True)
    whole, parts = (weights(tmp_path / name / "last.pt") for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_the_seed_determines_the_run(datalist, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(datalist, tmp_path / name, replace(CONFIG, seed=seed, steps=2), "cpu")
    a, b, c = (weights(tmp_path / name / "last.pt") for name in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], c[name]) for name in a)


def test_windows_do_not_depend_on_the_number_of_workers(datalist):
    cases = [training.load_training_case(item, CONFIG.preprocessing) for item in datalist.training]
    config = replace(CONFIG, batch_size=2)
    alone = iter(torch.utils.data.DataLoader(WindowStream(cases, config, 3), 2))
    shared = iter(torch.utils.data.DataLoader(WindowStream(cases, config, 3), 2, num_workers=2))
    for _ in range(4):
        for one, other in zip(next(alone), next(shared), strict=True):
            assert torch.equal(one, other)


def test_a_persistently_infinite_loss_stops_and_names_the_series():
    state = TrainingState.start(CONFIG, "cpu")
    for _ in range(training.MOST_SKIPPED_IN_A_ROW - 1):
        state.skip(["case_t1.mha"], float("nan"), 1.0)
    with pytest.raises(TrainingError, match=r"20 steps in a row.*case_t1\.mha"):
        state.skip(["case_t1.mha"], float("nan"), 1.0)


def test_a_step_with_an_infinite_gradient_changes_nothing(datalist, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *_: torch.tensor(float("inf")))
    train(datalist, tmp_path, replace(CONFIG, steps=2), "cpu")
    start = TrainingState.start(CONFIG, "cpu").network.state_dict()
    end = weights(tmp_path / "last.pt")
    assert all(torch.equal(start[name], end[name]) for name in start)


def test_nothing_to_validate_or_to_resume_is_an_error(datalist, tmp_path):
    with pytest.raises(DatasetError, match="found 3 and 0"):
        train(replace(datalist, validation=()), tmp_path, CONFIG, "cpu")
    with pytest.raises(TrainingError, match="nothing to resume"):
        train(datalist, tmp_path, CONFIG, "cpu", resume=True)


def test_a_state_of_another_configuration_is_refused(datalist, tmp_path):
    TrainingState.start(replace(CONFIG, model=replace(CONFIG.model, hidden_size=64)), "cpu").save(tmp_path / "last.pt")
    with pytest.raises(TrainingError, match="another configuration"):
        train(datalist, tmp_path, CONFIG, "cpu", resume=True)
    (tmp_path / "last.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingError, match="damaged"):
        train(datalist, tmp_path, CONFIG, "cpu", resume=True)


def test_the_learning_rate_warms_up_and_ends_at_zero():
    config = replace(CONFIG, steps=100, warmup_steps=10, learning_rate=1.0)
    rates = [learning_rate(step, config) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(rates[10]) == pytest.approx(1.0)
    assert rates[100] == pytest.approx(0.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_the_average_follows_the_weights():
    state = TrainingState.start(CONFIG, "cpu")
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
