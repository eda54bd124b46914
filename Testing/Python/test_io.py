"""Reading and writing: what a file says about its grid comes back from the output, to the last bit where the format can hold it."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from command_line import file_size_limit
from SpiderSegLib import io
from SpiderSegLib.atomic import write_together
from SpiderSegLib.errors import GeometryError, ImageReadError, LabelError, OutputError
from SpiderSegLib.io import (
    check_intensities,
    image_stem,
    image_suffix,
    read_labelmap,
    read_volume,
    write_bytes_atomically,
    write_text_atomically,
    write_volume,
)
from SpiderSegLib.volume import Geometry, Volume


def rotation(degrees_about_xyz):
    matrix = np.eye(3)
    for axis, degrees in enumerate(degrees_about_xyz):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        one, other = (n for n in range(3) if n != axis)
        turn = np.eye(3)
        turn[one, one] = turn[other, other] = c
        turn[one, other], turn[other, one] = -s, s
        matrix = turn @ matrix
    return matrix


#: Numbers that no header written with six decimals brings back.
OBLIQUE = Geometry((4, 3, 2), (1 / 3, 0.1 + 0.2, 4.0000001), (np.pi * 10, -1e-7 / 3, 123.456789012345678), tuple(rotation((3, 17, -11.3)).ravel()))
SAGITTAL = Geometry((4, 3, 2), (0.5, 0.75, 4.4), (12.0, -60.5, 90.25), (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0))
SINGLE_SLICE = Geometry((4, 6, 1), OBLIQUE.spacing_ijk_mm, OBLIQUE.origin_lps_mm, OBLIQUE.direction)
GEOMETRIES = {"oblique": OBLIQUE, "sagittal": SAGITTAL, "single slice": SINGLE_SLICE}

AXIS_ORIENTATIONS = [
    tuple((np.eye(3)[list(order)] * signs).ravel()) for order in itertools.permutations(range(3)) for signs in itertools.product((1, -1), repeat=3)
]


def counted(geometry, dtype=np.int16):
    return np.arange(np.prod(geometry.size_ijk)).reshape(geometry.shape_kji).astype(dtype)


def volume_on(geometry, dtype=np.int16):
    return Volume(counted(geometry, dtype), geometry)


def labelmap_for(source):
    return source.with_array((source.array % 2).astype(np.uint8))


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize(("source", "target"), [("mha", "mha"), ("mhd", "mha"), ("nrrd", "nrrd"), ("nrrd", "mha")])
def test_geometry_comes_back_bit_for_bit(tmp_path, name, source, target):
    given = tmp_path / f"in.{source}"
    sitk.WriteImage(io.to_itk(volume_on(GEOMETRIES[name])), str(given))
    volume = read_volume(given)
    write_volume(tmp_path / f"out.{target}", labelmap_for(volume), like=given)
    assert read_volume(tmp_path / f"out.{target}").geometry == volume.geometry
    if source != "nrrd":  # NRRD stores spacing times direction: its text is copied, yet the numbers themselves are rounded on the way in
        assert volume.geometry == GEOMETRIES[name]


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (1, 1, 1)),
        ("right-anterior-superior", (-1, -1, 1)),
        ("RAS", (-1, -1, 1)),
        ("left-anterior-superior", (1, -1, 1)),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_an_nrrd_file_of_any_space_keeps_its_geometry_bit_for_bit(tmp_path, space, signs, newline):
    vectors = (np.diag(signs) @ OBLIQUE.affine_lps[:3, :3]).T
    origin = np.multiply(signs, OBLIQUE.origin_lps_mm)
    lines = [
        *("NRRD0004", "type: short", "dimension: 3", f"space: {space}", "sizes: 4 3 2"),
        "space directions: " + " ".join("(" + ",".join(repr(float(x)) for x in vector) + ")" for vector in vectors),
        *("kinds: domain domain domain", "endian: little", "encoding: raw"),
        "space origin: (" + ",".join(repr(float(x)) for x in origin) + ")",
    ]
    given = tmp_path / "in.nrrd"
    given.write_bytes((newline.join(lines) + 2 * newline).encode() + counted(OBLIQUE).tobytes())
    volume = read_volume(given)
    np.testing.assert_allclose(volume.geometry.affine_lps, OBLIQUE.affine_lps, atol=1e-12)
    write_volume(tmp_path / "out.nrrd", labelmap_for(volume), like=given)
    assert read_volume(tmp_path / "out.nrrd").geometry == volume.geometry


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize(("source", "target"), [("mha", "nii.gz"), ("nrrd", "nii.gz"), ("nii.gz", "mha"), ("nii", "nrrd"), ("mha", "nrrd")])
def test_geometry_is_equal_to_float32_between_formats(tmp_path, name, source, target):
    geometry = GEOMETRIES[name]
    write_volume(tmp_path / f"in.{source}", volume_on(geometry))
    volume = read_volume(tmp_path / f"in.{source}")
    write_volume(tmp_path / f"out.{target}", labelmap_for(volume), like=tmp_path / f"in.{source}")
    back = read_volume(tmp_path / f"out.{target}")
    np.testing.assert_allclose(back.geometry.affine_lps, geometry.affine_lps, rtol=2e-7, atol=2e-7)
    np.testing.assert_array_equal(back.array, labelmap_for(volume).array)
    assert back.geometry.is_same_grid(geometry)


@pytest.mark.parametrize(("qform_code", "sform_code"), [(1, 0), (0, 2), (1, 1), (1, 4)])
@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
def test_a_nifti_output_places_its_grid_with_the_input_s_own_header_fields(tmp_path, qform_code, sform_code, suffix):
    affine = OBLIQUE.affine_ras
    image = nibabel.Nifti1Image(counted(OBLIQUE).T, None)
    image.set_qform(affine if qform_code else None, qform_code)
    image.set_sform(affine if sform_code else None, sform_code)
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, tmp_path / f"in.{suffix}")
    volume = read_volume(tmp_path / f"in.{suffix}")
    write_volume(tmp_path / "out.nii.gz", labelmap_for(volume), like=tmp_path / f"in.{suffix}")
    given, written = nibabel.load(tmp_path / f"in.{suffix}"), nibabel.load(tmp_path / "out.nii.gz")
    np.testing.assert_array_equal(written.affine, given.affine)
    for name in ("qform_code", "sform_code", "srow_x", "srow_y", "srow_z", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "xyzt_units"):
        np.testing.assert_array_equal(written.header[name], given.header[name], err_msg=name)
    np.testing.assert_array_equal(written.header["pixdim"][:4], given.header["pixdim"][:4])


def test_a_nifti_affine_is_kept_without_the_input_file(tmp_path):
    nibabel.save(nibabel.Nifti1Image(counted(OBLIQUE).T, OBLIQUE.affine_ras), tmp_path / "in.nii")
    volume = read_volume(tmp_path / "in.nii")
    write_volume(tmp_path / "out.nii", labelmap_for(volume))
    np.testing.assert_array_equal(nibabel.load(tmp_path / "out.nii").affine, nibabel.load(tmp_path / "in.nii").affine)


@pytest.mark.parametrize("suffix", ["mha", "nii.gz", "nrrd"])
def test_all_48_orientations_put_every_voxel_where_it_was(tmp_path, suffix):
    for direction in AXIS_ORIENTATIONS:
        geometry = Geometry((4, 3, 2), (0.5, 0.75, 4.0), (1.0, -2.0, 3.5), direction)
        write_volume(tmp_path / f"x.{suffix}", volume_on(geometry))
        back = read_volume(tmp_path / f"x.{suffix}")
        np.testing.assert_array_equal(back.array, counted(geometry))
        np.testing.assert_array_equal(back.geometry.affine_lps, geometry.affine_lps)


def test_itk_reads_the_nifti_file_on_the_same_grid(tmp_path):
    write_volume(tmp_path / "x.nii.gz", volume_on(OBLIQUE))
    image = sitk.ReadImage(str(tmp_path / "x.nii.gz"))
    assert io.geometry_of(image).is_same_grid(OBLIQUE)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), counted(OBLIQUE))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("suffix", ["mha", "nii.gz", "nrrd"])
def test_values_and_type_are_kept(tmp_path, dtype, suffix):
    volume = volume_on(SAGITTAL, dtype)
    write_volume(tmp_path / f"x.{suffix}", volume)
    back = read_volume(tmp_path / f"x.{suffix}")
    assert back.array.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(back.array, volume.array)


@pytest.mark.parametrize("suffix", ["mha", "nii.gz", "nrrd"])
def test_a_mask_is_written_as_zero_and_one(tmp_path, suffix):
    mask = counted(SAGITTAL) > 5
    write_volume(tmp_path / f"x.{suffix}", Volume(mask, SAGITTAL))
    np.testing.assert_array_equal(read_labelmap(tmp_path / f"x.{suffix}").array, mask.astype(np.uint8))


def test_nifti_scaling_is_applied(tmp_path):
    image = nibabel.Nifti1Image(counted(SAGITTAL).T, SAGITTAL.affine_ras)
    image.header.set_slope_inter(0.5, -3)
    image.to_filename(tmp_path / "x.nii")
    raw = (tmp_path / "x.nii").read_bytes()
    stored = np.frombuffer(raw[352:], np.int16).astype(float)
    np.testing.assert_allclose(read_volume(tmp_path / "x.nii").array.ravel(), 0.5 * stored - 3)


def test_a_big_endian_nifti_file_is_read_in_native_order(tmp_path):
    header = nibabel.Nifti1Header(endianness=">")
    nibabel.save(nibabel.Nifti1Image(counted(SAGITTAL).T, SAGITTAL.affine_ras, header), tmp_path / "x.nii")
    array = read_volume(tmp_path / "x.nii").array
    assert array.dtype.isnative
    np.testing.assert_array_equal(array, counted(SAGITTAL))


def write_4d(path, volumes):
    array = np.stack([counted(SAGITTAL)] * volumes)
    if path.suffix == ".nii":
        nibabel.save(nibabel.Nifti1Image(array.T, SAGITTAL.affine_ras), path)
        return
    image = sitk.JoinSeries([io.to_itk(Volume(one, SAGITTAL)) for one in array])
    sitk.WriteImage(image, str(path), useCompression=True)


@pytest.mark.parametrize("suffix", ["mha", "nrrd", "nii"])
def test_a_4d_file_with_one_volume_is_that_volume(tmp_path, suffix):
    write_4d(tmp_path / f"x.{suffix}", 1)
    volume = read_volume(tmp_path / f"x.{suffix}")
    np.testing.assert_array_equal(volume.array, counted(SAGITTAL))
    np.testing.assert_allclose(volume.geometry.affine_lps, SAGITTAL.affine_lps, atol=1e-5)


@pytest.mark.parametrize("suffix", ["mha", "nrrd", "nii"])
def test_a_4d_series_is_refused(tmp_path, suffix):
    write_4d(tmp_path / f"x.{suffix}", 3)
    with pytest.raises(ImageReadError, match=r"4D of size \(4, 3, 2, 3\); store each time point or echo as its own file"):
        read_volume(tmp_path / f"x.{suffix}")


@pytest.mark.parametrize("suffix", ["mha", "nrrd", "nii"])
def test_a_2d_image_is_refused_and_the_way_out_is_told(tmp_path, suffix):
    if suffix == "nii":
        nibabel.save(nibabel.Nifti1Image(counted(SAGITTAL)[0].T, np.eye(4)), tmp_path / "x.nii")
    else:
        sitk.WriteImage(sitk.GetImageFromArray(counted(SAGITTAL)[0]), str(tmp_path / f"x.{suffix}"))
    with pytest.raises(ImageReadError, match="a single slice must be stored as a 3D image with one slice"):
        read_volume(tmp_path / f"x.{suffix}")


@pytest.mark.parametrize("suffix", ["mha", "nrrd"])
@pytest.mark.parametrize("kind", ["color", "vector"])
def test_color_and_vector_images_are_refused(tmp_path, suffix, kind):
    array = np.zeros((2, 3, 4, 3 if kind == "color" else 2), np.uint8 if kind == "color" else np.float32)
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=True), str(tmp_path / f"x.{suffix}"))
    with pytest.raises(ImageReadError, match=r"one value a voxel, found [23] \(a color or vector image\)"):
        read_volume(tmp_path / f"x.{suffix}")


@pytest.mark.parametrize("kind", ["color", "vector", "complex"])
def test_color_vector_and_complex_nifti_files_are_refused(tmp_path, kind):
    if kind == "color":
        array = np.zeros((4, 3, 2), np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
    else:
        array = np.zeros((4, 3, 2, 1, 3), np.float32) if kind == "vector" else np.zeros((4, 3, 2), np.complex64)
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / "x.nii.gz")
    with pytest.raises(ImageReadError, match=r"color, vector or complex|5D"):
        read_volume(tmp_path / "x.nii.gz")


def test_a_complex_nrrd_file_is_refused(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((2, 3, 4), np.complex64)), str(tmp_path / "x.nrrd"))
    with pytest.raises(ImageReadError, match=r"complex|one value a voxel"):
        read_volume(tmp_path / "x.nrrd")


def test_a_sheared_nifti_affine_is_refused(tmp_path):
    affine = np.diag([0.5, 0.75, 4.0, 1.0])
    affine[0, 2] = 0.4
    nibabel.save(nibabel.Nifti1Image(counted(SAGITTAL).T, affine), tmp_path / "x.nii")
    with pytest.raises(GeometryError, match=r"x\.nii: expected a direction of three perpendicular unit vectors.*must be resampled first"):
        read_volume(tmp_path / "x.nii")


@pytest.mark.parametrize("entry", [0.0, np.nan, np.inf])
def test_a_nifti_affine_without_a_spacing_is_refused(tmp_path, entry):
    affine = np.diag([0.5, 0.75, entry, 1.0])
    image = nibabel.Nifti1Image(counted(SAGITTAL).T, np.eye(4))
    image.header["srow_z"] = affine[2]
    raw = tmp_path / "x.nii"
    nibabel.save(image, raw)
    data = bytearray(raw.read_bytes())
    data[312:328] = np.asarray(affine[2], "<f4").tobytes()  # srow_z; nibabel itself refuses to write such a file
    raw.write_bytes(data)
    with pytest.raises(GeometryError, match=r"x\.nii: expected (a positive spacing|finite numbers)"):
        read_volume(raw)


def test_whole_numbers_stored_as_floats_are_labels(tmp_path):
    write_volume(tmp_path / "x.nii.gz", volume_on(SAGITTAL, np.float32))
    assert read_labelmap(tmp_path / "x.nii.gz").array.dtype == np.int32


def test_values_between_labels_are_refused(tmp_path):
    write_volume(tmp_path / "x.mha", Volume(counted(SAGITTAL, np.float32) + 0.5, SAGITTAL))
    with pytest.raises(LabelError, match="is this an image"):
        read_labelmap(tmp_path / "x.mha")


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "1 of 24 voxels are NaN or infinite"), (np.inf, "1 of 24 voxels are NaN"), (-np.inf, "1 of 24 voxels are NaN")],
)
def test_intensities_must_be_finite(value, message):
    array = counted(SAGITTAL, np.float32)
    array[1, 2, 3] = value
    with pytest.raises(ImageReadError, match=message):
        check_intensities(Volume(array, SAGITTAL, "x"))


@pytest.mark.parametrize("value", [0, 7])
def test_an_image_of_one_value_has_nothing_to_segment(value):
    with pytest.raises(ImageReadError, match=f"every voxel is {value}"):
        check_intensities(Volume(np.full(SAGITTAL.shape_kji, value, np.int16), SAGITTAL, "x"))


@pytest.mark.parametrize(
    ("name", "suffix", "stem"),
    [
        ("a.mha", ".mha", "a"),
        ("b.nii.gz", ".nii.gz", "b"),
        ("1.2.3.NII.GZ", ".nii.gz", "1.2.3"),
        ("c.d.nrrd", ".nrrd", "c.d"),
        ("e.gz", "", "e.gz"),
        ("f.MHD", ".mhd", "f"),
    ],
)
def test_suffix_and_stem(name, suffix, stem):
    assert (image_suffix(Path("x") / name), image_stem(Path("x") / name)) == (suffix, stem)


@pytest.mark.parametrize("suffix", ["mha", "nii", "nii.gz", "nrrd"])
@pytest.mark.parametrize("room", [0, 100, 5000])
def test_a_full_disk_leaves_nothing_and_says_so(tmp_path, suffix, room):
    noise = np.random.default_rng(0).integers(0, 30000, (8, 40, 40)).astype(np.int16)
    volume = Volume(noise, Geometry((40, 40, 8), (1.0, 1.0, 4.0), (0.0, 0.0, 0.0), SAGITTAL.direction))
    with file_size_limit(room), pytest.raises(OutputError, match=rf"x\.{suffix}: can't write: .*(too large|disk full)"):
        write_volume(tmp_path / f"x.{suffix}", volume)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_the_file_of_before(tmp_path):
    write_bytes_atomically(tmp_path / "x", b"before")
    with file_size_limit(10), pytest.raises(OutputError):
        write_bytes_atomically(tmp_path / "x", b"after" * 10)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x", b"before")]


def write_text(text):
    return lambda path: path.write_text(text)


def fail_with(error):
    def write(path):
        path.write_text("half")
        raise error

    return write


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize("failing", ["a", "b", "c"])
def test_files_written_together_appear_all_or_not_at_all(tmp_path, error, failing):
    (tmp_path / "b").write_text("before")
    files = {tmp_path / name: fail_with(error) if name == failing else write_text(name) for name in "abc"}
    with pytest.raises(OutputError if isinstance(error, OSError) else type(error)):
        write_together(files)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("b", "before")]


def test_a_rename_that_fails_takes_the_new_files_back(tmp_path, monkeypatch):
    real = Path.replace

    def replace(self, target):
        if target.name == "c":
            raise OSError(5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(OutputError, match="c: can't write: Input/output error"):
        write_together({tmp_path / name: write_text(name) for name in "abc"})
    assert list(tmp_path.iterdir()) == []


def test_a_written_file_is_readable_as_any_new_file(tmp_path):
    write_text_atomically(tmp_path / "a.json", "é")
    (tmp_path / "b.json").touch()
    assert (tmp_path / "a.json").read_bytes() == b"\xc3\xa9"
    assert (tmp_path / "a.json").stat().st_mode == (tmp_path / "b.json").stat().st_mode


@pytest.mark.parametrize("name", ["none/x.mha", "file/x.mha", "x.mha/"])
def test_a_place_that_can_t_be_written_is_an_error_that_names_it(tmp_path, name):
    (tmp_path / "file").touch()
    path = tmp_path / name
    if name.endswith("/"):
        path.mkdir()
    with pytest.raises(OutputError, match=r"x\.mha: "):
        write_volume(path, volume_on(SAGITTAL))


def test_an_output_of_unknown_kind_is_refused(tmp_path):
    with pytest.raises(OutputError, match=r"ending in \.mha"):
        write_volume(tmp_path / "x.png", volume_on(SAGITTAL))


def test_a_damaged_gzip_stream_is_an_input_error(tmp_path):
    write_volume(tmp_path / "x.nii.gz", volume_on(SAGITTAL))
    data = bytearray((tmp_path / "x.nii.gz").read_bytes())
    data[40:60] = bytes(20)
    (tmp_path / "x.nii.gz").write_bytes(data)
    with pytest.raises(ImageReadError, match="truncated or damaged"):
        read_volume(tmp_path / "x.nii.gz")


def test_a_header_that_asks_for_more_than_memory_is_an_input_error(tmp_path):
    write_volume(tmp_path / "x.nii.gz", volume_on(SAGITTAL))
    data = bytearray(gzip.decompress((tmp_path / "x.nii.gz").read_bytes()))
    data[42:48] = np.asarray([30000] * 3, "<i2").tobytes()  # dim[1..3]
    (tmp_path / "x.nii").write_bytes(data)
    with pytest.raises(ImageReadError, match="truncated or damaged"):
        read_volume(tmp_path / "x.nii")
