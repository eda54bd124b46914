"""The challenge containers' entry points, run as Grand Challenge would, without docker."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from SpiderSegLib.io import read_labelmap, read_volume, write_volume
from SpiderSegLib.labels import label_table
from SpiderSegLib.volume import Geometry, Volume

DOCKER = Path(__file__).parents[2] / "docker"
GEOMETRY = Geometry((4, 4, 2), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0))


def entry_point(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(Path(name).stem, DOCKER / name)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def process(root: Path, weights: Path) -> int:
    arguments = ["--input", root / "input", "--output", root / "output", "--weights", weights, "--device", "cpu"]
    return entry_point("algorithm/process.py").main([str(argument) for argument in arguments])


def put_series(volume: Volume, root: Path, *names: str) -> None:
    folder = root / "input" / "images" / "sagittal-spine-mri"
    folder.mkdir(parents=True)
    for name in names:
        write_volume(folder / name, volume)


def test_the_algorithm_writes_one_labelmap_of_the_input_s_name_and_grid(small_series, tiny_weights, tmp_path):
    put_series(small_series, tmp_path, "8f3c.mha")
    assert process(tmp_path, tiny_weights) == 0
    written = [path.relative_to(tmp_path / "output").as_posix() for path in (tmp_path / "output").rglob("*") if path.is_file()]
    assert written == ["images/sagittal-spine-mr-segmentation/8f3c.mha"]
    labelmap = read_labelmap(tmp_path / "output" / written[0])
    assert labelmap.geometry.is_same_grid(read_volume(tmp_path / "input" / "images" / "sagittal-spine-mri" / "8f3c.mha").geometry)
    assert labelmap.array.dtype == np.uint8
    assert set(np.unique(labelmap.array).tolist()) <= {0, *label_table()}


@pytest.mark.parametrize(("names", "found"), [((), "found none"), (("a.mha", "b.mha"), "found a.mha, b.mha")])
def test_the_algorithm_wants_exactly_one_series(small_series, tiny_weights, tmp_path, caplog, names, found):
    put_series(small_series, tmp_path, *names)
    assert process(tmp_path, tiny_weights) == 1
    assert f"expected exactly one .mha file, {found}" in caplog.text
    assert not (tmp_path / "output").exists()


def test_the_algorithm_names_a_damaged_series(tiny_weights, tmp_path, caplog):
    folder = tmp_path / "input" / "images" / "sagittal-spine-mri"
    folder.mkdir(parents=True)
    (folder / "a.mha").write_text("ObjectType = nonsense")
    assert process(tmp_path, tiny_weights) == 1
    assert "a.mha" in caplog.text


# ------------------------------------------------------------------------------------------------ evaluation


def labelmap(*rows: list[int]) -> Volume:
    """Four rows of four voxels, the same in both slices."""
    return Volume(np.array([rows, rows], np.uint8), GEOMETRY)


REFERENCE = labelmap([1, 1, 0, 100], [1, 1, 0, 100], [201, 201, 0, 100], [201, 201, 0, 100])
HALF = labelmap([1, 0, 0, 100], [1, 0, 0, 100], [201, 201, 0, 100], [201, 201, 0, 100])


def job(number: int, name: str) -> dict:
    return {"pk": f"job{number}", "inputs": [{"image": {"name": name}}], "outputs": [{"image": {"pk": f"image{number}"}}]}


def put_submission(root: Path, *predictions: Volume) -> list[dict]:
    jobs = []
    for number, prediction in enumerate(predictions):
        folder = root / "input" / f"job{number}" / "output" / "images" / "sagittal-spine-mr-segmentation"
        folder.mkdir(parents=True)
        write_volume(folder / f"image{number}.mha", prediction)
        (root / "references").mkdir(exist_ok=True)
        write_volume(root / "references" / f"case{number}.mha", REFERENCE)
        jobs.append(job(number, f"case{number}.mha"))
    (root / "output").mkdir()
    return jobs


def evaluate(root: Path, jobs: object) -> int:
    (root / "input" / "predictions.json").write_text(json.dumps(jobs))
    arguments = ["--input", root / "input", "--references", root / "references", "--output", root / "output"]
    return entry_point("evaluation/evaluate.py").main([str(argument) for argument in arguments])


def test_the_evaluation_writes_mean_and_deviation_of_the_official_scores(tmp_path):
    jobs = put_submission(tmp_path, REFERENCE, HALF)
    assert evaluate(tmp_path, jobs) == 0
    metrics = json.loads((tmp_path / "output" / "metrics.json").read_text())
    assert list(metrics) == [
        *("DiceScoreVertebrae", "DiceScoreDiscs", "DiceScoreSpinalCanal", "OveralDiceScore", "DetectionRateVertebrae"),
        *("DetectionRateDiscs", "ASDVertebrae", "ASDDiscs", "ASDSpinalCanal", "OveralASD"),
    ]
    # Half of the vertebra's 8 voxels found: Dice 2 x 4 / (8 + 4) = 2/3; with the perfect series mean 5/6, deviation (n - 1) 1/3 / sqrt 2.
    assert metrics["DiceScoreVertebrae"] == {"mean": pytest.approx(5 / 6), "std": pytest.approx(1 / 3 / 2**0.5)}
    assert metrics["DiceScoreDiscs"] == {"mean": 1.0, "std": 0.0}
    assert metrics["OveralDiceScore"]["mean"] == pytest.approx((1 + (2 / 3 + 1 + 1) / 3) / 2)


@pytest.mark.parametrize(
    ("jobs", "message"),
    [
        ([], "at least one job"),
        ({"pk": "x"}, "at least one job"),
        ([{"pk": "job0"}], "expected jobs with pk"),
        ([job(0, "case0.mha"), job(0, "case0.mha")], "found case0 again"),
        ([job(0, "other.mha")], "other.mha: expected its reference"),
        ([job(7, "case0.mha")], "case0.mha: expected its prediction"),
        ([job(0, "../../etc/passwd")], "leaves the folder"),
        ([{**job(0, "case0.mha"), "pk": "../.."}], "leaves the folder"),
        ([job(0, "case0.mha")], "found none for case1"),
    ],
)
def test_jobs_that_can_t_be_scored_stop_the_evaluation(tmp_path, caplog, jobs, message):
    put_submission(tmp_path, REFERENCE)
    if "case1" in message:
        write_volume(tmp_path / "references" / "case1.mha", REFERENCE)
    assert evaluate(tmp_path, jobs) == 1
    assert message in caplog.text
    assert not (tmp_path / "output" / "metrics.json").exists()


@pytest.mark.parametrize("container", ["algorithm", "evaluation"])
def test_what_a_dockerfile_copies_is_in_the_repository_and_in_the_context(container):
    text = (DOCKER / container / "Dockerfile").read_text()
    kept = {line[1:] for line in (DOCKER / container / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [source for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE) for source in line.split()[:-1]]
    assert copied
    for source in copied:
        if not source.endswith("ground-truth"):  # put there by whoever builds the evaluation
            assert (DOCKER.parent / source).exists(), source
        assert any(source == name or source.startswith(f"{name}/") for name in kept), source
