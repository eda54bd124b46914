"""The network over a prepared series: device plan, sliding window, mirroring, progress, cancel, and stepping down on low memory."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import numpy as np
import torch
from monai.data.utils import dense_patch_slices
from monai.inferers.utils import sliding_window_inference
from numpy.typing import NDArray
from torch import Tensor, nn

from SpiderSegLib.errors import Cancelled, InputError
from SpiderSegLib.network import Checkpoint, network_from
from SpiderSegLib.ranks import Rank
from SpiderSegLib.stages import CancelCallback

logger = logging.getLogger(__name__)

#: Called with the share of the work done, 0..1.
ProgressCallback = Callable[[float], None]

#: Peak bytes of one window's forward pass per voxel and feature channel, in float32; the torch profiler counts 37 at 16x128x96, half in bfloat16.
ACTIVATION_BYTES_PER_VOXEL_AND_FEATURE = 40

#: How torch's CPU allocator words that it got no memory.
CPU_OUT_OF_MEMORY = "can't allocate memory"

#: Share of a GPU's free memory a plan may use; the rest is for the display, the allocator's slack and the other programs.
USABLE_MEMORY_SHARE = 0.8

#: More windows at once than this brings no speed.
LARGEST_WINDOW_BATCH = 8


@dataclass(frozen=True)
class DevicePlan:
    """Where and how the network runs.

    precision is 'fp32', 'bf16' or 'fp16' (autocast); stitching_device holds the blended logits of the whole series.
    """

    device: str
    precision: str
    sw_batch_size: int
    stitching_device: str
    estimated_bytes: int

    def __str__(self) -> str:
        stitching = "" if self.stitching_device == self.device else f", stitching on {self.stitching_device}"
        return f"{self.device} {self.precision}, {self.sw_batch_size} window(s) at once{stitching}, about {self.estimated_bytes / 2**20:.0f} MB"


@dataclass(frozen=True)
class InferenceConfig:
    """Sliding-window settings: the share by which windows overlap, and whether the left-right mirrored series is run too."""

    overlap: float = 0.5
    mirror: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < 1:
            raise InputError(f"expected an overlap from 0 to below 1, found {self.overlap}")


@dataclass(frozen=True)
class Prediction:
    """Class probabilities (class, k, j, i) float32 on the working grid; disagreement (k, j, i) of the mirrored runs, 0..1, or None."""

    probabilities: NDArray[np.float32]
    disagreement: NDArray[np.float32] | None
    plan: DevicePlan


def cpu_has_bf16() -> bool:
    """Whether this processor multiplies bfloat16 natively; elsewhere bf16 autocast is slower than float32."""
    checks = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(check is not None and check() for check in checks)


def resolve_device(request: str) -> str:
    """'auto', 'cpu', 'cuda' or 'cuda:N' as a torch device name.

    Raises InputError naming what is there when the device is not.
    """
    if request == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    if request == "cpu":
        return request
    kind, _, index = request.partition(":")
    if kind != "cuda" or (":" in request and not index.isdigit()):
        raise InputError(f"expected the device auto, cpu, cuda or cuda:N, found {request!r}")
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(index or 0) >= found:
        raise InputError(f"--device {request}: {found} CUDA device(s) found on this machine; use --device cpu or auto")
    return f"cuda:{int(index or 0)}"


def device_of(rank: Rank, device: str) -> str:
    """Of several processes on a machine each gets its own GPU: 'cuda:<local rank>'; a CPU is shared."""
    return f"cuda:{rank.local % torch.cuda.device_count()}" if rank.world > 1 and device.startswith("cuda") else device


def plan_device(request: str, checkpoint: Checkpoint, shape_kji: tuple[int, int, int]) -> DevicePlan:
    """The fastest plan whose estimated memory fits the device, for a series of shape_kji on the working grid."""
    device = resolve_device(request)
    if device == "cpu":
        return _with_estimate(DevicePlan(device, "bf16" if cpu_has_bf16() else "fp32", 1, "cpu", 0), checkpoint, shape_kji)
    free, _ = torch.cuda.mem_get_info(device)
    plan = _with_estimate(DevicePlan(device, "fp16", LARGEST_WINDOW_BATCH, device, 0), checkpoint, shape_kji)
    for candidate in (plan, *step_downs(plan, checkpoint, shape_kji)):
        if candidate.device == "cpu" or candidate.estimated_bytes <= USABLE_MEMORY_SHARE * free:
            return candidate
    raise AssertionError("the last step down is the CPU")


def step_downs(plan: DevicePlan, checkpoint: Checkpoint, shape_kji: tuple[int, int, int]) -> Iterator[DevicePlan]:
    """Ever more frugal plans after `plan`: one window at once, stitching on the CPU, all on the CPU."""
    if plan.device == "cpu":
        return
    if plan.sw_batch_size > 1:
        yield _with_estimate(replace(plan, sw_batch_size=1), checkpoint, shape_kji)
    if plan.stitching_device != "cpu":
        yield _with_estimate(replace(plan, sw_batch_size=1, stitching_device="cpu"), checkpoint, shape_kji)
    yield _with_estimate(DevicePlan("cpu", "bf16" if cpu_has_bf16() else "fp32", 1, "cpu", 0), checkpoint, shape_kji)


def _with_estimate(plan: DevicePlan, checkpoint: Checkpoint, shape_kji: tuple[int, int, int]) -> DevicePlan:
    model = checkpoint.model
    weights = sum(4 * tensor.numel() for tensor in checkpoint.weights.values())
    window = math.prod(model.roi_size_kji) * model.feature_size * ACTIVATION_BYTES_PER_VOXEL_AND_FEATURE
    if plan.precision != "fp32":
        window //= 2
    padded = math.prod(max(size, roi) for size, roi in zip(shape_kji, model.roi_size_kji, strict=True))
    stitched = 4 * padded * (2 * model.classes + 2) if plan.stitching_device == plan.device else 0
    return replace(plan, estimated_bytes=weights + plan.sw_batch_size * window + stitched)


class Predictor:
    """A checkpoint's network, ready to run on many series.

    The network moves to a device on first use; after an out-of-memory error the plan steps down, says so, and stays there.
    """

    def __init__(self, checkpoint: Checkpoint, device: str = "auto", config: InferenceConfig | None = None) -> None:
        self.checkpoint = checkpoint
        self.config = config or InferenceConfig()
        self._request = resolve_device(device)
        self._network = network_from(checkpoint)

    def predict(
        self, array: NDArray[np.float32], on_progress: ProgressCallback | None = None, is_cancelled: CancelCallback | None = None
    ) -> Prediction:
        """Class probabilities of a normalized array (k, j, i) on the working grid.

        Raises Cancelled when is_cancelled says so between two windows.
        """
        k, j, i = array.shape
        plan = plan_device(self._request, self.checkpoint, (k, j, i))
        for candidate in (plan, *step_downs(plan, self.checkpoint, (k, j, i))):
            try:
                return self._run(array, candidate, on_progress, is_cancelled)
            except torch.OutOfMemoryError:
                logger.warning("out of memory on %s; trying a more frugal plan", candidate)
                torch.cuda.empty_cache()
            except RuntimeError as error:
                # torch has no error type of its own for the CPU's allocator.
                if CPU_OUT_OF_MEMORY not in str(error):
                    raise
        raise InputError(f"not enough memory for a series of {k}x{j}x{i} voxels on the working grid even on the CPU; close other programs")

    def _run(
        self, array: NDArray[np.float32], plan: DevicePlan, on_progress: ProgressCallback | None, is_cancelled: CancelCallback | None
    ) -> Prediction:
        self._request = plan.device
        network = self._network.to(plan.device)
        tensor = torch.from_numpy(np.ascontiguousarray(array))[None, None]
        passes = 2 if self.config.mirror else 1
        windows = passes * math.ceil(window_count(array.shape, self.checkpoint.model.roi_size_kji, self.config.overlap) / plan.sw_batch_size)
        counted = _CountedNetwork(network, plan, windows, on_progress, is_cancelled)
        probabilities = self._slide(counted, tensor, plan)
        if not self.config.mirror:
            return Prediction(probabilities, None, plan)
        mirrored = np.flip(self._slide(counted, tensor.flip(2), plan), axis=1)
        disagreement = (np.abs(probabilities - mirrored).sum(axis=0) / 2).astype(np.float32)
        return Prediction(((probabilities + mirrored) / 2).astype(np.float32), disagreement, plan)

    def _slide(self, network: _CountedNetwork, tensor: Tensor, plan: DevicePlan) -> NDArray[np.float32]:
        with torch.inference_mode():
            logits = sliding_window_inference(
                tensor,
                self.checkpoint.model.roi_size_kji,
                plan.sw_batch_size,
                network,
                overlap=self.config.overlap,
                mode="gaussian",
                padding_mode="replicate",
                sw_device=plan.device,
                device=plan.stitching_device,
            )
            probabilities: NDArray[np.float32] = torch.softmax(logits[0].float(), dim=0).cpu().numpy()
        return probabilities


class _CountedNetwork:
    """The network as MONAI's sliding window calls it: autocast, progress after and cancel before every batch of windows."""

    def __init__(
        self, network: nn.Module, plan: DevicePlan, total: int, on_progress: ProgressCallback | None, is_cancelled: CancelCallback | None
    ) -> None:
        self._network, self._plan, self._total, self._done = network, plan, total, 0
        self._on_progress, self._is_cancelled = on_progress, is_cancelled

    def __call__(self, windows: Tensor) -> Tensor:
        if self._is_cancelled is not None and self._is_cancelled():
            raise Cancelled("stopped on request; nothing was written")
        with autocast(self._plan.device, self._plan.precision):
            logits: Tensor = self._network(windows)
        self._done += 1
        if self._on_progress is not None:
            self._on_progress(min(1.0, self._done / self._total))
        return logits.float()


def autocast(device: str, precision: str) -> AbstractContextManager[object]:
    """Autocast to 'fp16' or 'bf16' on a device; nothing for 'fp32'."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(torch.device(device).type, torch.float16 if precision == "fp16" else torch.bfloat16)


def window_count(shape_kji: tuple[int, ...], roi_kji: tuple[int, int, int], overlap: float) -> int:
    """How many windows MONAI's sliding window visits on an array of this shape."""
    padded = [max(size, roi) for size, roi in zip(shape_kji, roi_kji, strict=True)]
    interval = [max(1, int(roi * (1 - overlap))) if roi != size else roi for size, roi in zip(padded, roi_kji, strict=True)]
    return len(dense_patch_slices(padded, roi_kji, interval))
