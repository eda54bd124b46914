"""How unsure a run is of a series: which voxels count, and which place is the least certain."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from small_column import SPACING_KJI_MM, ToldPredictor, column, faint, geometry, probabilities, rows_of, series, stored_as, to_working, without
from SpiderSegLib.active_learning import PlaceUncertainty, SeriesUncertainty, measure_uncertainty, series_uncertainty
from SpiderSegLib.errors import InputError, LabelError
from SpiderSegLib.inference import InferenceConfig, Predictor
from SpiderSegLib.labels import SPINAL_CANAL, Structure
from SpiderSegLib.network import load_checkpoint, save_checkpoint
from SpiderSegLib.pipeline import segment
from SpiderSegLib.preprocessing import PreprocessingConfig

SURE, CLUELESS = [1.0, 0.0, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25]


def row(labels, *columns, spacing_mm=2.0, disagreement=None):
    """One row of voxels along i: its uncertainty from one list of class probabilities a voxel."""
    told = np.array(columns, np.float32).T[:, None, None, :]
    differing = None if disagreement is None else np.array([[disagreement]], np.float32)
    return measure_uncertainty(np.array([[labels]], np.uint8), told, (4.0, spacing_mm, spacing_mm), differing)


def uncertainty_of(labels, told):
    return measure_uncertainty(labels, told, SPACING_KJI_MM)


# Which voxels count


def test_entropy_is_the_mean_over_structures_and_a_shell_of_5_mm():
    # The label, two voxels of shell (2 and 4 mm away); at 6 mm the network is clueless and nobody cares.
    assert row([1, 0, 0, 0], CLUELESS, CLUELESS, SURE, CLUELESS).entropy == pytest.approx(2 / 3)


def test_the_shell_is_measured_in_millimetres():
    assert row([1, 0, 0, 0], SURE, CLUELESS, SURE, CLUELESS, spacing_mm=1.0).entropy == pytest.approx(2 / 4)
    assert row([1, 0, 0, 0], SURE, CLUELESS, SURE, CLUELESS, spacing_mm=6.0).entropy == 0


def test_disagreement_is_the_mean_over_the_same_voxels_and_none_when_not_measured():
    assert row([1, 0, 0, 0], SURE, SURE, SURE, SURE, disagreement=[0.3, 0.3, 0.0, 0.9]).disagreement == pytest.approx(0.2)
    assert row([1, 0, 0, 0], SURE, SURE, SURE, SURE).disagreement is None


def test_a_series_in_which_nothing_was_found_is_the_least_certain_of_all():
    assert row([0, 0], SURE, SURE) == SeriesUncertainty(1.0, (), None)
    assert row([0, 0], SURE, SURE, disagreement=[0.2, 0.4]).disagreement == pytest.approx(0.3)


def test_a_disc_that_was_missed_raises_the_uncertainty_of_the_series():
    whole, missed = column(), without(column(), 203)
    told = faint(probabilities(whole), whole == 203, Structure.DISC, 0.45)
    assert uncertainty_of(missed, told).entropy > uncertainty_of(missed, probabilities(missed)).entropy + 0.01


# Places


def test_every_vertebra_and_disc_is_a_place_and_the_canal_is_one_at_each_of_them():
    found = uncertainty_of(column(), probabilities(column())).places
    levels = [value for level in range(1, 6) for value in (level, 200 + level)]
    assert {(place.value, place.at) for place in found} == {(value, value) for value in levels} | {(SPINAL_CANAL, value) for value in levels}


def test_a_vertebra_of_which_the_network_is_unsure_is_the_least_certain():
    told = faint(probabilities(column()), column() == 3, Structure.VERTEBRA, 0.55)
    place = uncertainty_of(column(), told).least_certain
    assert (place.value, place.at) == (3, 3)
    assert place.structure is Structure.VERTEBRA


def test_an_unsure_stretch_of_the_canal_is_found_at_its_level():
    stretch = np.zeros(column().shape, bool)
    stretch[:, rows_of(2)] = True
    told = faint(probabilities(column(), sure=0.97), stretch & (column() == SPINAL_CANAL), Structure.CANAL, 0.55)
    place = uncertainty_of(column(), told).least_certain
    assert (place.value, place.at) == (SPINAL_CANAL, 2)


def test_a_canal_without_any_vertebra_or_disc_lies_at_no_level():
    labels = np.where(column() == SPINAL_CANAL, SPINAL_CANAL, 0).astype(np.uint8)
    assert [(place.value, place.at) for place in uncertainty_of(labels, probabilities(labels)).places] == [(SPINAL_CANAL, SPINAL_CANAL)]


def test_structures_are_compared_by_what_is_usual_of_them():
    # Discs are mostly border: the same entropy is less unusual of them.
    uncertainty = SeriesUncertainty(0.1, (PlaceUncertainty(201, 201, 0.16), PlaceUncertainty(1, 1, 0.15)))
    assert uncertainty.least_certain.value == 1


def test_a_crumb_is_not_named():
    assert row([1, 0], CLUELESS, SURE).places == ()
    assert row([1] * 20, *[CLUELESS] * 20).places == (PlaceUncertainty(1, 1, 1.0),)


# Runs and files


def test_a_run_of_the_pipeline_is_measured_on_its_working_grid(tiny_weights, tmp_path):
    working = PreprocessingConfig(in_plane_spacing_mm=1.5)
    save_checkpoint(tmp_path / "working.pt", replace(load_checkpoint(tiny_weights), preprocessing=working))
    turned = stored_as(column(), geometry(), (2, 1, 0), (True, False, True))
    result = segment(series(turned.array, turned.geometry), ToldPredictor(tmp_path / "working.pt", probabilities(column())))
    assert series_uncertainty(result) == uncertainty_of(to_working(result.labelmap.array, turned.geometry), probabilities(column()))
    assert {place.value for place in series_uncertainty(result).places} == {row.instance.value for row in result.levels}


def test_a_mirrored_run_says_how_far_the_two_runs_differ(tiny_weights, small_series):
    mirrored, plain = (segment(small_series, Predictor(load_checkpoint(tiny_weights), "cpu", InferenceConfig(mirror=mirror))) for mirror in (1, 0))
    assert mirrored.disagreement.shape == mirrored.probabilities.shape[1:]
    assert series_uncertainty(mirrored).disagreement > 0
    assert plain.disagreement is None
    assert series_uncertainty(plain).disagreement is None


def test_json_gives_it_back():
    uncertainty = SeriesUncertainty(0.1234, (PlaceUncertainty(1, 1, 0.5), PlaceUncertainty(100, 202, 0.25)), 0.0625)
    assert SeriesUncertainty.from_json(json.loads(json.dumps(uncertainty.as_json()))) == uncertainty
    assert SeriesUncertainty.from_json(SeriesUncertainty(1.0).as_json()) == SeriesUncertainty(1.0)


def test_in_short_it_keeps_the_least_certain_place_alone():
    worst = PlaceUncertainty(202, 202, 0.5)
    uncertainty = SeriesUncertainty(0.1, (PlaceUncertainty(1, 1, 0.1), worst), 0.2)
    assert uncertainty.shortened() == SeriesUncertainty(0.1, (worst,), 0.2)
    assert SeriesUncertainty(1.0).shortened() == SeriesUncertainty(1.0)


GOOD = {"entropy": 0.1, "disagreement": None, "places": []}


@pytest.mark.parametrize(
    "record",
    [
        None,
        {},
        {**GOOD, "entropy": "high"},
        {**GOOD, "entropy": float("nan")},
        {**GOOD, "entropy": 1.5},
        {**GOOD, "disagreement": -0.1},
        {**GOOD, "places": [{"value": 1, "at": 1}]},
        {**GOOD, "places": [{"value": 0, "at": 1, "entropy": 0.1}]},
    ],
)
def test_json_of_something_else_is_refused(record):
    with pytest.raises(InputError, match="expected entropy"):
        SeriesUncertainty.from_json(record)


def test_json_with_a_value_outside_the_scheme_is_refused():
    with pytest.raises(LabelError, match="found 77"):
        SeriesUncertainty.from_json({**GOOD, "places": [{"value": 77, "at": 1, "entropy": 0.1}]})
