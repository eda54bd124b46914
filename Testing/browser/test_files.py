"""What goes in and out: a series by the file chooser, every format of an export read by other programs, and the report on paper."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from playwright.sync_api import expect

from browser.case_page import FREE, CasePage
from browser.phantoms import GRID, phantom
from browser.served import Served, workstation_command
from dicom_files import AXIAL, write_series
from SpiderSegLib.dicom import list_series
from SpiderSegLib.level_names import RESEARCH_USE
from SpiderSegLib.segmentation_files import DicomSource, read_dicom_seg, read_segmentation

#: The buttons of the export dialog, by the suffix of what they write.
FORMATS = {".mha": "MetaImage", ".nii.gz": "NIfTI", ".seg.nrrd": "3D Slicer segmentation", ".dcm": "DICOM SEG"}

VERTEBRAE = ("L5?", "L4?", "L3?", "L2?", "L1?")

ML_A_VOXEL = float(np.prod(GRID.spacing_ijk_mm)) / 1000

#: A segmentation of the phantom on two busy cores.
RUN_PATIENCE_MS = 300_000


@pytest.fixture(scope="module")
def dicom_folder(tmp_path_factory):
    """The phantom as a DICOM series, in one file a slice."""
    folder = tmp_path_factory.mktemp("dicom") / "T2_SAG"
    volume = phantom().volume
    tags = {"PatientName": "Müller^Eva", "SpecificCharacterSet": "ISO_IR 100", "FrameOfReferenceUID": "1.2.3"}
    for k, path in enumerate(write_series(folder, 3, "T2 SAG", range(len(volume.array)), **tags)):
        dataset = pydicom.dcmread(path)
        dataset.Rows, dataset.Columns = volume.array.shape[1:]
        dataset.PixelData = volume.array[k].astype(np.uint16).tobytes()
        dataset.PixelSpacing = [GRID.spacing_ijk_mm[1], GRID.spacing_ijk_mm[0]]
        dataset.SpacingBetweenSlices = dataset.SliceThickness = GRID.spacing_ijk_mm[2]
        dataset.ImagePositionPatient = [float(x) for x in (np.diag([-1, -1, 1, 1]) @ GRID.affine_ras @ (0, 0, k, 1))[:3]]
        dataset.save_as(path, enforce_file_format=True)
    return folder


@pytest.fixture(scope="module")
def loose(browser, tmp_path_factory):
    """A workstation with nothing opened at first."""
    server = Served(workstation_command(None, "--annotator", "Ada", "--device", "cpu"), tmp_path_factory.mktemp("temporary"))
    yield server
    assert server.stop() == 0
    assert not server.faults(), server.text


@pytest.fixture
def segmented(loose, visit, dicom_folder):
    """The DICOM series, uploaded and segmented by the model; once for all tests of the module that need it."""
    person = visit(loose)
    person.page.wait_for_function("window.trame?.state?.get('uploadUrl')")
    if person.page.evaluate("window.trame.state.get('currentCase')?.name !== '3 T2 SAG'"):
        _to_the_start(person)
        person.upload("Choose files", sorted(dicom_folder.iterdir()))
        person.sees("heading", "3 T2 SAG")
        person.click("Segment")
        expect(person.find("row", "L4?")).to_be_visible(timeout=RUN_PATIENCE_MS)
        person.reads("Not exported yet; kept on this computer")
    elif person.page.evaluate("window.trame.state.get('mode') !== 'case'"):
        person.click("Back to the series")
    person.view("Sagittal", GRID).waits_for_the_image()
    return CasePage(person)


# In


def test_a_series_that_is_chosen_in_the_file_dialog_is_opened(loose, visit, phantom_series):
    person = visit(loose)
    _to_the_start(person)
    person.upload("Choose files", [phantom_series])
    person.sees("heading", "P01_t2")
    person.reads("180 x 200 x 11 voxels of 1.50 x 1.50 x 5.00 mm")
    person.view("Sagittal", GRID).waits_for_the_image()
    person.reads("No levels yet")
    export = person.sees("button", "Export")
    expect(export).to_have_attribute("aria-disabled", "true")
    expect(export).to_have_accessible_description("There is no segmentation yet: segment the series first.")


def test_one_series_of_an_uploaded_study_is_chosen(loose, visit, tmp_path):
    paths = [path for number, name in ((1, "SAG T1"), (2, "SAG T2")) for path in write_series(tmp_path / "study", number, name)]
    paths += write_series(tmp_path / "study", 3, "TRA T2", orientation=AXIAL)
    person = visit(loose)
    _to_the_start(person)
    person.upload("Choose files", paths)
    person.reads("Which of these series?")
    person.sees_no("button", re.compile("TRA T2"))
    person.click(re.compile("^2 SAG T2"))
    person.sees("heading", "2 SAG T2")


def test_a_folder_is_chosen_and_opened(loose, visit, tmp_path):
    write_series(tmp_path / "study" / "IMAGES", 7, "T1 SAG")
    (tmp_path / "study" / "autorun.inf").write_bytes(b"[autorun]")
    person = visit(loose)
    _to_the_start(person)
    person.upload("Choose a folder", [tmp_path / "study"])
    person.sees("heading", "7 T1 SAG")


# Out


@pytest.mark.parametrize("suffix", [".mha", ".nii.gz", ".seg.nrrd"])
def test_an_exported_prediction_has_its_values_and_its_grid(case, tmp_path, suffix):
    paths = _exported(case.person, suffix, tmp_path)
    case.is_told(f"Exported P01_t2_segmentation{suffix}; your browser saves it.")
    _has_grid_and_values(paths[suffix], phantom().labelmap.array)
    if suffix == ".seg.nrrd":
        assert np.array_equal(read_segmentation(paths[suffix]).named.labelmap.array, phantom().labelmap.array)
        return
    sidecar = json.loads(paths[".json"].read_text(encoding="utf-8"))
    assert sidecar["level_state"]["state"] == "assumed"
    assert {level["value"] for level in sidecar["levels"]} == set(np.unique(phantom().labelmap.array)) - {0}
    assert RESEARCH_USE in paths[".json"].read_text(encoding="utf-8")


def test_what_is_on_screen_is_what_is_exported(case, tmp_path):
    case.select("L3")
    before = case.volume_ml("L3")
    case.person.click("Paint")
    case.sagittal().click(FREE)
    case.sees_level("L3", FREE)
    painted = case.waits_for_volume("L3", lambda volume: volume != before, "is larger")
    path = _exported(case.person, ".mha", tmp_path)[".mha"]
    values = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    changed = values != phantom().labelmap.array
    assert set(values[changed]) == {3}
    assert np.count_nonzero(values == 3) * ML_A_VOXEL == pytest.approx(painted, abs=0.051)


def test_dicom_seg_is_refused_in_words_for_a_series_that_is_not_from_dicom(case):
    _open_export(case.person)
    button = case.person.sees("button", re.compile("^DICOM SEG"))
    why = "Only for series that were opened from DICOM: the file refers to the original images."
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_accessible_description(why)
    button.click(force=True)
    case.person.reads(why)
    case.person.sees("heading", "Export the segmentation")
    case.person.press("Escape")
    case.page.evaluate("window.trame.trigger('act', ['export', 'dicomSeg'])")
    case.is_told(re.compile("P01_t2 was not opened from DICOM, and DICOM SEG refers to the original images"))


def test_a_dicom_series_is_exported_as_dicom_seg_and_as_everything_else(segmented, tmp_path, dicom_folder):
    person = segmented.person
    paths = {suffix: _exported(person, suffix, tmp_path)[suffix] for suffix in FORMATS}
    (series,) = list_series(dicom_folder)
    read = read_dicom_seg(paths[".dcm"], DicomSource.of(series))
    values = read.named.labelmap.array
    assert read.named.labelmap.geometry.is_same_grid(GRID)
    # Really the phantom's levels, as far as the model finds their edges on so coarse a grid.
    assert np.mean(values[phantom().labelmap.array == 3] == 3) > 0.7
    assert np.count_nonzero(values == 3) * ML_A_VOXEL == pytest.approx(segmented.volume_ml("L3"), abs=0.051)
    for suffix in (".mha", ".nii.gz", ".seg.nrrd"):
        _has_grid_and_values(paths[suffix], values)
    dataset = pydicom.dcmread(paths[".dcm"])
    original = pydicom.dcmread(next(dicom_folder.iterdir()))
    assert dataset.Modality == "SEG"
    assert (dataset.StudyInstanceUID, dataset.PatientName) == (original.StudyInstanceUID, original.PatientName)
    person.reads("Exported")
    person.sees_no("status", re.compile("Not exported yet"))


def test_an_uploaded_series_that_was_segmented_is_there_when_the_page_is_loaded_again(segmented):
    segmented.page.reload()
    segmented.person.sees("heading", "3 T2 SAG")
    for name in VERTEBRAE:
        segmented.person.sees("row", name)


# The report


def test_the_report_opens_in_a_tab_names_the_levels_and_asks_for_nothing(case):
    asked = []
    case.page.context.on("request", lambda request: asked.append(request.url))
    report = _report(case.person)
    expect(report.get_by_role("heading", name="Segmentation report: P01_t2")).to_be_visible()
    expect(report.get_by_text(re.compile(RESEARCH_USE)).first).to_be_visible()
    for name in (*VERTEBRAE, "L4/L5?", "L5/S1?", "Spinal canal"):
        expect(report.get_by_role("cell", name=name, exact=True).or_(report.get_by_role("rowheader", name=name, exact=True)).first).to_be_visible()
    expect(report.get_by_text("Ada", exact=True).first).to_be_visible()
    assert report.locator("svg image, img").count() > 0
    assert report.locator("script, link, iframe").count() == 0
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/files/[\w-]+", report.url)
    # The workstation's own pictures are blobs.
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [report.url]
    report.reload()
    expect(report.get_by_role("heading", name="Segmentation report: P01_t2")).to_be_visible()
    # The workstation goes on beside it.
    case.person.sees("heading", "P01_t2")


def test_the_report_is_printed_with_its_picture(case, tmp_path):
    report = _report(case.person)
    expect(report.get_by_role("heading", name="Segmentation report: P01_t2")).to_be_visible()
    path = tmp_path / "report.pdf"
    report.pdf(path=path, format="A4")
    content = path.read_bytes()
    assert content.startswith(b"%PDF-")
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 3
    assert re.search(rb"/Subtype\s*/Image", content)
    assert re.search(rb"/Type\s*/Font\b", content)


def test_the_report_of_a_saved_case_says_what_was_corrected_and_by_whom(workstation, visit, phantom_project):
    person = visit(workstation(phantom_project, "--annotator", "Dr. L. Klein"))
    person.click("P01_t2", role="row")
    person.sees("row", "L4?")
    case = CasePage(person)
    case.select("L3")
    person.click("Paint")
    case.sagittal().click(FREE)
    case.sees_level("L3", FREE)
    person.click("Done")
    person.reads(re.compile("Saved P01_t2 as done"))
    report = _report(person)
    for words in ("Dr. L. Klein", "done", re.compile("a prediction, corrected")):
        expect(report.get_by_text(words).first).to_be_visible()


def _to_the_start(person):
    """The start page, whatever is open."""
    person.page.wait_for_function("window.trame?.state?.get('uploadUrl')")
    if person.page.evaluate("window.trame.state.get('mode') === 'case'"):
        person.click("Open")
    person.sees("button", "Choose files")


def _open_export(person):
    person.click("Menu")
    person.click("Export ..", role="menuitem")
    person.sees("heading", "Export the segmentation")


def _exported(person, suffix, folder):
    """Exports in the dialog; the files that the browser saved, by their suffixes."""
    suffixes = [suffix, ".json"] if suffix in (".mha", ".nii.gz") else [suffix]
    _open_export(person)
    with ExitStack() as stack:
        waiting = {end: stack.enter_context(person.page.expect_download(_ends_with(end))) for end in suffixes}
        person.click(re.compile(f"^{FORMATS[suffix]}"))
    paths = {}
    for end, one in waiting.items():
        paths[end] = folder / one.value.suggested_filename
        one.value.save_as(paths[end])
    return paths


def _ends_with(end):
    return lambda download: download.suggested_filename.endswith(end)


def _has_grid_and_values(path, values):
    image = sitk.ReadImage(str(path))
    assert np.array_equal(sitk.GetArrayFromImage(image), values)
    assert image.GetSize() == tuple(GRID.size_ijk)
    assert image.GetSpacing() == pytest.approx(GRID.spacing_ijk_mm)
    assert image.GetOrigin() == pytest.approx(GRID.origin_lps_mm, abs=1e-3)
    assert image.GetDirection() == pytest.approx(GRID.direction, abs=1e-5)


def _report(person):
    """The page of the report, in its own tab."""
    person.click("Menu")
    with person.page.context.expect_page() as opened:
        person.click("Report of this case", role="menuitem")
    return opened.value
