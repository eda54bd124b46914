"""Sliding window, device plans, mirroring, progress and cancel."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from SpiderSegLib import inference
from SpiderSegLib.errors import Cancelled, InputError
from SpiderSegLib.inference import DevicePlan, InferenceConfig, Predictor, plan_device, resolve_device, step_downs, window_count
from SpiderSegLib.network import Checkpoint, ModelConfig, Provenance, build_network
from SpiderSegLib.preprocessing import PreprocessingConfig

TINY = ModelConfig(roi_size_kji=(16, 32, 32), feature_size=4, hidden_size=32, mlp_dim=64, num_heads=4)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    torch.manual_seed(0)
    return Checkpoint(build_network(TINY).state_dict(), TINY, PreprocessingConfig(), Provenance("tiny"))


@pytest.fixture
def array() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(9, 50, 40)).astype(np.float32)


def test_probabilities_sum_to_one_on_the_input_s_shape(checkpoint, array):
    prediction = Predictor(checkpoint, "cpu").predict(array)
    assert prediction.probabilities.shape == (4, 9, 50, 40)
    np.testing.assert_allclose(prediction.probabilities.sum(axis=0), 1, atol=1e-5)
    assert prediction.disagreement is None


def test_one_window_gives_the_network_s_own_output(checkpoint):
    array = np.random.default_rng(1).normal(size=TINY.roi_size_kji).astype(np.float32)
    network = build_network(TINY)
    network.load_state_dict(checkpoint.weights)
    with torch.inference_mode():
        expected = torch.softmax(network.eval()(torch.from_numpy(array)[None, None])[0], 0).numpy()
    found = Predictor(checkpoint, "cpu").predict(array).probabilities
    np.testing.assert_allclose(found, expected, atol=0.02)  # bfloat16 where the processor has it


def test_mirroring_makes_the_result_symmetric(checkpoint, array):
    predictor = Predictor(checkpoint, "cpu", InferenceConfig(mirror=True))
    one, other = predictor.predict(array), predictor.predict(np.ascontiguousarray(array[::-1]))
    np.testing.assert_allclose(one.probabilities, other.probabilities[:, ::-1], atol=0.02)
    assert one.disagreement is not None
    assert one.disagreement.shape == array.shape
    assert 0 <= one.disagreement.min() <= one.disagreement.max() <= 1


@pytest.mark.parametrize("shape", [(1, 10, 10), (16, 32, 32), (17, 50, 33), (40, 64, 96)])
@pytest.mark.parametrize("mirror", [False, True])
def test_progress_ends_at_one_and_counts_every_window(checkpoint, shape, mirror):
    heard: list[float] = []
    Predictor(checkpoint, "cpu", InferenceConfig(mirror=mirror)).predict(np.zeros(shape, np.float32), heard.append)
    assert len(heard) == window_count(shape, TINY.roi_size_kji, 0.5) * (2 if mirror else 1)
    assert heard == sorted(heard)
    assert heard[-1] == 1.0


def test_cancel_stops_between_windows(checkpoint, array):
    heard: list[float] = []
    with pytest.raises(Cancelled):
        Predictor(checkpoint, "cpu").predict(array, heard.append, lambda: len(heard) == 2)
    assert len(heard) == 2


def test_unknown_and_absent_devices_are_refused_with_what_is_there():
    for request in ("gpu", "cuda:x", "mps"):
        with pytest.raises(InputError, match="expected the device"):
            resolve_device(request)
    with pytest.raises(InputError, match=r"CUDA device\(s\) found"):
        resolve_device("cuda:99")


def test_the_cpu_plan_estimates_more_memory_for_longer_series(checkpoint):
    small, large = (plan_device("cpu", checkpoint, shape) for shape in ((16, 64, 64), (100, 256, 256)))
    assert small.device == "cpu"
    assert small.estimated_bytes < large.estimated_bytes


def test_steps_down_go_from_many_windows_to_the_cpu(checkpoint):
    plans = list(step_downs(DevicePlan("cuda:0", "fp16", 8, "cuda:0", 0), checkpoint, (100, 256, 256)))
    assert [(plan.device, plan.sw_batch_size, plan.stitching_device) for plan in plans] == [
        ("cuda:0", 1, "cuda:0"),
        ("cuda:0", 1, "cpu"),
        ("cpu", 1, "cpu"),
    ]
    assert plans[0].estimated_bytes > plans[1].estimated_bytes
    assert list(step_downs(DevicePlan("cpu", "fp32", 1, "cpu", 0), checkpoint, (1, 1, 1))) == []


def test_running_out_of_memory_steps_down_and_says_so(checkpoint, array, monkeypatch, caplog):
    tight = DevicePlan("cpu", "fp32", 4, "cpu", 0)
    roomy = DevicePlan("cpu", "fp32", 1, "cpu", 0)
    monkeypatch.setattr(inference, "plan_device", lambda *_: tight)
    monkeypatch.setattr(inference, "step_downs", lambda *_: [roomy])
    predictor = Predictor(checkpoint, "cpu")
    forward = predictor._network.forward

    def forward_in_little_memory(windows: torch.Tensor) -> torch.Tensor:
        if len(windows) > 1:
            raise torch.OutOfMemoryError("no room")
        return forward(windows)

    predictor._network.forward = forward_in_little_memory
    with caplog.at_level(logging.WARNING):
        prediction = predictor.predict(array)
    assert prediction.plan == roomy
    assert "out of memory" in caplog.text


def test_too_little_memory_for_the_cpu_is_an_error_that_says_so(checkpoint, array):
    predictor = Predictor(checkpoint, "cpu")

    def forward(windows: torch.Tensor) -> torch.Tensor:
        return torch.empty(2**60)  # more than any machine has: torch's own allocator refuses it

    predictor._network.forward = forward
    with pytest.raises(InputError, match="not enough memory for a series of 9x50x40"):
        predictor.predict(array)


def test_an_overlap_of_one_is_refused():
    with pytest.raises(InputError, match="overlap"):
        InferenceConfig(overlap=1.0)


@pytest.mark.gpu
def test_gpu_and_cpu_agree(checkpoint, array):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    cpu, gpu = (Predictor(checkpoint, device).predict(array).probabilities for device in ("cpu", "cuda"))
    np.testing.assert_allclose(cpu, gpu, atol=0.03)
