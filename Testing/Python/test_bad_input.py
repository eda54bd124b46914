"""Bad input through the command line: a clear error on stderr, the right exit code, and nothing left on disk."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import torch

from command_line import file_size_limit, predict, tree
from dicom_files import write_enhanced, write_report, write_series
from SpiderSegLib.io import read_volume, to_itk, write_volume
from SpiderSegLib.paths import MODEL_WEIGHTS, data_path
from SpiderSegLib.phantom import default_geometry, make_phantom
from SpiderSegLib.volume import Geometry, Volume
from SpiderSegLib.weights import BUNDLED

SAGITTAL = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


def volume_of(array, spacing=(3.0, 3.0, 5.0), direction=SAGITTAL):
    k, j, i = array.shape
    return Volume(array, Geometry((i, j, k), spacing, (0.0, 0.0, 0.0), direction))


def noise(shape=(4, 20, 16), dtype=np.int16):
    return np.random.default_rng(0).integers(0, 1000, shape).astype(dtype)


def with_header_line(path, name, value):
    """An uncompressed MetaImage file with one header line changed."""
    sitk.WriteImage(to_itk(volume_of(noise())), str(path))
    path.write_bytes(re.sub(rf"^{name} = .*$".encode(), f"{name} = {value}".encode(), path.read_bytes(), count=1, flags=re.MULTILINE))


def cut(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def mha(path, compressed=True):
    sitk.WriteImage(to_itk(volume_of(noise())), str(path), useCompression=compressed)


def broken_array(path, value):
    array = noise(dtype=np.float32)
    array[0, 0, 0] = value
    write_volume(path, volume_of(array))


def rename(path, other_suffix):
    other = path.with_suffix(other_suffix)
    sitk.WriteImage(to_itk(volume_of(noise())), str(other))
    other.rename(path)


def png(path):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((8, 8), np.uint8)), str(path.with_suffix(".png")))
    path.with_suffix(".png").rename(path)


def dicom_file(path):
    write_series(path.parent / "d", 1, "T2 SAG")[0].rename(path)
    for rest in (path.parent / "d").iterdir():
        rest.unlink()
    (path.parent / "d").rmdir()


def color(path):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 20, 16, 3), np.uint8), isVector=True), str(path))


def four_d(path):
    sitk.WriteImage(sitk.JoinSeries([to_itk(volume_of(noise()))] * 2), str(path))


def truncated_nifti(path):
    nibabel.save(nibabel.Nifti1Image(noise(), np.eye(4)), path)
    cut(path, 0.6)


#: File name, what makes it (None: nothing), what the message must say.
BAD_FILES = {
    "missing": ("x.mha", None, "no such file"),
    "empty": ("x.mha", lambda path: path.touch(), "the file is empty"),
    "empty nifti": ("x.nii.gz", lambda path: path.touch(), "the file is empty"),
    "no suffix": ("x.png", png, "expected a file ending in .mha"),
    "a folder of nothing": ("x", lambda path: path.mkdir(), "holds no DICOM and no image files"),
    "a folder of reports": ("x", write_report, "no DICOM image series found"),
    "text as mha": ("x.mha", lambda path: path.write_text("hello\n" * 40), "not an image of the kind its suffix .mha says, or damaged"),
    "text as nrrd": ("x.nrrd", lambda path: path.write_text("hello\n" * 40), "not an image of the kind its suffix .nrrd says"),
    "text as nifti": ("x.nii", lambda path: path.write_text("hello\n" * 400), "not a readable NIfTI file"),
    "text as nii.gz": ("x.nii.gz", lambda path: path.write_text("hello\n" * 400), "not a readable NIfTI file"),
    "png as mha": ("x.mha", png, "not an image of the kind its suffix .mha says"),
    "dicom as mha": ("x.mha", dicom_file, "not an image of the kind its suffix .mha says"),
    "nrrd as mha": ("x.mha", lambda path: rename(path, ".nrrd"), "not an image of the kind its suffix .mha says"),
    "mha as nrrd": ("x.nrrd", lambda path: rename(path, ".mha"), "not an image of the kind its suffix .nrrd says"),
    "mha as nifti": ("x.nii", lambda path: rename(path, ".mha"), "not a readable NIfTI file"),
    "truncated": ("x.mha", lambda path: (mha(path, False), cut(path, 0.7)), "truncated or damaged"),
    "truncated compressed": ("x.mha", lambda path: (mha(path), cut(path, 0.7)), "truncated or damaged"),
    "truncated header": ("x.mha", lambda path: (mha(path), cut(path, 0.02)), "or damaged"),
    "truncated nrrd": ("x.nrrd", lambda path: (mha(path), cut(path, 0.7)), "truncated or damaged"),
    "truncated nifti": ("x.nii", truncated_nifti, "truncated or damaged"),
    "truncated nii.gz": ("x.nii.gz", truncated_nifti, "truncated or damaged"),
    "mhd without its data": ("x.mhd", lambda path: (mha(path), path.with_suffix(".zraw").unlink()), "a file it refers to is missing"),
    "color": ("x.mha", color, "color or vector image"),
    "4D": ("x.mha", four_d, "store each time point or echo as its own file"),
    "2D": ("x.mha", lambda path: sitk.WriteImage(sitk.GetImageFromArray(noise()[0]), str(path)), "a 3D image with one slice"),
    "NaN": ("x.nii.gz", lambda path: broken_array(path, np.nan), "1 of 1280 voxels are NaN or infinite"),
    "Inf": ("x.mha", lambda path: broken_array(path, np.inf), "1 of 1280 voxels are NaN or infinite"),
    "constant": ("x.mha", lambda path: write_volume(path, volume_of(np.full((4, 20, 16), 7, np.int16))), "every voxel is 7"),
    "all zero": ("x.nrrd", lambda path: write_volume(path, volume_of(np.zeros((4, 20, 16), np.uint8))), "every voxel is 0"),
    "zero spacing": ("x.mha", lambda path: with_header_line(path, "ElementSpacing", "0 1 1"), "expected a positive spacing"),
    "NaN spacing": ("x.mha", lambda path: with_header_line(path, "ElementSpacing", "nan 1 1"), "expected a positive spacing"),
    "singular direction": ("x.mha", lambda path: with_header_line(path, "TransformMatrix", "1 0 0 1 0 0 0 0 1"), "perpendicular unit vectors"),
    "zero direction": ("x.mha", lambda path: with_header_line(path, "TransformMatrix", "0 0 0 0 0 0 0 0 0"), "perpendicular unit vectors"),
    "sheared direction": ("x.mha", lambda path: with_header_line(path, "TransformMatrix", "1 0 0 0 1 0 0.3 0 1"), "must be resampled first"),
    "zero size": ("x.mha", lambda path: with_header_line(path, "DimSize", "0 20 4"), "size of at least 1 voxel"),
    "huge size": ("x.mha", lambda path: with_header_line(path, "DimSize", "30000 30000 30000"), "or damaged"),
    "dicom with a missing slice": ("x", lambda path: write_series(path, 1, "T2 SAG", [0, 1, 3, 4]), "a slice is missing"),
    "enhanced dicom of two echoes": ("x", lambda path: write_enhanced(path / "e.dcm", [0, 1, 2, 0, 1, 2]), "several echoes"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_one_clear_error_and_nothing_is_written(tmp_path, capsys, tiny_weights, case):
    name, make, message = BAD_FILES[case]
    (tmp_path / "in").mkdir()
    if make is not None:
        make(tmp_path / "in" / name)
    assert predict(tmp_path / "in" / name, "-o", tmp_path / "out", "--weights", tiny_weights, "--overlay", "--progress", "none") == 1
    captured = capsys.readouterr()
    errors = [line for line in captured.err.splitlines() if line.startswith("error: ")]
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert len(errors) == 1
    assert message in errors[0]
    assert str(tmp_path / "in" / name) in errors[0]
    assert not (tmp_path / "out").exists()


def test_a_negative_spacing_is_read_as_a_flipped_axis_and_comes_back_as_such(tmp_path, tiny_weights):
    with_header_line(tmp_path / "x.mha", "ElementSpacing", "-3 3 5")
    given = read_volume(tmp_path / "x.mha").geometry
    np.testing.assert_allclose(given.affine_lps[:3, 0], [0, -3, 0])
    assert predict(tmp_path / "x.mha", "-o", tmp_path / "out.mha", "--weights", tiny_weights) == 0
    assert read_volume(tmp_path / "out.mha").geometry == given


# ------------------------------------------------------------------------------------------------ other images than a lumbar series


def blob(shape, spacing, radius_mm, inner=300, outer=900):
    """A bright shell around a dimmer inside, as a head or a knee."""
    axes = [(np.arange(n) - (n - 1) / 2) * d for n, d in zip(shape, spacing[::-1], strict=True)]
    distance = np.sqrt(sum(x**2 for x in np.meshgrid(*axes, indexing="ij")))
    image = np.where(distance < 0.85 * radius_mm, inner, np.where(distance < radius_mm, outer, 0))
    return (image + np.abs(np.random.default_rng(0).normal(0, 15, shape))).astype(np.int16)


def hounsfield(shape, spacing):
    return (blob(shape, spacing, 90, 1060, 1700) - 1024).astype(np.int16)


OTHER_IMAGES = {
    "head-like MR": (blob((9, 64, 64), (3.5, 3.5, 6.0), 95), (3.5, 3.5, 6.0)),
    "knee-like MR": (blob((9, 64, 64), (2.5, 2.5, 4.0), 60, 800, 200), (2.5, 2.5, 4.0)),
    "CT": (hounsfield((9, 64, 64), (3.5, 3.5, 6.0)), (3.5, 3.5, 6.0)),
    "noise": (noise((5, 40, 40)), (4.0, 4.0, 6.0)),
    "one voxel column": (noise((1, 64, 1)), (3.0, 3.0, 5.0)),
    "two voxels": (np.array([[[0, 1]]], np.uint8), (1.0, 1.0, 1.0)),
    "1 mm deep": (noise((40, 3, 3)), (0.1, 0.1, 0.1)),
    "10 mm slices": (noise((5, 30, 30)), (4.0, 4.0, 10.0)),
}


@pytest.mark.parametrize(("case", "weights"), [*((case, "tiny") for case in OTHER_IMAGES), ("head-like MR", "bundled"), ("CT", "bundled")])
def test_what_is_no_lumbar_series_is_warned_of_and_never_crashes(tmp_path, capsys, tiny_weights, case, weights):
    array, spacing = OTHER_IMAGES[case]
    write_volume(tmp_path / "x.mha", volume_of(array, spacing))
    chosen = ["--weights", tiny_weights] if weights == "tiny" else []
    assert predict(tmp_path / "x.mha", "-o", tmp_path / "out", "--overlay", "--progress", "none", *chosen) == 0
    warnings = json.loads((tmp_path / "out" / "x.json").read_text())["warnings"]
    if weights == "tiny":  # what trained weights take for a spine is theirs to decide
        assert any("expected: is this a sagittal MR series of the lumbar spine?" in warning for warning in warnings)
    err = capsys.readouterr().err
    assert all(f"warning: x.mha: {warning}" in err for warning in warnings)
    assert tree(tmp_path / "out") == ["x.json", "x.mha", "x_overlay.png"]


@pytest.mark.parametrize(
    ("name", "direction"), [("axial", (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)), ("coronal", (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0))]
)
def test_a_series_that_is_not_sagittal_works_and_says_so(tmp_path, capsys, tiny_weights, name, direction):
    phantom = make_phantom(geometry=default_geometry((40, 40, 12), (4.0, 4.0, 12.0), direction))
    write_volume(tmp_path / f"{name}.nrrd", phantom.volume)
    assert predict(tmp_path / f"{name}.nrrd", "-o", tmp_path / "x.mha", "--weights", tiny_weights, "--overlay") == 0
    assert f"warning: {name}.nrrd: the series is not sagittal" in capsys.readouterr().err
    assert read_volume(tmp_path / "x.mha").geometry == read_volume(tmp_path / f"{name}.nrrd").geometry


# ------------------------------------------------------------------------------------------------ where it can't be written


@pytest.mark.parametrize("out", ["file/x.mha", "file/new/folder", "file"])
def test_an_output_below_a_file_is_an_error_before_the_network_is_loaded(series_file, tmp_path, capsys, out):
    (tmp_path / "file").write_text("mine")
    assert predict(series_file, "-o", tmp_path / out, "--weights", "never looked for") == 1
    assert re.search(r"expected a folder for the results, but .*file is a file", capsys.readouterr().err)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("file_format", ["mha", "nii.gz", "nrrd"])
def test_a_full_disk_at_any_file_leaves_none_of_the_set(series_file, tmp_path, capsys, tiny_weights, file_format):
    arguments = [series_file, "--weights", tiny_weights, "--format", file_format, "--overlay", "--probabilities", "--progress", "none"]
    assert predict(*arguments, "-o", tmp_path / "sizes") == 0
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "sizes").iterdir()}
    assert len(sizes) == 4
    capsys.readouterr()
    for name in sizes:  # a limit that lets the smaller files through, and not this one
        with file_size_limit(sizes[name] - 1):
            assert predict(*arguments, "-o", tmp_path / "full") == 1
        assert re.search(r"^error: .*can't write: .*(too large|disk full)", capsys.readouterr().err, re.MULTILINE), name
        assert tree(tmp_path / "full") == []


@pytest.mark.usefixtures("capsys")  # else what is printed goes to a file, which is limited too
def test_a_full_disk_keeps_the_results_of_before(series_file, tmp_path, tiny_weights):
    arguments = [series_file, "-o", tmp_path / "x.mha", "--weights", tiny_weights, "--overlay", "--overwrite"]
    assert predict(*arguments) == 0
    before = {path.name: path.read_bytes() for path in tmp_path.glob("x*")}
    with file_size_limit(min(map(len, before.values())) - 1):
        assert predict(*arguments) == 1
    assert {path.name: path.read_bytes() for path in tmp_path.glob("x*")} == before


FULL_DISK = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200)); from SpiderSegLib.cli.main import main; main()"


def test_a_full_disk_ends_the_process_in_order(series_file, tmp_path, tiny_weights):
    arguments = ["predict", series_file, "-o", tmp_path / "out", "--weights", tiny_weights, "--device", "cpu", "--progress", "json"]
    done = subprocess.run([sys.executable, "-c", FULL_DISK, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "can't write: " in done.stderr
    assert all(json.loads(line) for line in done.stdout.splitlines())
    assert tree(tmp_path / "out") == []


# ------------------------------------------------------------------------------------------------ weights


class Hostile:
    """A pickle that makes a file when it is loaded without care."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self):
        return (Path.touch, (self.victim,))


def corrupt(path, tiny):
    path.write_bytes(tiny.read_bytes()[:5000])


def other_content(path, tiny):
    torch.save({"state_dict": {}}, path)


def misfit(path, tiny):
    content = torch.load(tiny, weights_only=True)
    content["model"]["hidden_size"] = 64
    torch.save(content, path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (None, "can't read the weights"),
        (lambda path, tiny: path.touch(), "not a readable checkpoint"),
        (lambda path, tiny: path.write_text("weights"), "not a readable checkpoint"),
        (corrupt, "not a readable checkpoint"),
        (other_content, "expected a checkpoint of format"),
        (misfit, "do not fit the stored configuration"),
        (lambda path, tiny: torch.save(Hostile(path.parent / "ran"), path), "more than plain tensors (refused)"),
        (lambda path, tiny: torch.save({"format": "spiderseg-checkpoint-1", "weights": Hostile(path.parent / "ran")}, path), "(refused)"),
    ],
    ids=["missing", "empty", "text", "truncated", "other", "misfit", "hostile", "hostile inside"],
)
def test_bad_weights_are_refused_and_never_run(series_file, tmp_path, capsys, tiny_weights, make, message):
    weights = tmp_path / "w.pt"
    if make is not None:
        make(weights, tiny_weights)
    assert predict(series_file, "-o", tmp_path / "x.mha", "--weights", weights) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert set(tree(tmp_path)) <= {"in", "in/a_t2.mha", "w.pt"}


def test_weights_that_are_not_those_of_their_bundle_are_refused(series_file, tmp_path, capsys, tiny_weights):
    bundle = tmp_path / "bundle"
    (bundle / "configs").mkdir(parents=True)
    (bundle / "models").mkdir()
    (bundle / "models" / "model.pt").write_bytes(tiny_weights.read_bytes())
    (bundle / "configs" / "metadata.json").write_text(json.dumps({"spiderseg": {"model_sha256": "0" * 64}}))
    assert predict(series_file, "-o", tmp_path / "x.mha", "--weights", bundle) == 1
    assert f"expected SHA-256 {'0' * 64}, found " in capsys.readouterr().err
    assert not (tmp_path / "x.mha").exists()


def test_unknown_weights_name_the_known_ones(series_file, tmp_path, capsys):
    assert data_path(MODEL_WEIGHTS, BUNDLED).is_dir()
    assert predict(series_file, "-o", tmp_path / "x.mha", "--weights", "nonsense") == 1
    assert f"nonsense: no such weights; expected one of {BUNDLED}" in capsys.readouterr().err


def test_a_grid_with_swapped_axes_is_the_same_series(small_series, tmp_path, tiny_weights):
    """The same voxels stored in another order get the same labels in space."""
    turned = replace(
        small_series,
        array=np.ascontiguousarray(small_series.array.transpose(2, 0, 1)),
        geometry=Geometry(
            (small_series.geometry.size_ijk[1], small_series.geometry.size_ijk[2], small_series.geometry.size_ijk[0]),
            (small_series.geometry.spacing_ijk_mm[1], small_series.geometry.spacing_ijk_mm[2], small_series.geometry.spacing_ijk_mm[0]),
            small_series.geometry.origin_lps_mm,
            tuple(small_series.geometry.direction_matrix[:, [1, 2, 0]].ravel()),
        ),
    )
    write_volume(tmp_path / "a.mha", small_series)
    write_volume(tmp_path / "b.mha", turned)
    assert predict(tmp_path / "a.mha", tmp_path / "b.mha", "-o", tmp_path / "out", "--weights", tiny_weights) == 0
    one, other = (read_volume(tmp_path / "out" / f"{name}.mha").array for name in "ab")
    np.testing.assert_array_equal(other.transpose(1, 2, 0), one)
