"""Files and folders of tiny labelmaps through the whole evaluation."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from numpy.typing import NDArray

from evaluation_files import SPIDER_VALUES_BY_SLICE, slices, write
from SpiderSegLib.cli.evaluate import EvaluateOptions, evaluate
from SpiderSegLib.cli.main import run
from SpiderSegLib.errors import DatasetError, GeometryError, LabelError, OutputError
from SpiderSegLib.evaluation import (
    SCORE_NAMES,
    ReferenceKind,
    SeriesEvaluation,
    SeriesFiles,
    csv_text,
    detect_reference_kind,
    evaluate_files,
    evaluate_series,
    levels_csv_text,
    pair_files,
    series_name,
    summarize_scores,
    table_text,
    to_json_object,
)


def evaluate_pair(tmp_path: Path, prediction: NDArray[Any], reference: NDArray[Any], kind: ReferenceKind = ReferenceKind.AUTO) -> SeriesEvaluation:
    files = SeriesFiles("1_t2", write(tmp_path / "reference.mha", reference), write(tmp_path / "prediction.mha", prediction))
    return evaluate_series(files, kind)


def defined(series: SeriesEvaluation) -> dict[str, float]:
    return {name: value for name, value in series.scores.by_name().items() if value is not None}


# Pairing


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("1_t1.mha", "1_t1"),
        ("a.b.nii.gz", "a.b"),
        ("A.NII.GZ", "A"),
        ("x.nrrd", "x"),
        ("x.mhd", "x"),
        ("x.raw", None),
        ("x.json", None),
        (".mha", None),
    ],
)
def test_the_series_is_the_file_name_without_its_image_suffix(name: str, series: str | None) -> None:
    assert series_name(Path("folder") / name) == series


def test_folders_are_paired_by_series_whatever_the_format(tmp_path: Path) -> None:
    labelmap = slices(1)
    expected = SeriesFiles("1_t1", write(tmp_path / "reference/1_t1.mha", labelmap), write(tmp_path / "prediction/1_t1.nii.gz", labelmap))
    extra = write(tmp_path / "prediction/2_t1.mha", labelmap)
    for ignored in ("1_t1.json", "1_t1_overlay.png", "1_t1_probabilities.mha", ".1_t1.mha"):
        (tmp_path / "prediction" / ignored).touch()
    pairing = pair_files(tmp_path / "prediction", tmp_path / "reference")
    assert pairing.series == (expected,)
    assert pairing.unscored_predictions == (extra,)


def test_two_files_are_a_pair_whatever_their_names(tmp_path: Path) -> None:
    reference, prediction = write(tmp_path / "a.mha", slices(1)), write(tmp_path / "b.mha", slices(1))
    assert pair_files(prediction, reference).series == (SeriesFiles("a", reference, prediction),)


def test_a_file_finds_its_counterpart_in_a_folder(tmp_path: Path) -> None:
    prediction, reference = write(tmp_path / "p/1_t1.nii.gz", slices(1)), write(tmp_path / "r/1_t1.mha", slices(1))
    write(tmp_path / "r/2_t1.mha", slices(1))
    write(tmp_path / "p/3_t1.mha", slices(1))
    expected = (SeriesFiles("1_t1", reference, prediction),)
    assert pair_files(prediction, tmp_path / "r").series == expected
    assert pair_files(tmp_path / "p", reference).series == expected


def test_two_labelmaps_of_one_series_in_a_folder_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "r/1.mha", slices(1))
    write(tmp_path / "r/1.nrrd", slices(1))
    with pytest.raises(DatasetError, match=r"1\.mha and 1\.nrrd"):
        pair_files(tmp_path / "r", tmp_path / "r")


def test_paths_that_hold_nothing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    lonely = write(tmp_path / "p/9.mha", slices(1))
    write(tmp_path / "r/1.mha", slices(1))
    with pytest.raises(DatasetError, match="found none in this folder"):
        pair_files(lonely, tmp_path / "empty")
    with pytest.raises(DatasetError, match="nowhere"):
        pair_files(tmp_path / "nowhere", tmp_path / "r")
    with pytest.raises(DatasetError, match="a reference named 9"):
        pair_files(lonely, tmp_path / "r")


# What a reference holds


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ((0, 1, 2, 3), ReferenceKind.CLASSES),
        ((2,), ReferenceKind.CLASSES),
        ((0, 1, 2, 100, 201), ReferenceKind.SPIDER),
        ((1, 2, 3, 201), ReferenceKind.SPIDER),
        ((7, 108), ReferenceKind.SPIDER),
    ],
)
def test_the_kind_of_reference_is_told_by_its_values(values: tuple[int, ...], kind: ReferenceKind) -> None:
    assert detect_reference_kind(values) is kind


def test_a_reference_of_levels_alone_is_not_guessed() -> None:
    with pytest.raises(LabelError, match=r"r\.mha.*\[1, 2, 3, 4\].*State the reference kind"):
        detect_reference_kind((0, 1, 2, 3, 4), "r.mha")


@pytest.mark.parametrize("kind", list(ReferenceKind))
def test_an_empty_reference_is_refused(tmp_path: Path, kind: ReferenceKind) -> None:
    with pytest.raises(LabelError, match="background alone"):
        evaluate_pair(tmp_path, slices(1), slices(0), kind)


def test_a_spider_reference_gets_every_score_but_body_recall(tmp_path: Path) -> None:
    labelmap = slices(*SPIDER_VALUES_BY_SLICE)
    found = evaluate_pair(tmp_path, labelmap, labelmap)
    assert (found.reference_kind, found.is_kind_detected, found.warnings) == (ReferenceKind.SPIDER, True, ())
    assert set(defined(found)) == set(SCORE_NAMES) - {"body_recall"}
    for name, value in defined(found).items():
        assert value == (0.0 if "asd" in name.lower() or "hd95" in name else 1.0), name


def test_a_class_map_gets_structure_dice_alone_and_official_scores_are_refused(tmp_path: Path) -> None:
    found = evaluate_pair(tmp_path, slices(1, 2, 201, 100), slices(1, 1, 2, 3))
    assert found.reference_kind is ReferenceKind.CLASSES
    assert defined(found) == {f"structure_dice.{name}": 1.0 for name in ("vertebra", "disc", "canal", "mean")}
    assert found.scores.official is None
    assert "vertebrae" in found.scores.official_refused


def test_a_stated_kind_overrules_detection(tmp_path: Path) -> None:
    found = evaluate_pair(tmp_path, slices(1, 2, 3), slices(1, 2, 3), ReferenceKind.SPIDER)
    assert (found.reference_kind, found.is_kind_detected) == (ReferenceKind.SPIDER, False)
    assert found.scores.level_accuracy == 1.0


def test_vertebral_bodies_get_body_recall_and_level_accuracy_alone(tmp_path: Path) -> None:
    # The predicted vertebrae have posterior elements outside the bodies; body 2 carries label 2 in one of its two slices.
    found = evaluate_pair(tmp_path, slices(1, 1, 2, 0, 2, 201), slices(0, 1, 2, 2, 0, 0), ReferenceKind.BODIES)
    assert defined(found) == {"body_recall": 0.75, "level_accuracy": 1.0}
    assert found.scores.official_refused


@pytest.mark.parametrize("offset", [0, 200], ids=["1 = lowest", "201 = lowest"])
def test_discs_alone_get_disc_scores_and_level_accuracy(tmp_path: Path, offset: int) -> None:
    reference = slices(0, offset + 1, 0, offset + 2).astype(np.int16)
    found = evaluate_pair(tmp_path, slices(1, 201, 2, 203), reference, ReferenceKind.DISCS)
    assert defined(found) == {
        "structure_dice.disc": 1.0,
        "structure_dice.mean": 1.0,
        "instance_dice.disc": 1.0,
        "level_accuracy": 0.5,
        "asd_mm.disc": 0.0,
        "hd95_mm.disc": 0.0,
    }


@pytest.mark.parametrize(
    ("kind", "value"), [(ReferenceKind.CLASSES, 4), (ReferenceKind.BODIES, 26), (ReferenceKind.DISCS, 100), (ReferenceKind.SPIDER, 60)]
)
def test_a_reference_with_values_its_kind_lacks_is_refused(tmp_path: Path, kind: ReferenceKind, value: int) -> None:
    with pytest.raises(LabelError, match=rf"reference\.mha.*{value}"):
        evaluate_pair(tmp_path, slices(1, 1), slices(1, value), kind)


def test_a_reference_that_counts_24_downward_is_renumbered_with_a_warning(tmp_path: Path) -> None:
    found = evaluate_pair(tmp_path, slices(*SPIDER_VALUES_BY_SLICE), slices(24, 23, 224, 223, 100))
    assert found.scores.level_accuracy == 1.0
    assert found.scores.by_name()["official.DiceScoreVertebrae"] == 1.0
    assert "24 downward" in found.warnings[0]


def test_predictions_outside_the_spider_scheme_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"prediction\.mha.*\[50\]"):
        evaluate_pair(tmp_path, slices(50, 100), slices(1, 100))


# What a reader is told


def test_an_empty_prediction_scores_zero_and_says_so(tmp_path: Path) -> None:
    found = evaluate_pair(tmp_path, slices(0, 0, 0), slices(1, 201, 100))
    scores = defined(found)
    assert (scores["structure_dice.canal"], scores["instance_dice.vertebra"], scores["level_accuracy"]) == (0.0, 0.0, 0.0)
    assert "asd_mm.vertebra" not in scores
    assert found.warnings == ("prediction is empty",)


def test_a_prediction_that_looks_like_a_class_map_is_pointed_out(tmp_path: Path) -> None:
    assert "class map" in evaluate_pair(tmp_path, slices(1, 2, 3), slices(1, 2, 3)).warnings[0]


def test_the_official_999_of_an_absent_canal_is_pointed_out(tmp_path: Path) -> None:
    found = evaluate_pair(tmp_path, slices(1, 201), slices(1, 201))
    assert found.scores.by_name()["official.DiceScoreSpinalCanal"] == 999.0
    assert "999" in found.warnings[0]


def test_different_grids_are_refused_naming_both_files(tmp_path: Path) -> None:
    reference, prediction = write(tmp_path / "r.mha", slices(1, 100)), write(tmp_path / "p.mha", slices(1, 100), origin=(0.0, 0.0, 1.0))
    with pytest.raises(GeometryError, match=r"p\.mha.*r\.mha"):
        evaluate_series(SeriesFiles("r", reference, prediction))


# Folders


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Predictions and references: 1_t1 perfect, 1_t2 with vertebra 2 missed, 2_t2 not predicted, 3_t1 broken, 4_t1 without reference."""
    perfect = slices(*SPIDER_VALUES_BY_SLICE)
    for series in ("1_t1", "1_t2", "2_t2", "3_t1"):
        write(tmp_path / f"references/{series}.mha", perfect)
    write(tmp_path / "predictions/1_t1.mha", perfect)
    write(tmp_path / "predictions/1_t2.nrrd", slices(1, 0, 201, 202, 100))
    write(tmp_path / "predictions/3_t1.mha", slices(1))
    write(tmp_path / "predictions/4_t1.mha", perfect)
    return tmp_path / "predictions", tmp_path / "references"


def test_every_reference_is_scored_or_listed_as_failed(folders: tuple[Path, Path]) -> None:
    evaluation = evaluate_files(*folders)
    assert [series.series for series in evaluation.series] == ["1_t1", "1_t2"]
    assert [(failed.series, failed.sequence) for failed in evaluation.failed] == [("2_t2", "t2"), ("3_t1", "t1")]
    assert "found none" in evaluation.failed[0].reason
    assert "size 2 x 2 x 1" in evaluation.failed[1].reason
    assert [path.name for path in evaluation.unscored_predictions] == ["4_t1.mha"]


def test_scores_are_summarized_overall_and_by_sequence(folders: tuple[Path, Path]) -> None:
    summary = summarize_scores(evaluate_files(*folders))
    assert list(summary) == ["overall", "t1", "t2"]
    overall, t2 = summary["overall"]["instance_dice.vertebra"], summary["t2"]["instance_dice.vertebra"]
    assert (overall.mean, overall.std, overall.n) == (0.75, pytest.approx(0.5 / np.sqrt(2)), 2)
    assert (t2.mean, t2.std, t2.n) == (0.5, None, 1)


def test_an_official_nan_leaves_the_mean_over_series_as_in_the_challenge(folders: tuple[Path, Path]) -> None:
    asd = summarize_scores(evaluate_files(*folders))["overall"]["official.ASDVertebrae"]
    assert (asd.mean, asd.n) == (0.0, 1)


def test_json_holds_every_instance_and_no_nan(folders: tuple[Path, Path]) -> None:
    found = json.loads(json.dumps(to_json_object(evaluate_files(*folders)), allow_nan=False))
    second = found["series"][1]
    assert second["scores"]["official.ASDVertebrae"] is None
    missed = {"structure": "vertebra", "reference": 2, "prediction": None, "dice": 0.0, "asd_mm": None, "hd95_mm": None}
    assert missed in second["instances"]
    # Level accuracies 1 and 3/4 of one patient: no interval.
    accuracy = {"mean": 0.875, "std": pytest.approx(0.25 / np.sqrt(2)), "n": 2, "n_patients": 1, "interval": None}
    assert found["summary"]["overall"]["level_accuracy"] == accuracy
    assert (second["patient"], found["bootstrap"]["resamples"], found["bootstrap"]["seed"]) == ("1", 10_000, 0)
    assert [failed["series"] for failed in found["failed"]] == ["2_t2", "3_t1"]


def test_csv_has_a_row_for_every_reference(folders: tuple[Path, Path]) -> None:
    rows = list(csv.DictReader(csv_text(evaluate_files(*folders)).splitlines()))
    assert [(row["series"], row["status"]) for row in rows] == [("1_t1", "ok"), ("1_t2", "ok"), ("2_t2", "failed"), ("3_t1", "failed")]
    assert (rows[1]["official.ASDVertebrae"], rows[1]["body_recall"], rows[1]["level_accuracy"]) == ("nan", "", "0.75")
    assert list(rows[0])[5:] == list(SCORE_NAMES)


def test_the_table_shows_scores_means_and_failures(folders: tuple[Path, Path]) -> None:
    lines = table_text(evaluate_files(*folders)).splitlines()
    assert lines[2].split()[:9] == ["1_t2", "spider", "(detected)", "0.667", "1.000", "1.000", "0.500", "1.000", "0.750"]
    words = [line.split() for line in lines]
    assert ["level_accuracy", "0.875", "0.177", "-", "2", "1"] in words
    assert ["level_accuracy", "1.000", "(1)", "0.750", "(1)"] in words
    assert ["2", "(L4)", "2", "0.500", "0.000", "0.500", "0.500"] in words
    assert any("none with fewer than 3 patients" in line for line in lines)
    assert "Failed: 2 of 4 series" in lines
    assert any("4_t1.mha: prediction without a reference" in line for line in lines)


def test_json_holds_levels_and_the_official_aggregates(folders: tuple[Path, Path]) -> None:
    found = to_json_object(evaluate_files(*folders))
    second_vertebra = found["levels"]["overall"][1]
    assert (second_vertebra["level"], second_vertebra["assumed_name"], second_vertebra["instance_dice"]["mean"]) == (2, "L4", 0.5)
    # Detection: 1 and 1 of 2; the standard deviation divides by n - 1.
    assert found["official_aggregates"]["DetectionRateVertebrae"] == {"mean": 0.75, "std": pytest.approx(0.5 / np.sqrt(2))}
    assert list(found["official_aggregates"])[3] == "OveralDiceScore"


def test_levels_csv_has_a_row_for_every_group_level_and_score(folders: tuple[Path, Path]) -> None:
    rows = list(csv.DictReader(levels_csv_text(evaluate_files(*folders)).splitlines()))
    found = next(row for row in rows if (row["group"], row["level"], row["score"]) == ("t2", "2", "detection"))
    shown = [found[column] for column in ("structure", "assumed_name", "mean", "std", "n", "low")]
    assert shown == ["vertebra", "L4", "0.0", "", "1", ""]
    assert {row["group"] for row in rows} == {"overall", "t1", "t2"}
    assert {row["score"] for row in rows} == {"instance_dice", "asd_mm", "detection", "level_accuracy"}


# The command


def test_evaluate_writes_every_output_and_returns_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labelmap = write(tmp_path / "1_t2.mha", slices(*SPIDER_VALUES_BY_SLICE))
    json_path, csv_path, levels_path, html_path = (tmp_path / name for name in ("out.json", "out.csv", "levels.csv", "out.html"))
    options = EvaluateOptions("auto", json_path, csv_path, levels_path, html_path, images=labelmap)
    assert evaluate([labelmap, labelmap], options) == 0
    assert "structure_dice.vertebra" in capsys.readouterr().out
    assert json.loads(json_path.read_text(encoding="utf-8"))["series"][0]["reference_kind"] == "spider"
    assert csv_path.read_text(encoding="utf-8").startswith("series,sequence,status")
    assert levels_path.read_text(encoding="utf-8").startswith("group,structure,level")
    assert html_path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_evaluate_returns_1_when_a_series_failed_and_still_writes_the_others(folders: tuple[Path, Path], tmp_path: Path) -> None:
    assert evaluate(folders, EvaluateOptions("spider", json_path=tmp_path / "out.json")) == 1
    assert len(json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["series"]) == 2


def test_compare_takes_a_b_and_references(folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predictions, references = folders
    outputs = ["--json", str(tmp_path / "c.json"), "--csv", str(tmp_path / "c.csv"), "--html", str(tmp_path / "c.html")]
    assert run(["evaluate", "--compare", str(predictions), str(references), str(references), *outputs]) == 1
    out = capsys.readouterr().out
    assert f"Failed in {predictions}: 2 of 4 series" in out
    # 1_t2 alone differs: vertebra Dice 2/3 against 1, a mean over structures of 8/9.
    assert "1_t2: 0.889 to 1.000 (+0.111)" in out
    content = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))
    assert content["differences"]["overall"]["structure_dice.vertebra"]["change"]["mean"] == pytest.approx(1 / 6)
    assert (content["verdict"], content["missing_in_a"]) == ("too few patients", ["2_t2", "3_t1"])
    assert set(content["evaluations"]) == {str(predictions), str(references)}
    assert (tmp_path / "c.csv").read_text(encoding="utf-8").startswith("group,score,mean_a,mean_b,change_mean")
    assert "<!DOCTYPE html>" in (tmp_path / "c.html").read_text(encoding="utf-8")


def test_rank_orders_several_folders(folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predictions, references = folders
    write(tmp_path / "third/1_t1.mha", slices(1, 0, 0, 0, 100))
    assert run(["evaluate", "--rank", str(tmp_path / "third"), str(predictions), str(references), "--csv", str(tmp_path / "r.csv")]) == 1
    rows = list(csv.DictReader((tmp_path / "r.csv").read_text(encoding="utf-8").splitlines()))
    assert [(row["place"], row["predictions"], row["missing"]) for row in rows] == [
        ("1", str(predictions), "2_t2 3_t1"),
        ("2", str(tmp_path / "third"), "1_t2 2_t2 3_t1"),
    ]
    assert "Mean relative rank: for every score and series" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("count", "options", "message"),
    [
        (2, EvaluateOptions("organs"), "auto, spider, classes, bodies, discs, found organs"),
        (1, EvaluateOptions(), "PREDICTIONS REFERENCES, found 1"),
        (3, EvaluateOptions(), "need --compare or --rank"),
        (2, EvaluateOptions(compare=True), "A B REFERENCES after --compare, found 2"),
        (4, EvaluateOptions(compare=True), "A B REFERENCES after --compare, found 4"),
        (2, EvaluateOptions(rank=True), "at least two sets"),
        (3, EvaluateOptions(rank=True, compare=True), "exclude each other"),
        (3, EvaluateOptions(rank=True, html_path=Path("a.html")), "--html is for one set"),
        (3, EvaluateOptions(compare=True, levels_csv_path=Path("a.csv")), "--levels-csv and --images are for one set"),
        (2, EvaluateOptions(images=Path("images")), "--images needs --html"),
        (2, EvaluateOptions(json_path=Path("a"), csv_path=Path("a")), "a file of its own for each of --json, --csv"),
    ],
)
def test_paths_and_options_that_do_not_go_together_are_usage_errors(count: int, options: EvaluateOptions, message: str) -> None:
    with pytest.raises(typer.BadParameter, match=message):
        evaluate([Path(f"{number}") for number in range(count)], options)


def test_the_same_predictions_twice_are_a_usage_error() -> None:
    with pytest.raises(typer.BadParameter, match="found a twice"):
        evaluate([Path("a"), Path("a"), Path("r")], EvaluateOptions(compare=True))


def test_an_output_folder_or_images_that_are_missing_are_told_before_anything_is_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labelmap = write(tmp_path / "1_t2.mha", slices(*SPIDER_VALUES_BY_SLICE))
    monkeypatch.setattr("SpiderSegLib.cli.evaluate.evaluate_files", lambda *arguments: pytest.fail("scored"))
    with pytest.raises(OutputError, match=r"absent.*--json.*does not exist"):
        evaluate([labelmap, labelmap], EvaluateOptions(json_path=tmp_path / "absent" / "out.json"))
    with pytest.raises(DatasetError, match="nowhere"):
        evaluate([labelmap, labelmap], EvaluateOptions(html_path=tmp_path / "a.html", images=tmp_path / "nowhere"))


# Real data


@pytest.mark.real_data
def test_real_references_score_perfectly_against_themselves(real_data: Path) -> None:
    masks = real_data / "spider" / "midsagittal" / "masks"
    evaluation = evaluate_files(masks, masks)
    assert not evaluation.failed
    assert {series.reference_kind for series in evaluation.series} == {ReferenceKind.SPIDER}
    for series in evaluation.series:
        scores = defined(series)
        assert (scores["instance_dice.vertebra"], scores["level_accuracy"], scores["asd_mm.disc"], scores["official.OveralDiceScore"]) == (1, 1, 0, 1)


@pytest.mark.real_data
def test_real_class_maps_are_detected(real_data: Path) -> None:
    path = next(iter(sorted((real_data / "spider" / "space_slabs" / "classes").glob("*.mha"))))
    found = evaluate_files(path, path).series[0]
    assert found.reference_kind is ReferenceKind.CLASSES
    assert found.scores.official is None
