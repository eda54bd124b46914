"""`spiderseg project`: the whole loop but retraining, from a terminal, with a very small network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from small_cases import add_case
from SpiderSegLib.annotation_project.models import champion, read_models
from SpiderSegLib.annotation_project.predictions import read_prediction, read_prediction_facts
from SpiderSegLib.annotation_project.project import open_project
from SpiderSegLib.cli.main import run
from SpiderSegLib.corrections import hold, read_history
from SpiderSegLib.errors import OutputError
from SpiderSegLib.io import read_labelmap, write_volume
from SpiderSegLib.phantom import default_geometry, make_phantom


@pytest.fixture(scope="module")
def spider(tmp_path_factory) -> Path:
    """Three series of two patients in SPIDER's layout; only the first has a mask."""
    root = tmp_path_factory.mktemp("commands") / "spider"
    phantom = make_phantom(geometry=default_geometry((56, 64, 5), (3.3, 3.2, 6.6)))
    for number, series in enumerate(("1_t1", "1_t2", "2_t2")):
        image = phantom.volume.with_array(phantom.volume.array.astype(np.int16) + number)
        for folder in ("images", "masks"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        write_volume(root / "images" / f"{series}.mha", image)
    write_volume(root / "masks" / "1_t1.mha", phantom.labelmap)
    return root


@pytest.fixture
def root(tmp_path, spider, tiny_weights) -> Path:
    path = tmp_path / "project"
    assert run(["project", "init", str(path), "--weights", str(tiny_weights)]) == 0
    assert run(["project", "import", str(path), str(spider), "--annotator", "experts", "--progress", "none"]) == 0
    return path


def said(capsys, *arguments: str) -> str:
    capsys.readouterr()
    assert run(["project", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def refused(capsys, *arguments: str) -> str:
    capsys.readouterr()
    assert run(["project", *map(str, arguments)]) == 1
    return capsys.readouterr().err


def newest(root: Path, series: str):
    return read_history(open_project(root).folder, series).newest


def test_a_new_project_has_the_weights_as_generation_0(root):
    project = open_project(root)
    assert champion(project).generation == 0
    assert list(read_models(project)) == ["tiny"]


def test_init_twice_is_refused_and_an_interrupted_one_is_completed(root, tiny_weights, capsys):
    assert "holds a project already" in refused(capsys, "init", root, "--weights", tiny_weights)
    (root / "models" / "tiny" / "model.json").unlink()
    assert run(["project", "init", str(root), "--weights", str(tiny_weights)]) == 0


def test_predict_segments_what_has_no_accepted_mask_once(root, capsys):
    assert run(["project", "predict", str(root), "--progress", "none", "--limit", "1"]) == 0
    assert run(["project", "predict", str(root), "--progress", "none"]) == 0
    folder = open_project(root).folder
    assert [series for series in ("1_t1", "1_t2", "2_t2") if read_prediction(folder, series) is not None] == ["1_t2", "2_t2"]
    facts = read_prediction_facts(folder, "2_t2")
    assert facts.model_id == "tiny"
    assert 0 <= facts.uncertainty["entropy"] <= 1
    assert read_prediction(folder, "2_t2").labelmap.shape == read_labelmap(folder.image("2_t2")).array.shape
    assert "nothing to segment" in said(capsys, "predict", root)


def test_predict_reports_progress_as_json_lines(root, capsys):
    lines = [json.loads(line) for line in said(capsys, "predict", root, "--progress", "json").splitlines()]
    fractions = [line["fraction"] for line in lines if line["stage"] != "import"]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert {line["message"] for line in lines} >= {"1_t2", "2_t2"}


def test_predict_refuses_weights_that_are_not_the_champion_s(root, capsys):
    folder = open_project(root).folder.model("tiny")
    (folder / "models" / "model.pt").write_bytes((folder / "models" / "model.pt").read_bytes() + b"x")
    assert "model.pt" in refused(capsys, "predict", root)


def test_a_damaged_image_does_not_stop_the_others(root, capsys):
    folder = open_project(root).folder
    folder.image("1_t2").write_bytes(b"damaged")
    assert "1_t2: not segmented" in refused(capsys, "predict", root, "--progress", "none")
    assert read_prediction(folder, "2_t2") is not None


def test_next_lists_what_waits_with_the_reason_and_skips_what_others_hold(root, capsys):
    run(["project", "predict", str(root), "--progress", "none"])
    assert {row["series"] for row in json.loads(said(capsys, "next", root, "--json"))["next"]} == {"1_t2", "2_t2"}
    hold(open_project(root).folder, "1_t2", "Bob")
    assert [row["series"] for row in json.loads(said(capsys, "next", root, "--annotator", "Ada", "--json"))["next"]] == ["2_t2"]
    assert "1_t2" in said(capsys, "next", root, "--annotator", "bob", "--strategy", "oldest")


def test_next_offers_first_what_the_annotator_began(root, capsys, tmp_path):
    for series in ("1_t2", "2_t2"):
        mask = mask_of(root, tmp_path, series)
        run(["project", "save", str(root), series, str(mask), "--annotator", {"1_t2": "Ada", "2_t2": "Bob"}[series], "--status", "in progress"])
    for annotator, first in (("Ada", "1_t2"), ("Bob", "2_t2")):
        assert json.loads(said(capsys, "next", root, "--annotator", annotator, "--json"))["next"][0]["series"] == first


def test_the_next_series_is_held_and_given_back(root, capsys):
    def first(annotator: str, *options: str) -> str:
        return json.loads(said(capsys, "next", root, "--annotator", annotator, "--json", *options))["next"][0]["series"]

    held = first("Ada", "--hold")
    assert first("Bob") != held
    assert "held by Ada" in refused(capsys, "release", root, held, "--annotator", "Bob")
    said(capsys, "release", root, held, "--annotator", "Ada")
    assert first("Bob") == held
    assert run(["project", "next", str(root), "--hold"]) == 2


def test_next_refuses_an_unknown_strategy(root, capsys):
    assert run(["project", "next", str(root), "--strategy", "best"]) == 2
    assert "uncertain, random, linter, oldest" in capsys.readouterr().err


def mask_of(root: Path, tmp_path: Path, series: str, but: int = 0) -> Path:
    """The mask of 1_t1 for another series, one label left out."""
    labelmap = read_labelmap(open_project(root).folder.mask("1_t1"))
    array = np.where(labelmap.array == but, 0, labelmap.array).astype(np.uint8)
    path = tmp_path / f"{series}-{but}.mha"
    write_volume(path, labelmap.with_array(array))
    return path


def test_a_mask_saved_from_a_file_is_measured_against_the_prediction(root, tmp_path, capsys):
    run(["project", "predict", str(root), "--progress", "none"])
    text = said(capsys, "save", root, "2_t2", mask_of(root, tmp_path, "2_t2"), "--annotator", "Ada", "--minutes", "4", "--comment", "hard")
    assert "saved" in text
    assert "corrected" in text
    revision = newest(root, "2_t2")
    assert (revision.annotator, revision.minutes, revision.comment, revision.source_model) == ("Ada", 4, "hard", "tiny")
    assert open_project(root).folder.mask("2_t2").is_file()


def test_a_mask_from_a_file_is_never_manual(root, tmp_path, capsys):
    # Who knows what drew it: a prediction made elsewhere must not judge models without a second person.
    assert "imported" in said(capsys, "save", root, "2_t2", mask_of(root, tmp_path, "2_t2"), "--annotator", "Ada")


def test_a_conflict_is_shown_and_settled(root, tmp_path, capsys):
    first = mask_of(root, tmp_path, "2_t2")
    said(capsys, "save", root, "2_t2", first, "--annotator", "Ada")
    parent = newest(root, "2_t2").id
    said(capsys, "save", root, "2_t2", mask_of(root, tmp_path, "2_t2", but=3), "--annotator", "Ada", "--parent", parent)
    text = said(capsys, "save", root, "2_t2", mask_of(root, tmp_path, "2_t2", but=4), "--annotator", "Bob", "--parent", parent[:10])
    assert "conflict with" in text
    assert "1 conflict" in said(capsys, "status", root)
    assert "vertebra" in said(capsys, "agreement", root, "2_t2")
    bob = next(head for head in read_history(open_project(root).folder, "2_t2").heads if head.annotator == "Bob")
    said(capsys, "settle", root, "2_t2", bob.id[:12], "--annotator", "Eve")
    history = read_history(open_project(root).folder, "2_t2")
    assert not history.is_conflict
    assert 4 not in history.accepted.values
    assert 3 in history.accepted.values


def test_history_lists_the_revisions(root, tmp_path, capsys):
    said(capsys, "save", root, "2_t2", mask_of(root, tmp_path, "2_t2"), "--annotator", "Ada")
    said(capsys, "approve", root, "2_t2", "--annotator", "Bob")
    text = said(capsys, "history", root, "2_t2")
    assert [("Ada" in line, "Bob" in line) for line in text.splitlines()[1:]] == [(True, False), (False, True)]
    assert "accepted" in text.splitlines()[-1]


def test_an_annotator_can_not_approve_their_own_mask(root, tmp_path, capsys):
    said(capsys, "save", root, "2_t2", mask_of(root, tmp_path, "2_t2"), "--annotator", "Ada")
    assert "another person has to approve" in refused(capsys, "approve", root, "2_t2", "--annotator", "Ada")


def test_flagging_keeps_the_reason_and_takes_the_mask_out(root, tmp_path, capsys):
    said(capsys, "save", root, "2_t2", mask_of(root, tmp_path, "2_t2"), "--annotator", "Ada")
    said(capsys, "flag", root, "2_t2", "--annotator", "Ada", "--reason", "motion")
    assert newest(root, "2_t2").reason == "motion"
    assert not open_project(root).folder.mask("2_t2").exists()


def test_a_series_without_a_mask_can_be_flagged(root, capsys):
    said(capsys, "flag", root, "2_t2", "--annotator", "Ada", "--reason", "motion")
    assert "2_t2" not in said(capsys, "next", root)
    assert (newest(root, "2_t2").reason, newest(root, "2_t2").values) == ("motion", ())


def test_settling_for_a_mask_of_one_s_own_approves_nothing(root, tmp_path, capsys):
    said(capsys, "save", root, "2_t2", mask_of(root, tmp_path, "2_t2"), "--annotator", "Ada")
    ada = newest(root, "2_t2").id
    said(capsys, "approve", root, "2_t2", "--annotator", "Bob")
    approved = newest(root, "2_t2").id
    said(capsys, "save", root, "2_t2", mask_of(root, tmp_path, "2_t2", but=3), "--annotator", "Cyd", "--parent", ada)
    assert "saved" in said(capsys, "settle", root, "2_t2", approved, "--annotator", "Ada")
    assert newest(root, "2_t2").status.value == "done"


def test_a_full_disk_ends_predicting(root, capsys, monkeypatch):
    def full(*_):
        raise OutputError("predictions: can't write: No space left on device")

    monkeypatch.setattr("SpiderSegLib.active_learning.pre_segmenting.write_prediction", full)
    text = refused(capsys, "predict", root, "--progress", "none")
    assert "No space left" in text
    assert "2_t2: not segmented" not in text


def test_freezing_tells_who_may_and_then_does_it(root, tmp_path, capsys):
    said(capsys, "save", root, "2_t2", mask_of(root, tmp_path, "2_t2"), "--annotator", "Ada")
    said(capsys, "approve", root, "2_t2", "--annotator", "Bob")
    text = said(capsys, "freeze", root)
    assert "no second person has approved" in text.splitlines()[1]
    assert "may be frozen" in text.splitlines()[2]
    assert "1: its masks began from a prediction or came from outside" in refused(capsys, "freeze", root, "1", "--person", "Eve")
    assert "frozen for validation" in said(capsys, "freeze", root, "2", "--person", "Eve")
    assert "1 patient frozen" in said(capsys, "status", root)


def test_deciding_wants_a_person(root, capsys):
    assert run(["project", "freeze", str(root), "2"]) == 2
    assert run(["project", "rollback", str(root)]) == 2


def test_status_as_json_has_every_series(root, capsys):
    content = json.loads(said(capsys, "status", root, "--json", "--series"))
    assert content["states"]["done"] == 1
    assert [one["series"] for one in content["per_series"]] == ["1_t1", "1_t2", "2_t2"]


def test_grades_are_set_shown_and_refused(root, capsys):
    assert "4  IV" in said(capsys, "grade", root, "1", "2", "--annotator", "Ada", "--set", "pfirrmann=4", "--set", "modic=1")
    text = said(capsys, "grade", root, "1", "2", "--annotator", "Bob", "--set", "modic=")
    assert "not graded" in text.splitlines()[1]
    assert "4  IV" in text
    assert run(["project", "grade", str(root), "1", "2", "--annotator", "Ada", "--set", "pfirrmann=9"]) == 2
    assert run(["project", "grade", str(root), "77", "2", "--annotator", "Ada"]) == 1


def test_a_whole_project_verifies_and_a_damaged_one_says_what(root, capsys):
    assert "everything is whole" in said(capsys, "verify", root)
    open_project(root).folder.image("1_t2").unlink()
    assert run(["project", "verify", str(root)]) == 1
    assert "lost: " in capsys.readouterr().out
    assert "rebuilt" in said(capsys, "rebuild", root)


def test_an_export_has_the_exact_masks(root, tmp_path, capsys, spider):
    said(capsys, "export", root, "-o", tmp_path / "out", "--accepted-only")
    assert np.array_equal(read_labelmap(tmp_path / "out" / "masks" / "1_t1.mha").array, read_labelmap(spider / "masks" / "1_t1.mha").array)


def test_a_folder_that_is_no_project_says_how_to_make_one(tmp_path, capsys):
    for command in ("status", "next", "verify", "rebuild", "predict", "models"):
        assert "spiderseg project init makes one" in refused(capsys, command, tmp_path)


def test_the_same_image_is_not_imported_twice(root, tmp_path, capsys):
    add_case(tmp_path / "more", "3_t2", 5)
    said(capsys, "import", root, tmp_path / "more", "--progress", "none")
    assert run(["project", "import", str(root), str(tmp_path / "more"), "--progress", "none"]) == 0
    assert json.loads(said(capsys, "status", root, "--json"))["series"] == 4
