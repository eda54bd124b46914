"""Kills a project's operations before, in the middle of and after each thing they do to the disk, and looks at what is left.

Run as a program (`python fault_injection.py SCENARIO FOLDER`): the children it forks must not inherit the threads of a test session, and it
prints one JSON object. Each kill happens in a child of its own, on a copy of the same project.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from small_cases import TWO_LEVELS, add_case
from small_project import MODEL, StepClock, TrainedOnNobody, add_small_model, labelmap, make_project, painted, save_mask, shown
from SpiderSegLib.annotation_project.decisions import Choice, read_decisions
from SpiderSegLib.annotation_project.models import champion, read_models
from SpiderSegLib.annotation_project.project import Project, create_project, open_project
from SpiderSegLib.annotation_project.rebuilding import rebuild
from SpiderSegLib.annotation_project.validation_patients import freeze
from SpiderSegLib.annotation_project.verification import verify
from SpiderSegLib.atomic import FileWriter
from SpiderSegLib.corrections import Correction, Disk, Status, UnsavedEdit, keep_edit, kept_edit, read_history, read_mask, save, series_names
from SpiderSegLib.errors import OutputError, SpiderSegError
from SpiderSegLib.retraining.decision import Decision, DecisionKind
from SpiderSegLib.retraining.project_round import promote, record_outcome
from SpiderSegLib.retraining.request import RetrainRequest

KILLED = 9

#: Moments of one operation.
BEFORE, MIDDLE, AFTER = "before", "middle", "after"


class FaultyDisk(Disk):
    """Counts the operations; at one of them the process dies, or the disk is full."""

    def __init__(self, at: int = -1, moment: str = AFTER, is_full: bool = False) -> None:
        self.count, self.operations = 0, []
        self._at, self._moment, self._is_full = at, moment, is_full

    def write(self, path: Path, writer: FileWriter) -> None:
        self._do("write", path, lambda: super(FaultyDisk, self).write(path, writer))

    def flush(self, path: Path) -> None:
        self._do("flush", path, lambda: super(FaultyDisk, self).flush(path))

    def rename(self, source: Path, target: Path) -> None:
        self._do("rename", target, lambda: super(FaultyDisk, self).rename(source, target))

    def link(self, source: Path, target: Path) -> None:
        self._do("link", target, lambda: super(FaultyDisk, self).link(source, target))

    def append(self, path: Path, data: bytes) -> None:
        self._do("append", path, lambda: super(FaultyDisk, self).append(path, data))

    def unlink(self, path: Path) -> None:
        self._do("unlink", path, lambda: super(FaultyDisk, self).unlink(path))

    def make_folder(self, folder: Path) -> None:
        self._do("make_folder", folder, lambda: super(FaultyDisk, self).make_folder(folder))

    def flush_folder(self, folder: Path) -> None:
        self._do("flush_folder", folder, lambda: super(FaultyDisk, self).flush_folder(folder))

    def _do(self, name: str, path: Path, operation: Callable[[], None]) -> None:
        number, self.count = self.count, self.count + 1
        self.operations.append(name)
        if number != self._at:
            operation()
            return
        if self._is_full:
            if name in ("write", "append", "make_folder", "link"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            operation()
            return
        if self._moment == BEFORE:
            os._exit(KILLED)
        size = path.stat().st_size if path.is_file() else 0
        operation()
        if self._moment == MIDDLE and name in ("write", "append"):
            os.truncate(path, size + (path.stat().st_size - size) // 2)
        os._exit(KILLED)


@dataclass(frozen=True)
class Scenario:
    """An operation on a project: `prepare` makes what it starts from, `act` does it (again after a kill), `is_done` says whether it is."""

    prepare: Callable[[Project, Path], None]
    act: Callable[[Project, Path], None]
    is_done: Callable[[Project, Path], bool]


def _nothing(project: Project, beside: Path) -> None:
    pass


def _prepared(project: Project, beside: Path) -> None:
    save_mask(project, "p1_t2", shown=shown(1, 2, 201))


def _save(project: Project, beside: Path) -> None:
    parent = read_history(project.folder, "p1_t2").newest
    save_mask(project, "p1_t2", labelmap=painted(labelmap(*TWO_LEVELS), 3), parent=parent.id if parent else "", shown=shown(*TWO_LEVELS))


def _is_saved(project: Project, beside: Path) -> bool:
    newest = read_history(project.folder, "p1_t2").newest
    return newest is not None and 3 in newest.values


def _first_save(project: Project, beside: Path) -> None:
    save_mask(project, "p2_t2", labelmap=painted(labelmap(*TWO_LEVELS), 3), status=Status.DONE)


def _is_first_saved(project: Project, beside: Path) -> bool:
    return bool(read_history(project.folder, "p2_t2").revisions)


def _autosave(project: Project, beside: Path) -> None:
    keep_edit(project.folder, UnsavedEdit("p1_t2", "Ada", labelmap(1, 2, 203)), StepClock())


def _older_autosave(project: Project, beside: Path) -> None:
    keep_edit(project.folder, UnsavedEdit("p1_t2", "Ada", labelmap(1)), StepClock())


def _is_autosaved(project: Project, beside: Path) -> bool:
    # At every moment there is an edit: the earlier one or the new one.
    edit = kept_edit(project.folder, "p1_t2", "Ada")
    assert edit is not None
    return bool((edit.labelmap.array == 203).any())


def _freezable(project: Project, beside: Path) -> None:
    save_mask(project, "p1_t2")


def _freeze(project: Project, beside: Path) -> None:
    freeze(project, ["p1"], "Eve")


def _is_frozen(project: Project, beside: Path) -> bool:
    return any(decision.choice is Choice.FREEZE for decision in read_decisions(project.folder))


def _with_challenger(project: Project, beside: Path) -> None:
    add_small_model(project, MODEL, model_id="gen-001")


def _promote(project: Project, beside: Path) -> None:
    promote(project, "gen-001", "Eve")


def _is_promoted(project: Project, beside: Path) -> bool:
    present = champion(project).model_id
    assert present in (MODEL, "gen-001")
    return present == "gen-001"


def _trained(project: Project, beside: Path) -> None:
    weights = project.folder.model("gen-001") / "models"
    weights.mkdir(parents=True)
    (weights / "model.pt").write_bytes(b"trained")


def _record(project: Project, beside: Path) -> None:
    request = RetrainRequest(project.folder.model(MODEL), (), (), project.folder.model("gen-001"))
    decision = Decision(DecisionKind.PROMOTE, True, (), ("better",), 12, 12)
    record_outcome(project, request, TrainedOnNobody("gen-001", ("p2",)), decision, "Eve", StepClock())


def _is_recorded(project: Project, beside: Path) -> bool:
    choices = [decision.choice for decision in read_decisions(project.folder)]
    assert choices in ([], [Choice.RETRAIN], [Choice.RETRAIN, Choice.PROMOTE])
    return "gen-001" in read_models(project) and champion(project).model_id == "gen-001"


def _spider_folder(project: Project, beside: Path) -> None:
    for seed, series in enumerate(("7_t1", "7_t2"), 40):
        add_case(beside / "spider", series, seed)


def _import(project: Project, beside: Path) -> None:
    from SpiderSegLib.annotation_project.importing import ImportOptions, import_series

    import_series(project, beside / "spider", ImportOptions(annotator="experts"))


def _is_imported(project: Project, beside: Path) -> bool:
    names = set(series_names(project.folder))
    return {"7_t1", "7_t2"} <= names and all(read_history(project.folder, name).accepted for name in ("7_t1", "7_t2"))


def _rebuild(project: Project, beside: Path) -> None:
    rebuild(project)


SCENARIOS = {
    "save": Scenario(_prepared, _save, _is_saved),
    "first save": Scenario(_nothing, _first_save, _is_first_saved),
    "autosave": Scenario(_older_autosave, _autosave, _is_autosaved),
    "freeze": Scenario(_freezable, _freeze, _is_frozen),
    "promote": Scenario(_with_challenger, _promote, _is_promoted),
    "retrain": Scenario(_trained, _record, _is_recorded),
    "import": Scenario(_spider_folder, _import, _is_imported),
    "rebuild": Scenario(_prepared, _rebuild, lambda project, beside: True),
}


def inject(scenario: Scenario, folder: Path) -> dict[str, int]:
    """Kills the operation everywhere. Returns how many kills there were, and in how many the operation was done all the same.

    Raises AssertionError naming the place when anything but the operation itself was lost, or it can't be done again.
    """
    template = folder / "template"
    template.mkdir(parents=True)
    project = make_project(template / "project")
    add_small_model(project)
    save_mask(project, "p1_t1", annotator="Bob")
    scenario.prepare(project, template)
    rebuild(project)
    assert verify(project) == (), verify(project)
    operations = _operations(scenario, template, folder / "dry")
    counts = {"operations": len(operations), "kills": 0, "done": 0, "full disks": 0}
    for number, name in enumerate(operations):
        for moment in (BEFORE, MIDDLE, AFTER) if name in ("write", "append") else (BEFORE, AFTER):
            place = folder / f"{number}-{moment}"
            shutil.copytree(template, place)
            _kill(scenario, place, number, moment)
            counts["kills"] += 1
            counts["done"] += _check(scenario, place, template, f"killed {moment} operation {number} ({name})")
            shutil.rmtree(place)
        if name in ("write", "append", "make_folder", "link"):
            place = folder / f"{number}-full"
            shutil.copytree(template, place)
            _fill_disk(scenario, place, number)
            counts["full disks"] += 1
            _check(scenario, place, template, f"disk full at operation {number} ({name})")
            shutil.rmtree(place)
    return counts


def _operations(scenario: Scenario, template: Path, place: Path) -> list[str]:
    shutil.copytree(template, place)
    disk = FaultyDisk()
    scenario.act(open_project(place / "project", disk), place)
    project = open_project(place / "project")
    assert scenario.is_done(project, place), "the operation does nothing"
    return disk.operations


def _kill(scenario: Scenario, place: Path, number: int, moment: str) -> None:
    child = os.fork()
    if child == 0:
        try:
            scenario.act(open_project(place / "project", FaultyDisk(number, moment)), place)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == KILLED, f"operation {number} was not reached"


def _fill_disk(scenario: Scenario, place: Path, number: int) -> None:
    try:
        scenario.act(open_project(place / "project", FaultyDisk(number, is_full=True)), place)
    except SpiderSegError as error:
        if not isinstance(error, OutputError) or "No space left" not in str(error):
            raise AssertionError(f"a full disk was not called so: {error}") from error


def _check(scenario: Scenario, place: Path, template: Path, what: str) -> bool:
    """What was there is there, the project is whole after a rebuild, and the operation can be done (again). Returns whether it was done."""
    project, before = open_project(place / "project"), open_project(template / "project")
    _check_nothing_lost(project, before, what)
    lost = [problem for problem in verify(project) if problem.harm.value == "lost"]
    assert not lost, f"{what}: {lost}"
    rebuild(project)
    assert verify(project) == (), f"{what}: {verify(project)}"
    _check_nothing_lost(project, before, what)
    is_done = scenario.is_done(project, place)
    if not is_done:
        scenario.act(project, place)
        assert scenario.is_done(project, place), f"{what}: can't be done again"
        rebuild(project)
        assert verify(project) == (), f"{what}, done again: {verify(project)}"
    return is_done


def _check_nothing_lost(project: Project, before: Project, what: str) -> None:
    for series in series_names(before.folder):
        history = read_history(project.folder, series)
        for revision in read_history(before.folder, series).revisions:
            assert history.by_id.get(revision.id) == revision, f"{what}: revision {revision.id[:12]} of {series} is lost"
            read_mask(project.folder, revision)
    assert set(read_models(before)) <= set(read_models(project)), f"{what}: a model is lost"
    kept = [decision.id for decision in read_decisions(project.folder)]
    assert [decision.id for decision in read_decisions(before.folder)] == kept[: len(read_decisions(before.folder))], f"{what}: a decision is lost"


#: What several processes save into at once.
SHARED_SERIES = 50


def save_at_once(folder: Path, processes: int, saves: int) -> dict[str, int]:
    """Several processes save revisions of the same series at once, each going on from its own last one. Returns what is there after."""
    names = [f"p{number}_t2" for number in range(SHARED_SERIES)]
    project = make_project(folder / "project", names)
    children = []
    for number in range(processes):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                _save_many(open_project(project.root), names, f"annotator {number}", saves, number)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    stale = [problem for problem in verify(project) if problem.harm.value != "derived"]
    rebuild(project)
    histories = [read_history(project.folder, series) for series in names]
    return {
        "failed": sum(code != 0 for code in codes),
        "revisions": sum(len(history.revisions) for history in histories),
        "heads": sum(len(history.heads) for history in histories),
        "damaged": sum(len(history.damaged) for history in histories),
        "problems before the rebuild": len(stale),
        "problems": len(verify(project)),
    }


def _save_many(project: Project, names: list[str], annotator: str, saves: int, seed: int) -> None:
    newest = dict.fromkeys(names, "")
    for number in range(saves):
        series = names[number % len(names)]
        volume = painted(labelmap(*TWO_LEVELS), 1 + (seed + number) % 20, columns=1 + number % 7)
        newest[series] = save(project.folder, Correction(series, volume, annotator, parent=newest[series])).revision.id


def killed_init(folder: Path) -> int:
    """Kills the making of a project everywhere; each time it can be made after. Returns the number of kills."""
    disk = FaultyDisk()
    create_project(folder / "dry", disk=disk)
    for number in range(disk.count):
        place = folder / f"{number}"
        child = os.fork()
        if child == 0:
            try:
                create_project(place, disk=FaultyDisk(number, AFTER))
            finally:
                os._exit(1)
        os.waitpid(child, 0)
        try:
            open_project(place)
        except SpiderSegError:
            create_project(place)
    return disk.count


#: Ending of a scenario on a file system without hard links.
WITHOUT_LINKS = " without links"


def _no_links(*_: object) -> None:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def main(scenario: str, folder: str, saves: str = "500") -> None:
    assert "torch" not in sys.modules
    if scenario.endswith(WITHOUT_LINKS):
        os.link = _no_links
        scenario = scenario.removesuffix(WITHOUT_LINKS)
    if scenario == "at once":
        found: dict[str, int] = save_at_once(Path(folder), 4, int(saves))
    elif scenario == "init":
        found = {"kills": killed_init(Path(folder))}
    else:
        found = inject(SCENARIOS[scenario], Path(folder))
    sys.stdout.write(json.dumps(found) + "\n")
    assert "torch" not in sys.modules


if __name__ == "__main__":
    main(*sys.argv[1:])
