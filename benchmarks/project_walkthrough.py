"""The whole annotation loop on real series, from an empty folder to a better model, through the command line alone.

    python benchmarks/project_walkthrough.py DATA --weights FIRST.pt --out DIR [--steps 300]

DATA is a folder with spider/space_slabs; FIRST.pt the weights to begin with: a model trained for a short time on few of its patients, as
annotation_loop.py makes them (weights that saw all patients leave nobody to validate). Simulated annotators take over the
reference; the commands and what they answer are printed. Retraining is killed in the middle once and goes on. Twelve patients validate, so
that the rule decides; until it promotes a challenger, more series are corrected and another round is run. After three rounds a person
promotes the last one.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from SpiderSegLib.annotation_project.project import open_project
from SpiderSegLib.annotation_project.validation_patients import eligible_patients
from SpiderSegLib.corrections import read_history
from SpiderSegLib.instances import number_instances
from SpiderSegLib.io import read_labelmap, read_volume, write_volume
from SpiderSegLib.phantom import PhantomConfig, make_phantom
from SpiderSegLib.series_names import natural_key
from SpiderSegLib.volume import Volume

SLABS = Path("spider", "space_slabs")

#: So many patients are annotated and approved before there is a prediction, and frozen; so many series are corrected before each round.
VALIDATION, CORRECTED = 12, 6

#: After so many rounds the rule may have kept the champion each time.
MOST_ROUNDS = 3


class Session:
    """A project and the person at the terminal."""

    def __init__(self, root: Path, out: Path) -> None:
        self.root, self.out = root, out

    def do(self, command: str, *arguments: object, expect: int = 0) -> str:
        """Runs `spiderseg project COMMAND PROJECT ..`, prints it with its answer, and returns that."""
        words = ["spiderseg", "project", command, str(self.root), *map(str, arguments)]
        self.say(f"\n$ {shlex.join(words)}")
        done = subprocess.run([sys.executable, "-m", "SpiderSegLib", *words[1:]], capture_output=True, text=True)
        answer = done.stdout.rstrip()
        problems = [line for line in done.stderr.splitlines() if line and "%|" not in line]
        self.say("\n".join([answer, *problems[-6:]]).strip())
        if done.returncode != expect:
            raise SystemExit(f"exit code {done.returncode}, expected {expect}")
        return answer

    def say(self, text: str) -> None:
        print(text.replace(str(self.out), "OUT"), flush=True)


def references(data: Path, out: Path) -> dict[str, Path]:
    """Images of all slabs and a phantom in one folder, and their references in SPIDER values by series."""
    found = {}
    (out / "images").mkdir(parents=True)
    (out / "references").mkdir()
    for path in sorted((data / SLABS / "images").iterdir(), key=lambda path: natural_key(path.name)):
        series = path.name.removesuffix(".mha")
        classes = read_labelmap(data / SLABS / "classes" / path.name)
        numbered = number_instances(classes.array.astype(np.uint8), classes.geometry)
        found[series] = _put(out, series, read_volume(path), classes.with_array(numbered.labelmap))
    phantom = make_phantom(PhantomConfig())
    found["phantom_t2"] = _put(out, "phantom_t2", phantom.volume, phantom.labelmap)
    return found


def _put(out: Path, series: str, image: Volume, labelmap: Volume) -> Path:
    write_volume(out / "images" / f"{series}.mha", image)
    path = out / "references" / f"{series}.mha"
    write_volume(path, labelmap)
    return path


def spoiled(path: Path, folder: Path) -> Path:
    """The mask as a second annotator left it: its highest vertebra is missing."""
    labelmap = read_labelmap(path)
    highest = max(int(value) for value in np.unique(labelmap.array) if 0 < value < 100)
    target = folder / f"{path.stem}-second.mha"
    write_volume(target, labelmap.with_array(np.where(labelmap.array == highest, 0, labelmap.array).astype(np.uint8)))
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).resolve().parents[1] / "SpiderSeg"), os.environ.get("PYTHONPATH")]))
    masks = references(options.data, options.out)
    session = Session(options.out / "project", options.out)
    session.do("init", "--name", "Walkthrough", "--weights", options.weights)
    session.do("import", options.out / "images", "--progress", "none")

    session.say("\n# Validation patients: drawn by one person, approved by another.")
    trained = {
        patient
        for model in (options.out / "project" / "models").glob("*/model.json")
        for patient in json.loads(model.read_text())["training_patients"]
    }
    by_hand = [series for series in masks if series.split("_")[0] not in trained and series != "phantom_t2"][:VALIDATION]
    for series in by_hand:
        session.do("save", series, masks[series], "--annotator", "Ada", "--minutes", "25")
        session.do("approve", series, "--annotator", "Carol")
    session.do("freeze")
    session.do("freeze", *eligible_patients(open_project(session.root)), "--person", "Eve")

    session.say("\n# The model segments the rest; the least certain come first.")
    session.do("predict", "--progress", "none", "--mirror")
    session.do("next", "--annotator", "Bob", "--number", "5")
    series = correct(session, masks)
    session.do("history", series)
    disagree(session, series, masks[series])
    session.do("status")

    session.say("\n# Retraining is killed in the middle, and goes on.")
    kill_retraining(session, options.steps)
    session.do("rebuild")
    session.do("verify")
    for number in range(MOST_ROUNDS):
        if number:
            session.say("\n# The champion stays; more series are corrected.")
            correct(session, masks)
        answer = session.do("retrain", "--person", "Eve", "--steps", options.steps, "--progress", "none")
        session.do("models")
        if "is the champion now" in answer:
            break
    else:
        session.say("\n# The rule kept the champion each time. A person looks at the reports and decides otherwise.")
        newest = max((session.root / "models").glob("gen-*")).name
        session.do("promote", newest, "--person", "Eve", "--comment", "better in every mean; its levels are checked by hand")
        session.do("models")
    session.do("predict", "--progress", "none")
    session.do("export", "-o", options.out / "export", "--accepted-only", "--images", "none")
    session.do("status")
    session.do("verify")


def correct(session: Session, masks: dict[str, Path]) -> str:
    """Corrects the next series of the work list; returns the last one."""
    for _ in range(CORRECTED):
        answer = json.loads(session.do("next", "--annotator", "Bob", "--number", "1", "--hold", "--json"))
        series = answer["next"][0]["series"]
        session.do("save", series, masks[series], "--annotator", "Bob", "--minutes", "6")
    return series


def disagree(session: Session, series: str, mask: Path) -> None:
    """Two people go on from the same mask, and a third settles it."""
    session.say("\n# Two people go on from the same mask.")
    folder = open_project(session.root).folder
    parent = read_history(folder, series).newest.id
    session.do("save", series, spoiled(mask, session.out), "--annotator", "Carol", "--parent", parent)
    session.do("save", series, mask, "--annotator", "Bob", "--parent", parent, "--comment", "looked again")
    session.do("agreement", series, "--picture", session.out / "agreement.png")
    head = next(head for head in read_history(folder, series).heads if head.annotator == "Bob")
    session.do("settle", series, head.id[:12], "--annotator", "Eve")


def kill_retraining(session: Session, steps: int) -> None:
    """Begins a round and kills it some seconds after its training state was first saved."""
    command = [sys.executable, "-m", "SpiderSegLib", "project", "retrain", str(session.root), "--person", "Eve", "--steps", str(steps)]
    running = subprocess.Popen([*command, "--progress", "none"], stderr=subprocess.DEVNULL, start_new_session=True)
    while not list(session.root.glob("models/*/training/last.pt")) and running.poll() is None:
        time.sleep(1)
    time.sleep(5)
    os.killpg(running.pid, signal.SIGKILL)
    session.say(f"killed (exit code {running.wait()})")


if __name__ == "__main__":
    main()
