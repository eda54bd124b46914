"""Names, leases, the unsaved edit, the journal and the schemas of the store of corrections."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from small_cases import TWO_LEVELS
from small_project import StepClock, labelmap, make_project, save_mask
from SpiderSegLib.corrections import Disk, UnsavedEdit, drop_edit, hold, keep_edit, kept_edit, kept_series, leases, read_series_record, release
from SpiderSegLib.corrections.disk import is_abandoned, put_new, temporary_name
from SpiderSegLib.corrections.journal import noted_files
from SpiderSegLib.corrections.names import check_name, is_name, safe_name, same_person
from SpiderSegLib.corrections.schema import NewerSchema, migrated
from SpiderSegLib.errors import OutputError, ProjectError
from SpiderSegLib.io import write_volume
from SpiderSegLib.level_names import LevelNaming
from SpiderSegLib.series_names import patient_of, sequence_of

NINE = datetime(2026, 5, 4, 9, tzinfo=timezone.utc)


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "project")


def at(hours: float):
    return lambda: NINE + timedelta(hours=hours)


# Names

HOSTILE = [
    "../../etc/passwd",
    "..",
    "",
    "a/b_t2",
    "a\\b_t2",
    "C:\\secret",
    "con",
    "NUL.txt_t1",
    "lpt1",
    "name ends with dot.",
    "a" * 300,
    "a" * 300 + "_t2",
    "Jürgen_t2",
    "椎間板_t1",
    "x\0y",
    "line\nbreak",
    "-rf",
    ".hidden",
    "a:b",
    "‮gnp_t2",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_refused_and_becomes_a_safe_one(name):
    assert not is_name(name)
    with pytest.raises(ProjectError, match="expected a series name"):
        check_name(name)
    assert is_name(safe_name(name))
    assert safe_name(safe_name(name)) == safe_name(name)


def test_safe_names_of_different_texts_differ():
    names = [*HOSTILE, "a b_t2", "a-b_t2", "a_b_t2", "Jurgen_t2"]
    assert len({safe_name(name).casefold() for name in names}) == len(names)


@pytest.mark.parametrize("name", ["1_t2", "12_t2_SPACE", "sub-07_ses-1_T2w", "p.1_t1"])
def test_a_name_that_is_safe_stays(name):
    assert safe_name(name) == name


def test_a_safe_name_keeps_the_sequence_and_one_patient_stays_one():
    t1, t2 = safe_name("Jürgen Müller_t1"), safe_name("Jürgen Müller_t2_SPACE")
    assert (sequence_of(t1), sequence_of(t2)) == ("t1", "t2_SPACE")
    assert patient_of(t1).startswith("Jurgen-Muller")


@pytest.mark.parametrize(("one", "other", "is_same"), [("Ada", " ada ", True), ("Ada  Lovelace", "ada lovelace", True), ("Ada", "Eva", False)])
def test_names_of_people_are_compared_without_case_and_spaces(one, other, is_same):
    assert same_person(one, other) is is_same


def test_paths_of_a_series_stay_in_the_project(project):
    for path in (project.folder.image, project.folder.mask, project.folder.revisions_of, project.folder.lease, project.folder.model):
        with pytest.raises(ProjectError):
            path("../outside")


# Leases


def test_a_held_series_is_held_until_it_is_given_back(project):
    assert hold(project.folder, "p1_t2", "Ada", at(0)) is None
    assert hold(project.folder, "p1_t2", "Bob", at(1)).annotator == "Ada"
    release(project.folder, "p1_t2", "Bob")
    assert list(leases(project.folder, at(1))) == ["p1_t2"]
    release(project.folder, "p1_t2", "ada")
    assert leases(project.folder, at(1)) == {}
    assert hold(project.folder, "p1_t2", "Bob", at(1)) is None


def test_a_lease_expires_and_holding_again_prolongs_it(project):
    hold(project.folder, "p1_t2", "Ada", at(0))
    hold(project.folder, "p1_t2", "Ada", at(1.5))
    assert hold(project.folder, "p1_t2", "Bob", at(3)).annotator == "Ada"
    assert hold(project.folder, "p1_t2", "Bob", at(3.6)) is None
    assert leases(project.folder, at(3.7))["p1_t2"].annotator == "Bob"


def test_a_lease_from_a_clock_far_ahead_holds_nobody_up(project):
    hold(project.folder, "p1_t2", "Ada", at(24 * 365))
    assert hold(project.folder, "p1_t2", "Bob", at(0)) is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"schema": 1}', '{"schema": 1, "series": "p1_t2", "annotator": "A", "computer": "c", "until_utc": "soon"}']
)
def test_a_damaged_lease_holds_nobody(project, text):
    project.folder.leases.mkdir()
    project.folder.lease("p1_t2").write_text(text)
    assert hold(project.folder, "p1_t2", "Bob", at(0)) is None
    assert leases(project.folder, at(1))["p1_t2"].annotator == "Bob"


# The unsaved edit


def edit(values=TWO_LEVELS, **fields):
    return UnsavedEdit("p1_t2", "Ada", labelmap(*values), **fields)


def test_an_unsaved_edit_comes_back_whole(project):
    keep_edit(project.folder, edit(parent="abc", shown_model="m1", naming=LevelNaming(lumbar_count=6), minutes=3.25), StepClock())
    found = kept_edit(project.folder, "p1_t2", "Ada")
    assert np.array_equal(found.labelmap.array, labelmap(*TWO_LEVELS).array)
    assert (found.parent, found.shown_model, found.naming.lumbar_count, found.minutes) == ("abc", "m1", 6, 3.25)
    assert kept_series(project.folder, "ADA") == ["p1_t2"]


def test_a_later_edit_takes_the_place_of_the_earlier_one(project):
    keep_edit(project.folder, edit())
    keep_edit(project.folder, edit((1, 2)))
    assert np.array_equal(kept_edit(project.folder, "p1_t2", "Ada").labelmap.array, labelmap(1, 2).array)
    assert len(list(project.folder.autosave.rglob("*.mha"))) == 1


def test_an_edit_is_its_annotator_s_alone_and_goes_when_dropped(project):
    keep_edit(project.folder, edit())
    assert kept_edit(project.folder, "p1_t2", "Bob") is None
    assert kept_edit(project.folder, "p1_t1", "Ada") is None
    drop_edit(project.folder, "p1_t2", "Ada")
    assert kept_edit(project.folder, "p1_t2", "Ada") is None
    assert not list(project.folder.autosave.rglob("*.mha"))


def test_a_damaged_edit_is_named(project):
    keep_edit(project.folder, edit())
    (mask,) = project.folder.autosave.rglob("*.mha")
    mask.write_bytes(b"nothing")
    with pytest.raises(ProjectError, match="the unsaved edit can't be read"):
        kept_edit(project.folder, "p1_t2", "Ada")


def test_an_edit_whose_mask_is_another_one_is_named(project):
    keep_edit(project.folder, edit())
    (mask,) = project.folder.autosave.rglob("*.mha")
    write_volume(mask, labelmap(1))
    with pytest.raises(ProjectError, match="is not what was kept"):
        kept_edit(project.folder, "p1_t2", "Ada")


def test_an_edit_that_names_a_file_elsewhere_is_refused(project):
    keep_edit(project.folder, edit())
    (record,) = project.folder.autosave.rglob("*.json")
    record.write_text(json.dumps({**json.loads(record.read_text()), "mask": "../../images/p1_t2.mha"}))
    with pytest.raises(ProjectError, match="expected the name of a file beside it"):
        kept_edit(project.folder, "p1_t2", "Ada")


# Journal and temporary files


def test_what_is_saved_is_noted_and_a_torn_line_hides_nothing(project):
    save_mask(project)
    (record,) = project.folder.revisions_of("p1_t2").glob("*.json")
    for path in project.folder.journal.iterdir():
        path.write_text(path.read_text() + '{"file": "revisions/p1_')
    assert record in noted_files(project.folder)


def test_a_journal_never_leads_out_of_the_project(project):
    (project.folder.journal / "other.jsonl").write_text('{"file": "../../etc/passwd"}\n{"file": "/etc/passwd"}\n[1]\n')
    assert all(path.is_relative_to(project.root) and ".." not in path.parts for path in noted_files(project.folder))


def no_links(*_):
    raise OSError(1, "Operation not permitted")


def test_without_hard_links_a_new_file_is_whole_or_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr("os.link", no_links)
    path = tmp_path / "record.json"
    assert put_new(Disk(), path, lambda temporary: temporary.write_text("first"))
    assert not put_new(Disk(), path, lambda temporary: temporary.write_text("second"))
    assert [file.read_text() for file in tmp_path.iterdir()] == ["first"]
    # Nothing writes into a file that has its name already: a kill in the middle of that would leave half a record.
    monkeypatch.setattr("pathlib.Path.replace", no_links)
    with pytest.raises(OutputError):
        put_new(Disk(), tmp_path / "other.json", lambda temporary: temporary.write_text("third"))
    assert [file.name for file in tmp_path.iterdir()] == ["record.json"]


def test_a_link_that_a_share_made_and_denies_is_made(tmp_path, monkeypatch):
    import os

    link = os.link

    def retried(source, target):
        link(source, target)
        raise FileExistsError(17, "File exists")

    monkeypatch.setattr("os.link", retried)
    assert put_new(Disk(), tmp_path / "record.json", lambda temporary: temporary.write_text("first"))


def test_the_record_of_a_series_counts_under_its_own_name_alone(project):
    shutil.copy(project.folder.series_record("p1_t2"), project.folder.series_record("p9_t2"))
    with pytest.raises(ProjectError, match=r"expected the record of p9_t2, found that of p1_t2"):
        read_series_record(project.folder, "p9_t2")


def test_a_file_that_a_running_process_writes_is_not_abandoned(tmp_path):
    path = tmp_path / temporary_name(".json")
    path.write_text("")
    assert not is_abandoned(path)


def test_a_file_whose_process_is_gone_is_abandoned(tmp_path):
    import os
    import re

    path = tmp_path / re.sub(r"~\d+-\w+~", "~999999-1~", temporary_name(".json"))
    path.write_text("")
    assert is_abandoned(path)
    # One of another computer is given a day.
    other = path.rename(tmp_path / re.sub(r"-\w+~999999", "-elsewhere~999999", path.name))
    assert not is_abandoned(other)
    os.utime(other, (0, 0))
    assert is_abandoned(other)


# Schemas


def test_an_older_body_goes_through_every_migration(tmp_path):
    migrations = {("note", 1): lambda body: {**body, "text": body["words"]}, ("note", 2): lambda body: {**body, "loud": body["text"].upper()}}
    body = migrated("note", {"schema": 1, "words": "hi"}, tmp_path, {"note": 3}, migrations)
    assert body == {"schema": 3, "words": "hi", "text": "hi", "loud": "HI"}


def test_a_newer_body_says_what_to_do(tmp_path):
    with pytest.raises(NewerSchema, match=r"written by a newer SpiderSeg .* update SpiderSeg"):
        migrated("lease", {"schema": 2}, tmp_path)


@pytest.mark.parametrize("version", [None, 0, -1, "1", 1.5, True])
def test_a_version_nobody_wrote_is_refused(tmp_path, version):
    with pytest.raises(ProjectError, match="expected a schema version"):
        migrated("lease", {"schema": version}, tmp_path)
