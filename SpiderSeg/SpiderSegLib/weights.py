"""Finding weights: the bundled ones, another bundle, or a checkpoint file."""

from __future__ import annotations

import json
from pathlib import Path

from SpiderSegLib.errors import WeightsError
from SpiderSegLib.network import Checkpoint, load_checkpoint
from SpiderSegLib.paths import MODEL_WEIGHTS, data_path

BUNDLED = "spiderseg_unetr"
CHECKPOINT_SUFFIXES = (".pt", ".pth")
_METADATA = Path("configs", "metadata.json")
_MODEL = Path("models", "model.pt")


def load_weights(name_or_path: str | None) -> Checkpoint:
    """Loads weights by name of a bundled model, path of a MONAI bundle folder, or path of a checkpoint file; None: the bundled ones.

    A bundle's checkpoint must have the SHA-256 its metadata.json states. Raises WeightsError.
    """
    if name_or_path is not None and Path(name_or_path).suffix in CHECKPOINT_SUFFIXES:
        return load_checkpoint(Path(name_or_path))
    folder = Path(name_or_path) if name_or_path is not None and Path(name_or_path).is_dir() else _bundled(name_or_path or BUNDLED)
    return load_checkpoint(folder / _MODEL, expected_sha256(folder))


def _bundled(name: str) -> Path:
    root = data_path(MODEL_WEIGHTS)
    names = sorted(folder.name for folder in root.iterdir() if (folder / _METADATA).is_file())
    if name not in names:
        raise WeightsError(f"{name}: no such weights; expected one of {', '.join(names)}, a bundle folder, or a checkpoint ending in .pt")
    return root / name


def expected_sha256(bundle: Path) -> str:
    """The SHA-256 of models/model.pt that the bundle's metadata states. Raises WeightsError when it states none."""
    path = bundle / _METADATA
    try:
        sha256 = json.loads(path.read_text(encoding="utf-8"))["spiderseg"]["model_sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f'{path}: expected the bundle\'s metadata with "spiderseg": {{"model_sha256": ..}}: {error}') from error
    return str(sha256)
