"""How fast an annotation project answers with many series: `python benchmarks/project_scale.py [--series 100 1000 10000]`.

Makes projects of synthetic series (records and a small mask each; nine tenths have a prediction, half a revision) and times status, next and
save in a process that has just started, with the index kept (as every day) and without it (as after a rebuild). Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "SpiderSeg"))

from SpiderSegLib.active_learning.scoring import Strategy  # noqa: E402
from SpiderSegLib.active_learning.work_list import work_list  # noqa: E402
from SpiderSegLib.annotation_project.index import ProjectIndex  # noqa: E402
from SpiderSegLib.annotation_project.models import add_model  # noqa: E402
from SpiderSegLib.annotation_project.predictions import PredictionFacts, write_prediction  # noqa: E402
from SpiderSegLib.annotation_project.project import Project, create_project, open_project  # noqa: E402
from SpiderSegLib.annotation_project.status import project_status  # noqa: E402
from SpiderSegLib.corrections import Correction, Disk, SeriesRecord, Status, read_history, save, write_series_record  # noqa: E402
from SpiderSegLib.corrections.saving import encoded_mask  # noqa: E402
from SpiderSegLib.volume import Geometry, Volume  # noqa: E402

SAGITTAL = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)

#: The series whose save is timed has the size of a real one.
REAL = Geometry((512, 512, 20), (0.6, 0.6, 4.0), (0.0, 0.0, 0.0), SAGITTAL)
SMALL = Geometry((16, 16, 3), (1.0, 1.0, 4.0), (0.0, 0.0, 0.0), SAGITTAL)

SERIES_OF_PATIENT = 2


class QuickDisk(Disk):
    """Flushes nothing: what is made here is thrown away."""

    def flush(self, path: Path) -> None:
        pass

    def flush_folder(self, folder: Path) -> None:
        pass


class _Provenance:
    model_id = "synthetic"
    training_patients: tuple[str, ...] = ()
    training_image_sha256: dict[str, str] = {}  # noqa: RUF012


def labels(geometry: Geometry, shift: int = 0) -> Volume:
    """A column of seven vertebrae and discs, and a canal."""
    array = np.zeros(geometry.shape_kji, np.uint8)
    rows = geometry.size_ijk[1] // 16
    for level in range(1, 8):
        low = (8 - level) * 2 * rows + shift
        array[:, low : low + rows, 2:8] = level
        array[:, low + rows : low + 2 * rows, 2:8] = 200 + level
    array[:, :, 10:12] = 100
    return Volume(array, geometry)


def make(root: Path, count: int) -> Project:
    """A project of so many series."""
    project = create_project(root, disk=QuickDisk())
    bundle = project.folder.model("synthetic")
    (bundle / "models").mkdir(parents=True)
    (bundle / "models" / "model.pt").write_bytes(b"weights")
    add_model(project, bundle, _Provenance())
    chance = random.Random(0)
    small = labels(SMALL)
    image = encoded_mask(small)
    for number in range(count):
        series = f"p{number // SERIES_OF_PATIENT:05d}_{('t1', 't2')[number % SERIES_OF_PATIENT]}"
        geometry = REAL if number == 1 else SMALL
        project.folder.image(series).write_bytes(image)
        write_series_record(
            project.folder, SeriesRecord(series, series.split("_")[0], geometry, "0" * 64, "0" * 64, f"{number:064x}", {}), "benchmark"
        )
        if number % 10:
            write_prediction(project.folder, series, small, _facts(chance), {"level_state": {"state": "assumed"}})
        if number % 2 and number > 1:
            save(project.folder, Correction(series, small, f"annotator {number % 5}", minutes=5.0))
    return project


def _facts(chance: random.Random) -> PredictionFacts:
    values = [value for level in range(1, 8) for value in (level, 200 + level)]
    value = chance.choice(values)
    place = {"value": value, "at": value, "entropy": round(chance.random(), 4)}
    uncertainty = {"entropy": round(chance.random(), 4), "disagreement": None, "places": [place]}
    return PredictionFacts("synthetic", uncertainty=uncertainty, findings={"warning": chance.randrange(3)}, worst_finding="island")


def timed(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def answer(root: Path, question: str) -> dict[str, float]:
    """One question to a project in this process: seconds, and the process's largest memory in MB."""
    project = open_project(root)
    if question == "status":
        seconds = timed(lambda: project_status(project, ProjectIndex(project).read()))
    elif question == "next":
        seconds = timed(lambda: work_list(project, ProjectIndex(project).read(), Strategy.UNCERTAIN, "Ada"))
    else:
        newest = read_history(project.folder, "p00000_t2").newest
        mask = labels(REAL, shift=len(read_history(project.folder, "p00000_t2").revisions) % 4 + 1)
        written = timed(lambda: encoded_mask(mask))
        correction = Correction("p00000_t2", mask, "Ada", Status.DONE, newest.id if newest else "")
        seconds = timed(lambda: save(project.folder, correction)) - written
    return {"seconds": seconds, "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def ask(root: Path, question: str, repeats: int = 3) -> dict[str, float]:
    """The same in processes of their own, the best time and the largest memory of several."""
    found = []
    for _ in range(repeats):
        done = subprocess.run([sys.executable, __file__, "--answer", question, str(root)], capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
    return {"seconds": min(one["seconds"] for one in found), "memory_mb": max(one["memory_mb"] for one in found)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--answer", nargs=2, metavar=("QUESTION", "PROJECT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.answer:
        print(json.dumps(answer(Path(options.answer[1]), options.answer[0])))
        return
    print("| series | status | status, no index | next | save, beyond encoding the mask | largest memory |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for count in options.series:
            root = Path(scratch) / f"p{count}"
            make(root, count)
            cold = ask(root, "status", repeats=1)
            found = {question: ask(root, question) for question in ("status", "next", "save")}
            memory = max(one["memory_mb"] for one in (cold, *found.values()))
            times = [found["status"], cold, found["next"], found["save"]]
            cells = " | ".join(f"{one['seconds']:.2f} s" for one in times)
            print(f"| {count} | {cells} | {memory:.0f} MB |", flush=True)


if __name__ == "__main__":
    main()
