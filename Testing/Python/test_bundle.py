"""The MONAI bundle: what it says agrees with the weights, MONAI runs it, and packing a checkpoint keeps the two together."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from SpiderSegLib.bundle import load_bundle, segment_files, without_paths, write_bundle
from SpiderSegLib.cli.bundle import bundle as bundle_command
from SpiderSegLib.errors import ImageReadError, OutputError, WeightsError
from SpiderSegLib.inference import Predictor
from SpiderSegLib.io import read_labelmap, read_volume, write_volume
from SpiderSegLib.network import Checkpoint, ModelConfig, Provenance, build_network, load_checkpoint, save_checkpoint
from SpiderSegLib.paths import MODEL_WEIGHTS, data_path
from SpiderSegLib.phantom import PhantomConfig, default_geometry, make_phantom
from SpiderSegLib.pipeline import segment
from SpiderSegLib.preprocessing import PreprocessingConfig
from SpiderSegLib.results import sidecar
from SpiderSegLib.training import TrainingConfig
from SpiderSegLib.weights import BUNDLED, load_weights
from training_cases import write_cases

BUNDLE = data_path(MODEL_WEIGHTS, BUNDLED)

TINY = ModelConfig(roi_size_kji=(16, 32, 32), feature_size=4, hidden_size=32, mlp_dim=64, num_heads=4)
PROVENANCE = Provenance(
    "tiny-7",
    "2024-01-02T03:04:05+00:00",
    "spiderseg train --data /data/lumbar --steps 7",
    7,
    ("1", "2"),
    ("3",),
    {},
    "made up",
    {"t1 disc": 0.61237},
)

#: The part of MONAI's metadata schema (meta_schema_20240725) that decides whether a bundle is accepted.
TENSOR_SCHEMA = {
    "type": "object",
    "required": ["type", "format", "num_channels", "spatial_shape", "dtype", "value_range"],
    "properties": {
        "num_channels": {"type": "integer"},
        "spatial_shape": {"type": "array", "items": {"type": ["string", "integer"]}},
        "value_range": {"type": "array", "items": {"type": "number"}},
        "is_patch_data": {"type": "boolean"},
        "channel_def": {"type": "object"},
    },
}
TENSORS_SCHEMA = {"type": "object", "minProperties": 1, "additionalProperties": TENSOR_SCHEMA}
TEXTS = ["schema", "version", "monai_version", "pytorch_version", "numpy_version", "task", "description", "authors", "copyright"]
MORE_TEXTS = ["data_source", "data_type", "image_classes", "label_classes", "pred_classes", "intended_use"]
METADATA_SCHEMA = {
    "type": "object",
    "required": [*TEXTS, "required_packages_version", "network_data_format"],
    "properties": {
        **{name: {"type": "string"} for name in (*TEXTS, *MORE_TEXTS)},
        **{name: {"type": "object"} for name in ("changelog", "required_packages_version", "eval_metrics")},
        "references": {"type": "array", "items": {"type": "string"}},
        "network_data_format": {
            "type": "object",
            "required": ["inputs", "outputs"],
            "properties": {"inputs": TENSORS_SCHEMA, "outputs": TENSORS_SCHEMA},
        },
    },
}


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    torch.manual_seed(0)
    return Checkpoint(build_network(TINY).state_dict(), TINY, PreprocessingConfig(in_plane_spacing_mm=6.0), PROVENANCE)


@pytest.fixture(scope="module")
def series(tmp_path_factory) -> Path:
    """A phantom too coarse to be good for anything but speed."""
    path = tmp_path_factory.mktemp("series") / "phantom_t2.mha"
    write_volume(path, make_phantom(PhantomConfig(), default_geometry((100, 150, 5), (2.1, 2.1, 5.0))).volume)
    return path


@pytest.fixture(scope="module")
def tiny(checkpoint, tmp_path_factory) -> Path:
    """The tiny checkpoint packed into a bundle."""
    folder = tmp_path_factory.mktemp("packed") / "tiny"
    write_bundle(checkpoint, folder)
    return folder


def config(bundle: Path, name: str) -> dict[str, Any]:
    return json.loads((bundle / "configs" / name).read_text(encoding="utf-8"))


def parser(bundle: Path, name: str) -> ConfigParser:
    parsed = ConfigParser(config(bundle, name))
    parsed["bundle_root"] = str(bundle)
    return parsed


def shapes(weights: dict[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in weights.items()}


# MONAI runs it


def test_monai_writes_what_the_pipeline_finds(series, tmp_path):
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(BUNDLE / "configs" / "inference.json")]
    options = ["--bundle_root", str(BUNDLE), "--input", str(series), "--output_dir", str(tmp_path / "out"), "--device", "cpu"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums in another order may round otherwise
    expected = segment(read_volume(series), Predictor(load_weights(None), "cpu"))
    torch.set_num_threads(threads)
    written = read_labelmap(tmp_path / "out" / "phantom_t2.mha")
    assert written.geometry == expected.labelmap.geometry
    np.testing.assert_array_equal(written.array, expected.labelmap.array)
    told = json.loads((tmp_path / "out" / "phantom_t2.json").read_text(encoding="utf-8"))
    assert {**told, "seconds": None} == {**json.loads(json.dumps(sidecar(expected))), "seconds": None}
    assert expected.labelmap.array.any()


@pytest.mark.parametrize("name", ["bundled", "tiny"])
def test_the_network_of_the_configuration_is_the_checkpoint_s(name, tiny):
    folder = BUNDLE if name == "bundled" else tiny
    network = parser(folder, "inference.json").get_parsed_content("network_def")
    expected = build_network(load_weights(str(folder)).model)
    assert shapes(network.state_dict()) == shapes(expected.state_dict())
    assert str(network) == str(expected)


def test_a_packed_bundle_runs_from_its_configuration(tiny, series, tmp_path):
    parsed = parser(tiny, "inference.json")
    parsed["input"], parsed["output_dir"] = str(series), str(tmp_path)
    parsed.get_parsed_content("run")
    assert json.loads((tmp_path / "phantom_t2.json").read_text(encoding="utf-8"))["model"]["id"] == "tiny-7"


def test_the_training_configuration_is_the_default_recipe():
    assert parser(BUNDLE, "train.json").get_parsed_content("recipe") == TrainingConfig()


def test_a_packed_bundle_trains_from_its_configuration(tiny, tmp_path):
    write_cases(tmp_path)
    training = {"image": "image_t2.mha", "label": "mask.mha", "patient_id": "1"}
    validation = {"image": "validation_image_t2.mha", "label": "validation_mask.mha", "patient_id": "2"}
    (tmp_path / "list.json").write_text(json.dumps({"training": [training], "validation": [validation]}), encoding="utf-8")
    parsed = parser(tiny, "train.json")
    parsed["data"], parsed["datalist"], parsed["output_dir"], parsed["device"] = (
        str(tmp_path),
        str(tmp_path / "list.json"),
        str(tmp_path / "run"),
        "cpu",
    )
    parsed["recipe"]["steps"], parsed["recipe"]["workers"] = 1, 0
    parsed.get_parsed_content("run")
    assert load_checkpoint(tmp_path / "run" / "best.pt").model == TINY


def test_the_training_configuration_of_a_packed_bundle_has_its_architecture(tiny):
    recipe = parser(tiny, "train.json").get_parsed_content("recipe")
    assert (recipe.model, recipe.preprocessing) == (TINY, PreprocessingConfig(in_plane_spacing_mm=6.0))


# The metadata


@pytest.mark.parametrize("name", ["bundled", "tiny"])
def test_the_metadata_follow_monai_s_schema(name, tiny):
    jsonschema.validate(config(BUNDLE if name == "bundled" else tiny, "metadata.json"), METADATA_SCHEMA)


@pytest.mark.parametrize("name", ["bundled", "tiny"])
def test_the_metadata_describe_the_network_s_tensors(name, tiny):
    folder = BUNDLE if name == "bundled" else tiny
    model, tensors = load_weights(str(folder)).model, config(folder, "metadata.json")["network_data_format"]
    image, logits = tensors["inputs"]["image"], tensors["outputs"]["pred"]
    assert image["num_channels"] == 1
    assert logits["num_channels"] == model.classes
    assert tuple(image["spatial_shape"]) == tuple(logits["spatial_shape"]) == model.roi_size_kji
    assert logits["channel_def"] == {"0": "background", "1": "vertebra", "2": "disc", "3": "spinal canal"}


def test_the_metadata_say_where_the_weights_come_from(tiny):
    metadata = config(tiny, "metadata.json")
    assert metadata["data_source"] == "made up"
    assert metadata["eval_metrics"] == {"t1_disc_dice": 0.6124}
    assert metadata["spiderseg"]["model_id"] == "tiny-7"
    assert metadata["spiderseg"]["command"] == "spiderseg train --data DATA --steps 7"
    assert (metadata["spiderseg"]["training_patients"], metadata["spiderseg"]["validation_patients"]) == (2, 1)


# Packing


def test_a_bundle_is_these_files(tiny):
    found = {path.relative_to(tiny).as_posix() for path in tiny.rglob("*") if path.is_file()}
    assert found == {"LICENSE", "configs/metadata.json", "configs/inference.json", "configs/train.json", "models/model.pt"}


def test_packed_weights_are_the_checkpoint_s(tiny, checkpoint):
    loaded = load_weights(str(tiny))
    assert all(torch.equal(loaded.weights[name], tensor.half()) for name, tensor in checkpoint.weights.items())
    assert (loaded.model, loaded.preprocessing) == (checkpoint.model, checkpoint.preprocessing)
    assert loaded.provenance == replace(PROVENANCE, command="spiderseg train --data DATA --steps 7")


def test_packing_again_changes_nothing(tiny):
    before = {path: path.read_bytes() for path in tiny.rglob("*") if path.is_file()}
    write_bundle(load_weights(str(tiny)), tiny)
    assert {path: path.read_bytes() for path in tiny.rglob("*") if path.is_file()} == before


def test_texts_in_the_folder_stay_and_facts_are_replaced(checkpoint, tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "tiny")
    metadata, inference = config(folder, "metadata.json"), config(folder, "inference.json")
    (folder / "configs" / "metadata.json").write_text(
        json.dumps({**metadata, "description": "our own", "eval_metrics": {"old": 1}}), encoding="utf-8"
    )
    (folder / "configs" / "inference.json").write_text(json.dumps({**inference, "device": "cpu"}), encoding="utf-8")
    write_bundle(replace(checkpoint, provenance=replace(PROVENANCE, model_id="tiny-8")), folder)
    written = config(folder, "metadata.json")
    assert (written["description"], written["eval_metrics"], written["spiderseg"]["model_id"]) == ("our own", {"t1_disc_dice": 0.6124}, "tiny-8")
    assert config(folder, "inference.json")["device"] == "cpu"
    assert load_weights(str(folder)).provenance.model_id == "tiny-8"


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_configuration_that_is_not_a_json_object_is_refused_before_anything_is_written(checkpoint, tmp_path, text):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "metadata.json").write_text(text, encoding="utf-8")
    with pytest.raises(WeightsError, match=r"metadata\.json: expected"):
        write_bundle(checkpoint, tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["metadata.json"]


def test_a_folder_that_is_a_file_is_an_output_error(checkpoint, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="can't make this folder"):
        write_bundle(checkpoint, tmp_path / "file")


def test_the_command_packs_a_training_checkpoint(checkpoint, tmp_path):
    save_checkpoint(tmp_path / "best.pt", checkpoint)
    assert bundle_command(tmp_path / "best.pt", tmp_path / "bundle") == 0
    assert load_weights(str(tmp_path / "bundle")).provenance.model_id == load_checkpoint(tmp_path / "best.pt").provenance.model_id


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        ("", ""),
        (
            "spiderseg train --data /x --out y --steps 7 --device cpu --resume",
            "spiderseg train --data DATA --out OUT --steps 7 --device cpu --resume",
        ),
        ("spiderseg train --data=/mnt/x --device=cuda:0", "spiderseg train --data=DATA --device=cuda:0"),
        ("/opt/bin/spiderseg train -o ../y --datalist split.json", "spiderseg train -o OUT --datalist DATALIST"),
        (r"spiderseg train --data 'C:\Users\me\my data' --steps 3", "spiderseg train --data DATA --steps 3"),
        ("spiderseg train --new-option ./z /positional", "spiderseg train --new-option NEW_OPTION PATH"),
        ("spiderseg train --data '/unbalanced", "spiderseg train --data DATA"),
    ],
)
def test_a_command_loses_its_paths_and_nothing_else(command, kept):
    assert without_paths(command) == kept


# What the configuration calls


def test_a_network_that_is_not_the_weights_is_refused(tiny, checkpoint):
    with pytest.raises(WeightsError, match="network_def does not fit the weights"):
        load_bundle(str(tiny), build_network(replace(TINY, feature_size=8)), checkpoint.preprocessing)


def test_a_preprocessing_that_is_not_the_weights_is_refused(tiny):
    with pytest.raises(WeightsError, match=r"expected the preprocessing of the weights, .*=6\.0.*found .*=1\.5"):
        load_bundle(str(tiny), build_network(TINY), PreprocessingConfig())


@pytest.fixture
def predictor(checkpoint) -> Predictor:
    return Predictor(checkpoint, "cpu")


def test_every_image_of_a_folder_is_segmented(predictor, series, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.mha", "b.mha"):
        shutil.copy(series, tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("not an image")
    written = segment_files(predictor, str(tmp_path / "in"), str(tmp_path / "out"))
    assert written == [tmp_path / "out" / "a.mha", tmp_path / "out" / "b.mha"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.json", "a.mha", "b.json", "b.mha"]


def test_an_existing_labelmap_is_kept_unless_told_otherwise(predictor, series, tmp_path):
    (tmp_path / "phantom_t2.mha").write_text("corrected by hand")
    with pytest.raises(OutputError, match="exists"):
        segment_files(predictor, str(series), str(tmp_path))
    assert (tmp_path / "phantom_t2.mha").read_text() == "corrected by hand"
    segment_files(predictor, str(series), str(tmp_path), is_overwriting=True)
    assert read_labelmap(tmp_path / "phantom_t2.mha").geometry == read_volume(series).geometry


def test_an_input_is_never_replaced(predictor, series):
    before = series.read_bytes()
    with pytest.raises(OutputError, match="is an input"):
        segment_files(predictor, str(series), str(series.parent), is_overwriting=True)
    assert series.read_bytes() == before


def test_two_inputs_of_one_name_are_refused(predictor, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.mha", "a.nii.gz"):
        (tmp_path / "in" / name).write_bytes(b"")
    with pytest.raises(OutputError, match="several inputs would be written to"):
        segment_files(predictor, str(tmp_path / "in"), str(tmp_path / "out"))


def test_a_folder_without_images_is_refused(predictor, tmp_path):
    with pytest.raises(ImageReadError, match="holds no image files"):
        segment_files(predictor, str(tmp_path), str(tmp_path / "out"))
