"""The recipe of the original UNETR report (preset `reference`), so that its 0.7154 can be reproduced and compared honestly.

Whole volumes resized to 32 x 128 x 128 voxels, a class for every one of 9 levels, an intensity window from -1000 to 3096, no
augmentation, and a score in that resized space with the background counted, over *series* shuffled 90/10 whatever their patient:
none of its figures can be compared with scores in native space. Its checkpoints are for study: `predict` refuses them.
"""

from __future__ import annotations

import hashlib
import io as std_io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import CacheDataset, list_data_collate
from monai.inferers.utils import sliding_window_inference
from monai.losses import DiceCELoss
from monai.metrics import DiceMetric
from monai.networks.utils import one_hot
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, ScaleIntensityRanged
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from SpiderSegLib.atomic import make_folder
from SpiderSegLib.dataset import Datalist, DatasetItem, image_hashes, load_pair
from SpiderSegLib.errors import DatasetError, TrainingError
from SpiderSegLib.io import image_stem, read_labelmap, read_volume, write_bytes_atomically, write_volume
from SpiderSegLib.labels import SPINAL_CANAL
from SpiderSegLib.network import ModelConfig, build_network
from SpiderSegLib.ranks import Rank
from SpiderSegLib.resampling import ORIGINAL_RECIPE, resample_volume
from SpiderSegLib.training.recipe import Batch, digest_of, hyper_parameters

logger = logging.getLogger(__name__)

#: Background, 9 vertebrae, the canal, 9 discs.
CLASSES = 20
LEVELS = 9
CANAL_CLASS = LEVELS + 1

#: The report's CT-like window, wrong for MR and kept.
INTENSITY_WINDOW = (-1000.0, 3096.0)

RESAMPLED = "resampled"
FORMAT = "spiderseg-reference-1"


@dataclass(frozen=True)
class ReferenceConfig:
    """Hyper-parameters as reported. The report's learning rate is constant, nothing is clipped or averaged, all runs in float32."""

    steps: int = 21_000
    batch_size: int = 18
    validation_batch_size: int = 6
    learning_rate: float = 1e-4
    weight_decay: float = 1e-5
    gradient_norm: float = float("inf")
    ema_decay: float = 0.0
    evaluate_every: int = 1000
    checkpoint_every: int = 250
    validation_share: float = 0.1
    cached_training: int = 24
    cached_validation: int = 6
    workers: int = 8
    seed: int = 0
    model: ModelConfig = field(
        default_factory=lambda: ModelConfig((32, 128, 128), CLASSES, feature_size=16, hidden_size=768, mlp_dim=3072, num_heads=12)
    )

    def rate_at(self, step: int) -> float:
        """Always the same."""
        return self.learning_rate


class ReferenceRecipe:
    """The report's data, loss and metric. Raises DatasetError when there are less than two series with image and SPIDER mask."""

    def __init__(self, datalist: Datalist, config: ReferenceConfig, out: Path) -> None:
        self.config = config
        items = [item for item in (*datalist.training, *datalist.validation) if item.image is not None and item.reference_kind == "spider"]
        if len(items) < 2:
            raise DatasetError(f"expected at least two series with image and SPIDER mask, found {len(items)}")
        order = np.random.default_rng(config.seed).permutation(len(items))
        held_out = max(1, round(config.validation_share * len(items)))
        shuffled = [items[n] for n in order]
        self._training, self._validation, self._folder = shuffled[held_out:], shuffled[:held_out], out / RESAMPLED
        shared = {item.patient_id for item in self._training} & {item.patient_id for item in self._validation}
        if shared:
            logger.warning(
                "split by series, as in the report: %d patients are on both sides, so the score is no measure of new patients", len(shared)
            )

    @property
    def identity(self) -> dict[str, str]:
        return {
            **hyper_parameters(self.config),
            "training data": digest_of(image_hashes(self._training)),
            "validation data": digest_of(image_hashes(self._validation)),
        }

    def precision(self, device: str) -> str:
        return "fp32"

    def build_network(self) -> nn.Module:
        return build_network(self.config.model)

    def batches(self, first_step: int, rank: Rank) -> Iterator[Batch]:
        """Raises TrainingError for several processes: the report's batch is that of one."""
        if rank.world > 1:
            raise TrainingError(f"the preset reference is the recipe of one process, found {rank.world}; start it without torchrun")
        names = [item.name for item in self._training]
        files = [_resampled(item, self._folder) for item in tqdm((*self._training, *self._validation), "resampling", unit="series")]
        indexed = [{**item, "index": index} for index, item in enumerate(files[: len(names)])]
        dataset = CacheDataset(indexed, _transforms(), cache_num=self.config.cached_training, progress=False)
        order = _EpochOrder(len(dataset), self.config, first_step)
        loader = DataLoader(dataset, batch_sampler=order, num_workers=self.config.workers, collate_fn=list_data_collate)
        for batch in loader:
            indices = batch["index"].tolist()
            # The report clamps in the training step: 101 and the levels above 9 become the last disc or what they overlap.
            yield batch["image"].as_tensor(), (batch["label"].as_tensor().clamp(0, CLASSES - 1),), [names[index] for index in indices]

    def loss(self, logits: Tensor, targets: tuple[Tensor, ...], rank: Rank) -> Tensor:
        loss: Tensor = DiceCELoss(to_onehot_y=True, softmax=True)(logits, targets[0])
        return loss

    def validate(self, weights: Mapping[str, Tensor], step: int, device: str, rank: Rank) -> dict[str, float]:
        """MONAI's mean Dice in the resized space, background included; classes that a reference lacks are left out."""
        network = self.build_network()
        network.load_state_dict(dict(weights))
        network = network.to(device).eval()
        metric = DiceMetric(include_background=True, reduction="mean")
        files = [_resampled(item, self._folder) for item in self._validation]
        dataset = CacheDataset(files, _transforms(), cache_num=self.config.cached_validation, progress=False)
        for batch in DataLoader(dataset, self.config.validation_batch_size, collate_fn=list_data_collate):
            with torch.inference_mode():
                logits = sliding_window_inference(batch["image"].as_tensor().to(device), self.config.model.roi_size_kji, 4, network)
            # Clamped here too: MONAI's one-hot stops at values beyond its classes.
            labels = batch["label"].as_tensor().clamp(0, CLASSES - 1).to(device)
            metric(one_hot(logits.argmax(dim=1, keepdim=True), CLASSES), one_hot(labels, CLASSES))
        return {"mean": float(metric.aggregate().item())}

    def save(self, path: Path, weights: Mapping[str, Tensor], step: int, scores: Mapping[str, float]) -> None:
        buffer = std_io.BytesIO()
        content: dict[str, Any] = {"format": FORMAT, "weights": {name: tensor.cpu() for name, tensor in weights.items()}}
        torch.save({**content, "step": step, "scores": dict(scores)}, buffer)
        write_bytes_atomically(path, buffer.getvalue())


class _EpochOrder:
    """Batches of indices, shuffled anew in every epoch by seed and epoch alone, from any step on, without end."""

    def __init__(self, cases: int, config: ReferenceConfig, first_step: int) -> None:
        self._cases, self._config, self._step = cases, config, first_step

    def __iter__(self) -> Iterator[list[int]]:
        size, step = self._config.batch_size, self._step
        batches = -(-self._cases // size)
        while True:
            epoch, number = divmod(step, batches)
            order = np.random.default_rng((self._config.seed, epoch)).permutation(self._cases)
            yield order[number * size : (number + 1) * size].tolist()
            step += 1


def to_report_classes(labels: NDArray[Any]) -> NDArray[np.int16]:
    """SPIDER values as the report numbers them: 1-9 stay, 100 becomes 10, 201-209 become 11-19; all others are kept."""
    classes = labels.astype(np.int16)
    classes[labels == SPINAL_CANAL] = CANAL_CLASS
    discs = (labels > 200) & (labels <= 200 + LEVELS)
    classes[discs] = labels[discs].astype(np.int16) - 200 + CANAL_CLASS
    return classes


def _resampled(item: DatasetItem, folder: Path) -> dict[str, Any]:
    """The series resampled to files, as the report keeps them; done once for each content of its files. Raises what `load_pair` raises."""
    assert item.image is not None
    content = hashlib.sha256(item.image.read_bytes() + item.label.read_bytes()).hexdigest()[:12]
    image, label = folder / f"{image_stem(item.image)}_{content}.nii.gz", folder / f"{image_stem(item.image)}_{content}_label.nii.gz"
    if image.exists() and label.exists():
        return {"image": str(image), "label": str(label)}
    load_pair(item)
    make_folder(folder)
    reference = read_labelmap(item.label)
    classes = reference.with_array(to_report_classes(reference.array))
    write_volume(image, resample_volume(read_volume(item.image), ORIGINAL_RECIPE, is_labelmap=False))
    write_volume(label, resample_volume(classes, ORIGINAL_RECIPE, is_labelmap=True))
    return {"image": str(image), "label": str(label)}


def _transforms() -> Compose:
    keys: Sequence[str] = ("image", "label")
    low, high = INTENSITY_WINDOW
    return Compose(
        [
            _nifti_loader(keys),
            EnsureChannelFirstd(keys),
            ScaleIntensityRanged("image", a_min=low, a_max=high, b_min=0.0, b_max=1.0, clip=True),
        ]
    )


def _nifti_loader(keys: Sequence[str]) -> LoadImaged:
    """MONAI sets up every reader it has, and complains of the GPU DICOM codec that is of no use here."""
    logging.getLogger("monai.data.nvimgcodec_pydicom_plugin").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "NvImgCodecPydicomReader", UserWarning)
        return LoadImaged(keys, reader="NibabelReader")
