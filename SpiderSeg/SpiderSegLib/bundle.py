"""Weights as a MONAI bundle: packs a checkpoint into one, and is what the bundle's configurations call.

What people wrote into the configurations stays; what the checkpoint decides is filled in, so that the two can't drift apart.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

import SpiderSegLib
from SpiderSegLib.atomic import make_folder
from SpiderSegLib.errors import ImageReadError, OutputError, WeightsError
from SpiderSegLib.io import image_stem, image_suffix, read_volume, write_bytes_atomically, write_text_atomically
from SpiderSegLib.labels import Structure
from SpiderSegLib.network import CHECKPOINT_FORMAT, Checkpoint, ModelConfig, save_checkpoint
from SpiderSegLib.outputs import OutputPaths
from SpiderSegLib.paths import MODEL_WEIGHTS, data_path
from SpiderSegLib.preprocessing import PreprocessingConfig
from SpiderSegLib.stages import Stage, StageClock
from SpiderSegLib.weights import BUNDLED, load_weights

if TYPE_CHECKING:
    from torch import nn

    from SpiderSegLib.inference import Predictor

METADATA, INFERENCE, TRAIN = "metadata.json", "inference.json", "train.json"
LICENSE = "LICENSE"

#: Packages a bundle needs besides MONAI, PyTorch and NumPy.
REQUIRED_PACKAGES = ("einops", "nibabel", "scipy", "SimpleITK")

#: Options of `spiderseg train` whose values are paths even when they look like a word.
PATH_OPTIONS = {"--data": "DATA", "--out": "OUT", "-o": "OUT", "--datalist": "DATALIST", "--weights": "WEIGHTS"}

_LOOKS_LIKE_A_PATH = re.compile(r"[/\\]|^[~.]|^[A-Za-z]:")


def write_bundle(checkpoint: Checkpoint, folder: Path) -> None:
    """Packs a checkpoint into a bundle folder, made if absent: models/model.pt and configs/ that describe and run it.

    Texts come from the configurations already in the folder, or else from the bundled model's. The command kept in the provenance
    loses its paths. Raises OutputError when a file can't be written, WeightsError when a configuration in the folder can't be read.
    """
    checkpoint = replace(checkpoint, provenance=replace(checkpoint.provenance, command=without_paths(checkpoint.provenance.command)))
    configs = {name: _read_json(_own_or_bundled(folder, "configs", name)) for name in (METADATA, INFERENCE, TRAIN)}
    license_text = _own_or_bundled(folder, LICENSE).read_bytes()
    for subfolder in ("configs", "models"):
        make_folder(folder / subfolder)
    write_bytes_atomically(folder / LICENSE, license_text)
    sha256 = save_checkpoint(folder / "models" / "model.pt", checkpoint)
    _write_json(folder / "configs" / METADATA, {**configs[METADATA], **_metadata(checkpoint, sha256)})
    _write_json(folder / "configs" / INFERENCE, _inference_config(configs[INFERENCE], checkpoint))
    _write_json(folder / "configs" / TRAIN, _train_config(configs[TRAIN], checkpoint))


def load_bundle(folder: str, network: nn.Module, preprocessing: PreprocessingConfig) -> Checkpoint:
    """The checkpoint of a bundle whose configuration describes this network and preprocessing.

    Raises WeightsError when the weights are not those the metadata state, don't fit the network, or were trained with another
    preprocessing: a configuration edited by hand never changes a result silently.
    """
    checkpoint = load_weights(folder)
    described = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    if described != {name: tuple(tensor.shape) for name, tensor in checkpoint.weights.items()}:
        raise WeightsError(f"{folder}: network_def does not fit the weights, which were trained as {checkpoint.model}")
    if preprocessing != checkpoint.preprocessing:
        raise WeightsError(f"{folder}: expected the preprocessing of the weights, {checkpoint.preprocessing}, found {preprocessing}")
    return checkpoint


def segment_files(predictor: Predictor, source: str, output_dir: str, is_overwriting: bool = False) -> list[Path]:
    """Segments an image file, or the image files of a folder, and writes what `spiderseg predict` writes: <stem>.mha and <stem>.json.

    Returns the labelmaps' paths. Raises ImageReadError when there is no image, OutputError when a labelmap would replace an input,
    another labelmap of this run, or, unless is_overwriting, an existing file; then nothing was segmented.
    """
    from SpiderSegLib.pipeline import segment
    from SpiderSegLib.results import write_outputs

    images = _images(Path(source))
    targets = [Path(output_dir) / f"{image_stem(image)}.mha" for image in images]
    _refuse_replacing(images, targets, is_overwriting)
    make_folder(Path(output_dir))
    for image, target in zip(images, targets, strict=True):
        clock = StageClock()
        with clock.stage(Stage.READ):
            volume = read_volume(image)
        write_outputs(segment(volume, predictor, clock), OutputPaths(target, target.with_suffix(".json")), like=image)
    return targets


def without_paths(command: str) -> str:
    """A command line that tells nothing of the machine it ran on: paths become the capitalized name of their option, or PATH."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    kept: list[str] = []
    option = ""
    for word in words:
        name, equals, value = word.partition("=") if word.startswith("-") else (option, "", word)
        if word.startswith("-") and not equals:
            kept.append(word)
        elif not kept:
            kept.append(PureWindowsPath(word).name)
        else:
            kept.append((name + equals if equals else "") + _without_path(name, value))
        option = word if word.startswith("-") and not equals else ""
    return shlex.join(kept)


def _without_path(option: str, value: str) -> str:
    if option in PATH_OPTIONS:
        return PATH_OPTIONS[option]
    return (option.lstrip("-").replace("-", "_").upper() or "PATH") if _LOOKS_LIKE_A_PATH.search(value) else value


def _metadata(checkpoint: Checkpoint, sha256: str) -> dict[str, Any]:
    """What the checkpoint and this environment decide, by key of metadata.json."""
    provenance = checkpoint.provenance
    versions = {package: importlib.metadata.version(package).partition("+")[0] for package in ("monai", "torch", "numpy", *REQUIRED_PACKAGES)}
    return {
        "monai_version": versions["monai"],
        "pytorch_version": versions["torch"],
        "numpy_version": versions["numpy"],
        "required_packages_version": {**{name: versions[name] for name in REQUIRED_PACKAGES}, "spiderseg": SpiderSegLib.__version__},
        "data_source": provenance.data or "not stated in the checkpoint",
        "eval_metrics": {f"{name.replace(' ', '_')}_dice": round(score, 4) for name, score in provenance.validation_scores.items()},
        "network_data_format": _network_data_format(checkpoint.model),
        "spiderseg": {
            "model_sha256": sha256,
            "model_id": provenance.model_id,
            "format": CHECKPOINT_FORMAT,
            "created_utc": provenance.created_utc,
            "command": provenance.command,
            "steps": provenance.steps,
            "training_patients": len(provenance.training_patients),
            "validation_patients": len(provenance.validation_patients),
        },
    }


def _network_data_format(model: ModelConfig) -> dict[str, Any]:
    # Empty ranges: normalized intensities and logits have no bounds.
    tensor = {"spatial_shape": list(model.roi_size_kji), "dtype": "float32", "value_range": [], "is_patch_data": True}
    image = {"type": "image", "format": "magnitude", "modality": "MR", "num_channels": 1, **tensor, "channel_def": {"0": "MR series, normalized"}}
    classes = {str(int(structure)): "spinal canal" if structure is Structure.CANAL else structure.name.lower() for structure in Structure}
    logits = {"type": "image", "format": "segmentation", "num_channels": model.classes, **tensor, "channel_def": classes}
    return {"inputs": {"image": image}, "outputs": {"pred": logits}}


def _inference_config(template: Mapping[str, Any], checkpoint: Checkpoint) -> dict[str, Any]:
    model = checkpoint.model
    network = {
        "out_channels": model.classes,
        "img_size": list(model.roi_size_kji),
        "feature_size": model.feature_size,
        "hidden_size": model.hidden_size,
        "mlp_dim": model.mlp_dim,
        "num_heads": model.num_heads,
    }
    return _merged(template, network_def=network, preprocessing=asdict(checkpoint.preprocessing))


def _train_config(template: Mapping[str, Any], checkpoint: Checkpoint) -> dict[str, Any]:
    # MONAI reads a JSON array as a list; the "$" makes it the tuple that the configuration holds.
    model = {**asdict(checkpoint.model), "roi_size_kji": f"${checkpoint.model.roi_size_kji}"}
    return _merged(template, model=model, preprocessing=asdict(checkpoint.preprocessing))


def _merged(template: Mapping[str, Any], **items: Mapping[str, Any]) -> dict[str, Any]:
    """The template with values replaced inside some of its items."""
    return {**template, **{name: {**template.get(name, {}), **values} for name, values in items.items()}}


def _own_or_bundled(folder: Path, *parts: str) -> Path:
    own = folder.joinpath(*parts)
    return own if own.is_file() else data_path(MODEL_WEIGHTS, BUNDLED, *parts)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: expected a bundle's JSON configuration: {error}") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path}: expected a JSON object, found {type(content).__name__}")
    return content


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_text_atomically(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _images(source: Path) -> list[Path]:
    images = sorted(path for path in source.iterdir() if path.is_file() and image_suffix(path)) if source.is_dir() else [source]
    if not images:
        raise ImageReadError(f"{source}: holds no image files (.mha, .mhd, .nii, .nii.gz, .nrrd)")
    return images


def _refuse_replacing(images: list[Path], targets: list[Path], is_overwriting: bool) -> None:
    inputs = {image.resolve() for image in images}
    for index, target in enumerate(targets):
        if target.resolve() in inputs:
            raise OutputError(f"the output {target} is an input; choose another output_dir")
        if target in targets[:index]:
            raise OutputError(f"several inputs would be written to {target}; run them into different folders")
        if target.exists() and not is_overwriting:
            raise OutputError(f"{target} exists; set overwrite to replace it")
