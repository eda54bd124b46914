"""Checkpoints: what is written comes back, and what is damaged, strange or hostile is refused with a reason."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from SpiderSegLib.errors import OutputError, WeightsError
from SpiderSegLib.network import CHECKPOINT_FORMAT, Checkpoint, ModelConfig, Provenance, build_network, load_checkpoint, network_from, save_checkpoint
from SpiderSegLib.paths import MODEL_WEIGHTS, data_path
from SpiderSegLib.preprocessing import PreprocessingConfig
from SpiderSegLib.weights import BUNDLED, expected_sha256, load_weights

TINY = ModelConfig(roi_size_kji=(16, 32, 32), feature_size=4, hidden_size=32, mlp_dim=64, num_heads=4)
PROVENANCE = Provenance(
    model_id="tiny",
    created_utc="2024-01-02T03:04:05+00:00",
    command="spiderseg train --data DATA",
    steps=7,
    training_patients=("1", "2"),
    validation_patients=("3",),
    training_image_sha256={"images/1_t2.mha": "0" * 64},
    data="made up",
    validation_scores={"mean": 0.5},
)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    torch.manual_seed(0)
    return Checkpoint(build_network(TINY).state_dict(), TINY, PreprocessingConfig(in_plane_spacing_mm=1.25), PROVENANCE)


@pytest.fixture(scope="module")
def saved(checkpoint, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "tiny.pt"
    save_checkpoint(path, checkpoint)
    return path


def content_of(path: Path) -> dict[str, Any]:
    return torch.load(path, weights_only=True)


def with_content(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


# Round trip


def test_a_checkpoint_comes_back_with_configuration_and_provenance(checkpoint, saved):
    loaded = load_checkpoint(saved)
    assert (loaded.model, loaded.preprocessing, loaded.provenance) == (TINY, checkpoint.preprocessing, PROVENANCE)


def test_weights_come_back_as_the_nearest_float16(checkpoint, saved):
    loaded = load_checkpoint(saved).weights
    assert loaded.keys() == checkpoint.weights.keys()
    assert all(loaded[name].dtype == torch.float16 and torch.equal(loaded[name], tensor.half()) for name, tensor in checkpoint.weights.items())


def test_saving_what_was_loaded_gives_the_same_bytes(saved, tmp_path):
    again = tmp_path / "again.pt"
    save_checkpoint(again, load_checkpoint(saved))
    assert again.read_bytes() == saved.read_bytes()


def test_the_hash_is_that_of_the_file(checkpoint, tmp_path):
    path = tmp_path / "tiny.pt"
    returned = save_checkpoint(path, checkpoint)
    assert returned == hashlib.sha256(path.read_bytes()).hexdigest() == load_checkpoint(path, returned).sha256


def test_the_network_of_a_checkpoint_is_in_float32_and_evaluation_mode(saved):
    network = network_from(load_checkpoint(saved))
    assert not network.training
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_a_checkpoint_that_can_not_be_written_leaves_nothing(checkpoint, tmp_path):
    with pytest.raises(OutputError):
        save_checkpoint(tmp_path / "absent" / "tiny.pt", checkpoint)
    assert list(tmp_path.iterdir()) == []


# Refused files


class Hostile:
    """Unpickled, it makes a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


def test_code_in_a_checkpoint_is_refused_and_not_run(saved, tmp_path):
    path = with_content(tmp_path / "hostile.pt", {**content_of(saved), "provenance": Hostile(tmp_path / "trace")})
    with pytest.raises(WeightsError, match=r"more than plain tensors \(refused\)"):
        load_checkpoint(path)
    assert not (tmp_path / "trace").exists()
    # The trap works: whoever loads everything springs it.
    torch.load(path, weights_only=False)
    assert (tmp_path / "trace").exists()


def test_a_wrong_hash_is_refused_naming_both(saved):
    with pytest.raises(WeightsError, match=f"expected SHA-256 {'0' * 64}, found {hashlib.sha256(saved.read_bytes()).hexdigest()}"):
        load_checkpoint(saved, "0" * 64)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"", "not a readable checkpoint"),
        (lambda data: data[: len(data) // 2], "not a readable checkpoint"),
        (lambda data: b"this is text\n", "not a readable checkpoint"),
        (lambda data: data.replace(b"PK", b"KP"), "not a readable checkpoint"),
    ],
    ids=["empty", "truncated", "text", "scrambled"],
)
def test_a_damaged_file_is_refused_with_its_path(saved, tmp_path, damage, message):
    path = tmp_path / "damaged.pt"
    path.write_bytes(damage(saved.read_bytes()))
    with pytest.raises(WeightsError, match=rf"{re.escape(str(path))}.*{message}"):
        load_checkpoint(path)


@pytest.mark.parametrize("path", ["absent.pt", "."], ids=["missing", "a-folder"])
def test_a_file_that_can_not_be_read_is_refused(tmp_path, path):
    with pytest.raises(WeightsError, match="can't read the weights"):
        load_checkpoint(tmp_path / path)


@pytest.mark.parametrize(
    "content", [{"weights": {}}, {"format": "spiderseg-checkpoint-0"}, [1, 2], torch.zeros(3)], ids=["none", "old", "list", "tensor"]
)
def test_torch_files_of_other_formats_are_refused(tmp_path, content):
    with pytest.raises(WeightsError, match=f"expected a checkpoint of format {CHECKPOINT_FORMAT}"):
        load_checkpoint(with_content(tmp_path / "other.pt", content))


@pytest.mark.parametrize(
    "change",
    [
        {"model": {**TINY.__dict__, "unheard_of": 1}},
        {"model": {**TINY.__dict__, "roi_size_kji": (16, 32, 33)}},
        {"model": {**TINY.__dict__, "roi_size_kji": 16}},
        {"model": {**TINY.__dict__, "num_heads": 5}},
        {"model": None},
        {"preprocessing": {"unheard_of": 1}},
        {"provenance": {}},
    ],
    ids=["unknown-key", "odd-window", "window-of-one-number", "heads", "no-model", "preprocessing", "provenance"],
)
def test_a_configuration_that_can_not_be_used_is_refused(saved, tmp_path, change):
    with pytest.raises(WeightsError):
        load_checkpoint(with_content(tmp_path / "changed.pt", {**content_of(saved), **change}))


@pytest.mark.parametrize("key", ["weights", "model", "preprocessing", "provenance"])
def test_a_checkpoint_without_a_part_is_refused(saved, tmp_path, key):
    content = content_of(saved)
    del content[key]
    with pytest.raises(WeightsError, match=key):
        load_checkpoint(with_content(tmp_path / "part.pt", content))


def test_weights_of_another_architecture_are_refused(checkpoint):
    wider = ModelConfig(roi_size_kji=(16, 32, 32), feature_size=8, hidden_size=32, mlp_dim=64, num_heads=4)
    with pytest.raises(WeightsError, match="tiny: the weights do not fit the stored configuration"):
        network_from(Checkpoint(checkpoint.weights, wider, checkpoint.preprocessing, PROVENANCE))


# Names, bundles and files


def test_the_bundled_weights_are_those_the_metadata_state():
    folder = data_path(MODEL_WEIGHTS, BUNDLED)
    metadata = json.loads((folder / "configs" / "metadata.json").read_text(encoding="utf-8"))
    loaded = load_weights(None)
    assert loaded.sha256 == metadata["spiderseg"]["model_sha256"]
    assert loaded.provenance.model_id == metadata["spiderseg"]["model_id"]
    network_from(loaded)


def test_the_bundled_weights_take_at_most_30_mb():
    assert (data_path(MODEL_WEIGHTS, BUNDLED) / "models" / "model.pt").stat().st_size <= 30_000_000


def test_no_patient_of_the_bundled_weights_is_in_training_and_validation():
    provenance = load_weights(None).provenance
    assert set(provenance.training_patients) & set(provenance.validation_patients) == set()


@pytest.fixture
def bundle(saved, tmp_path) -> Path:
    """A bundle folder with the tiny checkpoint."""
    folder = tmp_path / "tiny"
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    shutil.copy(saved, folder / "models" / "model.pt")
    sha256 = hashlib.sha256(saved.read_bytes()).hexdigest()
    (folder / "configs" / "metadata.json").write_text(json.dumps({"spiderseg": {"model_sha256": sha256}}), encoding="utf-8")
    return folder


def test_weights_are_found_as_bundle_folder_and_as_file(bundle, saved):
    assert load_weights(str(bundle)).provenance == load_weights(str(saved)).provenance == PROVENANCE


def test_a_bundle_whose_model_was_exchanged_is_refused(bundle):
    model = bundle / "models" / "model.pt"
    model.write_bytes(model.read_bytes() + b"\0")
    with pytest.raises(WeightsError, match="the file is damaged or not the one described"):
        load_weights(str(bundle))


def test_a_bundle_without_its_model_is_refused(bundle):
    (bundle / "models" / "model.pt").unlink()
    with pytest.raises(WeightsError, match="can't read the weights"):
        load_weights(str(bundle))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"spiderseg": {}}', "not JSON"])
def test_a_bundle_whose_metadata_state_no_hash_is_refused(bundle, text):
    (bundle / "configs" / "metadata.json").write_text(text, encoding="utf-8")
    with pytest.raises(WeightsError, match="model_sha256"):
        expected_sha256(bundle)


def test_an_unknown_name_is_refused_naming_the_bundled_weights():
    with pytest.raises(WeightsError, match=f"unheard_of: no such weights; expected one of {BUNDLED}"):
        load_weights("unheard_of")
