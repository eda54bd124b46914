"""Speed and memory of segmenting one series, against the original report's inference and against the processor's own peak.

Usage: python benchmarks/inference.py [--threads 2] [--repeats 3] [--weights NAME|PATH] [--json FILE] [--skip-baselines]
The series is a T2 phantom of 512 x 512 x 17 voxels, 0.6 x 0.6 x 4.0 mm. Times are the best of the repeats, wall clock; each whole
process is a fresh `python -m SpiderSegLib predict` with imports, peak memory is that process's largest resident set. Run it on an
idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.inferers.utils import sliding_window_inference
from monai.networks.nets import UNETR
from torch.utils.flop_counter import FlopCounterMode

from SpiderSegLib.inference import InferenceConfig, Predictor, autocast, cpu_has_bf16, window_count
from SpiderSegLib.io import write_volume
from SpiderSegLib.network import Checkpoint, build_network, network_from
from SpiderSegLib.outputs import OutputPaths
from SpiderSegLib.phantom import PhantomConfig, default_geometry, make_phantom
from SpiderSegLib.pipeline import segment
from SpiderSegLib.preprocessing import prepare, resample
from SpiderSegLib.results import write_outputs
from SpiderSegLib.volume import Volume
from SpiderSegLib.weights import load_weights

SIZE_IJK = (512, 512, 17)
SPACING_IJK_MM = (0.6, 0.6, 4.0)

#: What the project promises for this series on two processor cores.
PROMISED_SECONDS = 20.0
PROMISED_GIB = 4.0

#: The original report's network and the shape every series was resized to.
ORIGINAL_SHAPE_KJI = (32, 128, 128)
ORIGINAL_CLASSES = 20
#: Its intensity window, made for CT.
ORIGINAL_WINDOW = (-1000.0, 3096.0)

#: Side of the square matrices whose product measures the processor's peak: the product's 50 MB fill caches as a network's maps do.
MATRIX_SIZE = 2048


@dataclass(frozen=True)
class ProcessRun:
    """One whole process: wall seconds, processor seconds, peak resident GiB, and the stages its sidecar states."""

    seconds: float
    cpu_seconds: float
    peak_gib: float
    stages: dict[str, float]
    plan: str


@dataclass(frozen=True)
class Baseline:
    """A way to segment the series: seconds from the array read to classes on its grid; voxels the network sees, and where classes are decided."""

    name: str
    seconds: float
    network_spacing_kji_mm: tuple[float, float, float]
    output_spacing_kji_mm: tuple[float, float, float]
    windows: int
    parameters_million: float
    tera_operations: float


@dataclass(frozen=True)
class Peak:
    """Measured matrix product in tera-operations (multiply and add counted as two) a second."""

    fp32: float
    bf16: float


def best_of(repeats: int, run: Callable[[], object]) -> float:
    """Least wall seconds of some runs."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)


def measure_process(series: Path, folder: Path, threads: int, weights: str | None) -> ProcessRun:
    """`spiderseg predict` in a fresh process, and what the system says of it."""
    out = folder / "out.mha"
    command = [sys.executable, "-m", "SpiderSegLib", "predict", str(series), "-o", str(out), "--progress", "none", "--device", "cpu", "--overwrite"]
    command += ["--weights", weights] if weights else []
    started = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": str(threads)})
    # wait4 tells of this child alone; RUSAGE_CHILDREN would keep the largest child ever.
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"predict failed with exit code {process.returncode}")
    sidecar = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    return ProcessRun(seconds, usage.ru_utime + usage.ru_stime, peak_gib(usage), sidecar["seconds"], sidecar["device"]["plan"])


def peak_gib(usage: resource.struct_rusage) -> float:
    """Linux counts in KiB, macOS in bytes."""
    return usage.ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)


def measure_peak(repeats: int) -> Peak:
    """Peak of large square matrix products with the threads torch has."""
    rates = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        left, right = torch.rand(2, MATRIX_SIZE, MATRIX_SIZE).to(dtype)
        torch.mm(left, right)
        rates[name] = 2 * MATRIX_SIZE**3 / best_of(max(3, repeats), lambda left=left, right=right: torch.mm(left, right)) / 1e12
    return Peak(**rates)


def tera_operations(network: torch.nn.Module, shape_kji: tuple[int, int, int]) -> float:
    """Floating-point operations of one window, multiply and add counted as two."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, *shape_kji))
    return counter.get_total_flops() / 1e12


def original_network() -> UNETR:
    """The original report's UNETR, 92.7 million parameters; random weights cost the same time."""
    return UNETR(
        in_channels=1,
        out_channels=ORIGINAL_CLASSES,
        img_size=ORIGINAL_SHAPE_KJI,
        feature_size=16,
        hidden_size=768,
        mlp_dim=3072,
        num_heads=12,
        norm_name="instance",
        res_block=True,
    ).eval()


def decide(logits: np.ndarray[Any, Any], shape_kji: tuple[int, int, int]) -> np.ndarray[Any, Any]:
    """Classes decided where the network ran, then brought to the series' grid by nearest neighbour, as the report's masks were resampled."""
    classes = logits.argmax(axis=0).astype(np.uint8)
    indices = [((np.arange(n) + 0.5) * size / n).astype(int) for n, size in zip(shape_kji, classes.shape, strict=True)]
    return classes[np.ix_(*indices)]


def run_original(network: UNETR, volume: Volume) -> np.ndarray[Any, Any]:
    """The report's inference: the series resized to 32x128x128, one window in float32, classes resampled back."""
    low, high = ORIGINAL_WINDOW
    scaled = np.clip((resample(volume.array, ORIGINAL_SHAPE_KJI) - low) / (high - low), 0, 1)
    with torch.inference_mode():
        logits = network(torch.from_numpy(scaled)[None, None])[0]
    return decide(logits.numpy(), volume.geometry.shape_kji)


def run_original_on_working_grid(network: UNETR, volume: Volume, checkpoint: Checkpoint, overlap: float) -> np.ndarray[Any, Any]:
    """The same network in float32 slid over this project's working grid; MONAI pads what is smaller than a window."""
    prepared = prepare(volume, checkpoint.preprocessing)
    with torch.inference_mode():
        logits = sliding_window_inference(
            torch.from_numpy(np.ascontiguousarray(prepared.array))[None, None],
            ORIGINAL_SHAPE_KJI,
            1,
            network,
            overlap=overlap,
            mode="gaussian",
            padding_mode="replicate",
        )[0]
    return decide(logits.numpy(), volume.geometry.shape_kji)


def run_own(predictor: Predictor, volume: Volume) -> np.ndarray[Any, Any]:
    """This project's way as far as the baselines go: classes on the series' grid, unnumbered."""
    prepared = prepare(volume, predictor.checkpoint.preprocessing)
    return prepared.restore_classes(predictor.predict(prepared.array).probabilities)


def measure_baselines(volume: Volume, checkpoint: Checkpoint, repeats: int) -> list[Baseline]:
    """This project first, then (a) and (b), all with the network loaded and warm."""
    overlap = InferenceConfig().overlap
    predictor, original = Predictor(checkpoint, "cpu"), original_network()
    prepared = prepare(volume, checkpoint.preprocessing)
    shape = volume.geometry.shape_kji
    k, j, i = (size * spacing / n for size, spacing, n in zip(shape, volume.geometry.spacing_kji_mm, ORIGINAL_SHAPE_KJI, strict=True))
    own_windows = window_count(prepared.array.shape, checkpoint.model.roi_size_kji, overlap)
    slid_windows = window_count(prepared.array.shape, ORIGINAL_SHAPE_KJI, overlap)
    own = own_windows * tera_operations(build_network(checkpoint.model).eval(), checkpoint.model.roi_size_kji)
    one = tera_operations(original, ORIGINAL_SHAPE_KJI)
    rows = [
        ("this project", lambda: run_own(predictor, volume), prepared.spacing_kji_mm, own_windows, checkpoint.weights.values(), own),
        ("(a) original: one window of the resized series", lambda: run_original(original, volume), (k, j, i), 1, original.parameters(), one),
        (
            "(b) original network over our working grid",
            lambda: run_original_on_working_grid(original, volume, checkpoint, overlap),
            prepared.spacing_kji_mm,
            slid_windows,
            original.parameters(),
            slid_windows * one,
        ),
    ]
    results = []
    for name, run, seen, windows, tensors, operations in rows:
        run()
        # Ours interpolates probabilities and decides on the series' grid; the others decide where the network ran.
        decided = volume.geometry.spacing_kji_mm if not results else seen
        results.append(Baseline(name, best_of(repeats, run), seen, decided, windows, sum(t.numel() for t in tensors) / 1e6, operations))
    return results


def measure_network(volume: Volume, checkpoint: Checkpoint, repeats: int) -> dict[str, float]:
    """Seconds of all windows through the network alone, without blending, in the precision the plan takes and in float32."""
    network = network_from(checkpoint)
    window = torch.rand(1, 1, *checkpoint.model.roi_size_kji)
    windows = window_count(prepare(volume, checkpoint.preprocessing).array.shape, checkpoint.model.roi_size_kji, InferenceConfig().overlap)
    seconds = {}
    for precision in ("fp32", "bf16") if cpu_has_bf16() else ("fp32",):
        with torch.inference_mode(), autocast("cpu", precision):
            network(window)
            seconds[precision] = windows * best_of(max(3, repeats), lambda: network(window))
    return seconds


def measure_write(volume: Volume, checkpoint: Checkpoint, folder: Path) -> float:
    """Seconds of writing labelmap and sidecar; the sidecar itself is written too early to tell."""
    result = segment(volume, Predictor(checkpoint, "cpu"))
    return best_of(3, lambda: write_outputs(result, OutputPaths(folder / "written.mha", folder / "written.json")))


def breakdown(run: ProcessRun, network_seconds: float, write_seconds: float) -> dict[str, float]:
    """The process's seconds by stage: the sidecar's network stage split into the network alone and the blending of its windows."""
    stages = dict(run.stages)
    # Measured apart: on a busy machine the network alone may come out slower than the stage that holds it.
    blend = max(0.0, stages["network"] - network_seconds)
    stages["network"] -= blend
    order = ["import", "read", "preprocess", "network", "blend", "resample", "number", "write"]
    stages |= {"blend": blend, "write": write_seconds}
    rest = run.seconds - sum(stages.values())
    # The interpreter, the command line and SimpleITK load before the clock of "import" starts; the rest is the way out.
    return {**{stage: stages[stage] for stage in order}, "start and exit": rest}


def print_process(best: ProcessRun, runs: list[ProcessRun], stages: dict[str, float]) -> None:
    kept = best.seconds <= PROMISED_SECONDS and best.peak_gib <= PROMISED_GIB
    print(f"\nWhole process, best of {len(runs)}: {best.seconds:.1f} s wall, {best.cpu_seconds:.1f} s processor, peak {best.peak_gib:.2f} GiB")
    print(f"Plan: {best.plan}; all runs: {', '.join(f'{run.seconds:.1f} s' for run in runs)}")
    print(f"Promise (at most {PROMISED_SECONDS:.0f} s and {PROMISED_GIB:.0f} GiB): {'kept' if kept else 'NOT KEPT'}")
    for stage, seconds in stages.items():
        print(f"  {stage:<16}{seconds:>8.2f} s{100 * seconds / best.seconds:>7.1f} %")


def print_baselines(baselines: list[Baseline]) -> None:
    own = baselines[0]
    print("\nFrom the array to classes on the series' grid, networks loaded and warm:")
    titles = f"{'network sees (k, j, i) mm':<27}{'classes decided at':<22}{'windows':>8}{'M param.':>9}{'TFLOP':>7}{'TFLOP/s':>9}"
    print(f"  {'':<48}{'seconds':>8}{'ratio':>7}   {titles}")
    for row in baselines:
        seen, decided = (" x ".join(f"{value:.2f}" for value in spacing) for spacing in (row.network_spacing_kji_mm, row.output_spacing_kji_mm))
        times = f"{row.seconds:>8.2f}{row.seconds / own.seconds:>7.2f}"
        work = f"{row.windows:>8}{row.parameters_million:>9.1f}{row.tera_operations:>7.3f}{row.tera_operations / row.seconds:>9.3f}"
        print(f"  {row.name:<48}{times}   {seen:<27}{decided:<22}{work}")


def print_peak(peak: Peak, own: Baseline, network: dict[str, float]) -> None:
    print(f"\nMatrix product of {MATRIX_SIZE} x {MATRIX_SIZE}: fp32 {peak.fp32:.3f}, bf16 {peak.bf16:.3f} TFLOP/s")
    for precision, seconds in network.items():
        reached, possible = own.tera_operations / seconds, asdict(peak)[precision]
        print(f"Network alone, {own.windows} windows, {own.tera_operations:.3f} TFLOP in {precision}: {seconds:.2f} s, {reached:.3f} TFLOP/s, "
              f"{100 * reached / possible:.0f} % of the product's")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--weights", help="as in `spiderseg predict`")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--skip-baselines", action="store_true", help="the whole process only")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{platform.machine()}, {os.cpu_count()} processors, {arguments.threads} threads, load {os.getloadavg()[0]:.1f}, torch {torch.__version__}")
    volume, checkpoint = make_phantom(PhantomConfig(), default_geometry(SIZE_IJK, SPACING_IJK_MM)).volume, load_weights(arguments.weights)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_volume(folder / "phantom_t2.mha", volume)
        runs = [measure_process(folder / "phantom_t2.mha", folder, arguments.threads, arguments.weights) for _ in range(arguments.repeats)]
        write_seconds = measure_write(volume, checkpoint, folder)
    best = min(runs, key=lambda run: run.seconds)
    network = measure_network(volume, checkpoint, arguments.repeats)
    stages = breakdown(best, network["bf16" if cpu_has_bf16() else "fp32"], write_seconds)
    print_process(best, runs, stages)
    figures: dict[str, Any] = {"threads": arguments.threads, "process": [asdict(run) for run in runs], "stages": stages, "network_seconds": network}
    if not arguments.skip_baselines:
        baselines, peak = measure_baselines(volume, checkpoint, arguments.repeats), measure_peak(arguments.repeats)
        print_baselines(baselines)
        print_peak(peak, baselines[0], network)
        figures |= {"baselines": [asdict(row) for row in baselines], "peak_tera_operations": asdict(peak)}
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
