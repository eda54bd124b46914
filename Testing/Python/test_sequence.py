"""Which sequence a series is, by header, name and image."""

from __future__ import annotations

import numpy as np
import pytest

from SpiderSegLib.io import read_volume
from SpiderSegLib.labels import Structure
from SpiderSegLib.phantom import PhantomConfig, default_geometry, make_phantom
from SpiderSegLib.sequence import Sequence, SequenceGuess, guess_from_image, guess_sequence

T1, T1C, T2, SPACE, STIR, UNKNOWN = (
    Sequence.T1,
    Sequence.T1_CONTRAST,
    Sequence.T2,
    Sequence.T2_SPACE,
    Sequence.STIR,
    Sequence.UNKNOWN,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("1_t1.mha", T1),
        ("1_t2.mha", T2),
        ("1_t2_SPACE.mha", SPACE),
        ("sub-01_T1w.nii.gz", T1),
        ("sub-01_acq-sag_T2w.nii.gz", T2),
        ("sub-02_ce-gadolinium_T1w.nii.gz", T1C),
        ("T1_gd", T1C),
        ("SAG T1 +C", T1C),
        ("SAG T1 C+", T1C),
        ("t1_tse_sag_KM", T1C),
        ("t1_sag_post", T1C),
        ("T1 sag pre contrast", T1),
        ("T1 ohne KM", T1),
        ("T1 SAG POSTERIOR COIL", T1),
        ("t2_stir_sag", STIR),
        ("t2_tirm_sag", STIR),
        ("SAG IR", STIR),
        ("T1 FLAIR SAG", T1),
        ("t1_tirm_dark-fluid_sag", T1),
        ("T1 SPACE", T1),
        ("t2_spc_rst", SPACE),
        ("SAG CUBE T2", SPACE),
        ("T1_T2_sag", UNKNOWN),  # says both
        ("case12.mha", UNKNOWN),
        ("/data/workspace_t1/case12.mha", UNKNOWN),  # only the file's own name counts
        ("lumbar_at10.mha", UNKNOWN),
        ("stirling.mha", UNKNOWN),
    ],
)
def test_a_name_tells_the_sequence(name, expected):
    assert guess_sequence({}, name, 4.0) == SequenceGuess(expected, "name" if expected is not UNKNOWN else "nothing")


def header(description="", tr=None, te=None, ti=None, **more):
    values = {"SeriesDescription": description, "RepetitionTime": tr, "EchoTime": te, "InversionTime": ti, **more}
    return {key: str(value) for key, value in values.items() if value is not None}


@pytest.mark.parametrize(
    ("given", "slice_mm", "expected"),
    [
        (header(tr=600, te=10), 4.0, T1),
        (header(tr=600, te=10, ContrastBolusAgent="GADOVIST"), 4.0, T1C),
        (header(tr=600, te=10, ContrastBolusAgent="none"), 4.0, T1),
        (header("T1 POST GD", tr=600, te=10), 4.0, T1C),
        (header(tr=3500, te=102), 4.0, T2),
        (header(tr=1500, te=130, MRAcquisitionType="3D"), 0.9, SPACE),
        (header(tr=1500, te=130, MRAcquisitionType="2D"), 0.9, T2),
        (header("t2_space_sag", tr=1500, te=130), 4.0, SPACE),
        (header(tr=4000, te=60, ti=160), 4.0, STIR),
        (header(tr=4000, te=30, ti=220), 4.0, STIR),
        (header("SAG STIR", tr=4000, te=70), 4.0, STIR),
        (header("SAG STIR", tr=4000, te=50), 4.0, STIR),
        (header(tr=2200, te=10, ti=860), 4.0, T1),  # T1-FLAIR: the inversion nulls fluid, not fat
        (header("t1_tirm_sag", tr=2200, te=10, ti=860), 4.0, T1),
        (header("SAG T1 FLAIR", tr=2200, te=24), 4.0, T1),
        (header("T1 SPACE", tr=600, te=10), 0.9, T1),
        (header("Sag", tr=2000, te=30), 4.0, UNKNOWN),  # proton density
        (header("T2", tr=600, te=10), 4.0, T1),  # the scanner's timing outweighs what somebody typed
        (header("T2 TSE SAG"), 4.0, T2),
        (header("T2", tr="", te="abc"), 4.0, T2),
    ],
)
def test_a_header_tells_the_sequence(given, slice_mm, expected):
    assert guess_sequence(given, "x.mha", slice_mm) == SequenceGuess(expected, "header" if expected is not UNKNOWN else "nothing")


def test_the_header_outweighs_the_name():
    assert guess_sequence(header(tr=600, te=10), "1_t2.mha", 4.0) == SequenceGuess(T1, "header")


def classes_of(labelmap):
    return np.select([labelmap > 200, labelmap == 100, labelmap > 0], [Structure.DISC, Structure.CANAL, Structure.VERTEBRA], 0).astype(np.uint8)


@pytest.mark.parametrize("sequence", ["T1", "T2"])
@pytest.mark.parametrize("offset", [0, -500])
def test_the_image_tells_the_sequence_of_a_phantom(sequence, offset):
    phantom = make_phantom(PhantomConfig(sequence), default_geometry((90, 100, 7), (3.0, 3.0, 6.0)))
    guess = guess_from_image(phantom.volume.array.astype(np.int32) + offset, classes_of(phantom.labelmap.array), 6.0)
    assert guess == SequenceGuess(Sequence(sequence), "image")


@pytest.mark.parametrize(
    ("fluid", "marrow", "slice_mm", "expected"), [(40, 100, 4.0, T1), (200, 100, 4.0, T2), (200, 100, 0.9, SPACE), (900, 100, 4.0, STIR)]
)
def test_fluid_against_marrow_tells_the_sequence(fluid, marrow, slice_mm, expected):
    classes = np.array([[[0, Structure.VERTEBRA, Structure.CANAL]]], dtype=np.uint8)
    assert guess_from_image(np.array([[[0, marrow, fluid]]]), classes, slice_mm) == SequenceGuess(expected, "image")


@pytest.mark.parametrize("missing", [Structure.VERTEBRA, Structure.CANAL])
def test_without_both_structures_the_image_tells_nothing(missing):
    classes = np.array([[[Structure.VERTEBRA, Structure.CANAL]]], dtype=np.uint8)
    classes[classes == missing] = 0
    assert guess_from_image(np.array([[[1, 2]]]), classes, 4.0) == SequenceGuess(UNKNOWN, "nothing")


@pytest.mark.real_data
@pytest.mark.parametrize(("kind", "masks", "every"), [("midsagittal", "masks", 1), ("space_slabs", "classes", 5)])
def test_the_image_tells_the_sequence_of_real_series(real_data, kind, masks, every):
    folder = real_data / "spider" / kind
    wrong = []
    for path in sorted((folder / "images").glob("*.mha"))[::every]:
        volume, reference = read_volume(path), read_volume(folder / masks / path.name).array
        classes = classes_of(reference) if masks == "masks" else reference.astype(np.uint8)
        guess = guess_from_image(volume.array, classes, volume.geometry.spacing_kji_mm[volume.geometry.slice_axis_kji])
        if guess.sequence is not guess_sequence({}, path.name, 4.0).sequence:
            wrong.append((path.name, guess))
    assert wrong == []
