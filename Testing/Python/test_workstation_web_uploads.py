"""Series uploaded to the real server: whole, damaged, too large, hostile, and broken off in the middle."""

from __future__ import annotations

import pytest

pytest.importorskip("trame")

import asyncio
import gzip
import io
import json
import stat
from pathlib import Path

import aiohttp
import nibabel
import numpy as np

from command_line import tree
from dicom_files import AXIAL, write_report, write_series
from small_workstation import running, with_workstation
from SpiderSegLib.errors import InputError
from SpiderSegLib.io import write_volume
from SpiderSegLib.workstation.web.uploads import LARGEST_UPLOAD_BYTES


def form(*files: tuple[str, bytes]) -> aiohttp.FormData:
    data = aiohttp.FormData(quote_fields=False)
    for name, content in files:
        data.add_field("files", io.BytesIO(content), filename=name)
    return data


def of_files(paths: list[Path]) -> aiohttp.FormData:
    return form(*((path.name, path.read_bytes()) for path in paths))


def uploads_folder(workstation) -> Path:
    return workstation.routes.folder / "uploads"


def kept(workstation) -> list[str]:
    """What the private folder of uploads holds, folders too."""
    return tree(uploads_folder(workstation))


async def refused(workstation, status: int, *files: tuple[str, bytes]) -> str:
    """The words of an upload that is refused and leaves nothing."""
    answer = await workstation.post("web/upload", data=form(*files))
    words = (await answer.json())["error"]
    assert answer.status == status, words
    assert kept(workstation) == []
    assert str(workstation.routes.folder) not in words
    return words


@pytest.mark.parametrize("name", ["12_t2.mha", "b.nii.gz", "Ärztin \u4e2d.NRRD", "../../a.mha", "C:\\data\\a.mha", "x" * 300 + ".mha"])
def test_an_image_file_is_kept_privately_and_found_by_its_key(name, small_series, tmp_path):
    suffix = ".nii.gz" if name.endswith(".gz") else f".{name.rpartition('.')[2].lower()}"
    path = tmp_path / f"series{suffix}"
    write_volume(path, small_series)

    async def check(workstation):
        answer = await workstation.post("web/upload", data=form((name, path.read_bytes())))
        assert answer.status == 200, await answer.text()
        told = await answer.json()
        shown = name.replace("\\", "/").rpartition("/")[2][:200]
        assert told["name"] == shown
        assert told["series"] == [{"name": shown, "key": told["key"], "detail": told["detail"]}]
        assert told["leftOut"] == []
        series = workstation.routes.uploads.find(told["key"])
        assert np.array_equal(series.read().array, small_series.array)
        assert series.path.is_relative_to(uploads_folder(workstation))
        assert series.path.name == f"00000{suffix}"
        for folder in (workstation.routes.folder, series.path.parent.parent):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    if len(name) < 200:
        with_workstation(check)
    else:
        # The end of a name tells what a file is, and is kept with no more than the page shows.
        with_workstation(lambda workstation: refused_as_unknown(workstation, name, path.read_bytes()))


async def refused_as_unknown(workstation, name: str, content: bytes) -> None:
    assert "neither an image file" in await refused(workstation, 422, (name, content))


def test_a_dicom_series_of_many_files_is_one_series(tmp_path):
    paths = write_series(tmp_path / "study", 3, "SAG T2")
    write_report(tmp_path / "study")

    async def check(workstation):
        # The files of folders on a disc are called the same.
        files = [(f"DISC/S{n}/IM1", path.read_bytes()) for n, path in enumerate([*paths, tmp_path / "study" / "report.dcm"])]
        told = await (await workstation.post("web/upload", data=form(*files, ("autorun.inf", b"[autorun]")))).json()
        assert (told["name"], told["detail"]) == ("3 SAG T2", "DICOM, 5 files")
        assert told["leftOut"] == [{"name": "autorun.inf", "reason": "neither an image file (.mha, .nii, .nii.gz, .nrrd) nor DICOM"}]
        assert workstation.routes.uploads.find(told["key"]).read().array.shape == (5, 6, 8)

    with_workstation(check)


def test_a_study_gives_its_sagittal_series_and_says_why_others_are_left_out(tmp_path):
    paths = [
        path
        for number, description, options in ((1, "SAG T1", {}), (2, "SAG T2", {}), (3, "TRA T2", {"orientation": AXIAL}))
        for path in write_series(tmp_path / "study", number, description, **options)
    ]

    async def check(workstation):
        told = await (await workstation.post("web/upload", data=of_files(paths))).json()
        assert [one["name"] for one in told["series"]] == ["1 SAG T1", "2 SAG T2"]
        assert told["leftOut"] == [{"name": "3 TRA T2", "reason": "axial, not sagittal"}]
        assert len({one["key"] for one in told["series"]}) == 2

    with_workstation(check)


def test_a_single_series_is_taken_whatever_its_header_says(tmp_path):
    paths = write_series(tmp_path / "study", 3, "TRA T2", orientation=AXIAL)

    async def check(workstation):
        assert (await (await workstation.post("web/upload", data=of_files(paths))).json())["name"] == "3 TRA T2"

    with_workstation(check)


GARBAGE = [
    ("notes.txt", b"hello", "neither an image file"),
    ("a.mha", b"", "the file is empty"),
    ("a.mha", b"\x00\xff" * 500, "not an image of the kind its suffix .mha says"),
    ("a.nrrd", b"NRRD0004\ntype: float\n\n", "not an image of the kind"),
    ("a.nii.gz", b"\x1f\x8b" + bytes(100), "not a readable NIfTI file"),
    ("a.nii", b"<html>", "not a readable NIfTI file"),
    ("a.mhd", b"NDims = 3\n", "has its voxels in another file"),
    ("mask.seg.nrrd", b"NRRD0004\n", "a segmentation, not a series"),
    ("IM1", bytes(128) + b"DICM" + bytes(50), "no DICOM image series found"),
    ("script.mha.exe", b"MZ", "neither an image file"),
]


@pytest.mark.parametrize(("name", "content", "words"), GARBAGE)
def test_garbage_is_refused_with_the_reader_s_words_and_leaves_nothing(name, content, words):
    async def check(workstation):
        found = await refused(workstation, 422, (name, content))
        assert words in found
        assert name in found or name == "IM1"

    with_workstation(check)


def test_one_damaged_file_refuses_the_whole_upload(small_series, tmp_path):
    write_volume(tmp_path / "a.mha", small_series)
    whole = (tmp_path / "a.mha").read_bytes()

    async def check(workstation):
        assert "b.mha" in await refused(workstation, 422, ("a.mha", whole), ("b.mha", whole[: len(whole) // 2]))

    with_workstation(check)


META_IMAGE = b"ObjectType = Image\nNDims = 3\nDimSize = %s\nElementSpacing = 1 1 1\nElementType = MET_UCHAR\nElementDataFile = %s\n"
NRRD = b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 2\nencoding: raw\n%s\n\n"


@pytest.mark.parametrize("reference", ["/etc/passwd", "secret.raw", "LIST", "../secret.raw"])
def test_a_header_can_t_have_another_file_of_the_computer_read(reference, tmp_path):
    async def check(workstation):
        content = META_IMAGE % (b"2 2 2", reference.encode())
        assert "another file for its voxels" in await refused(workstation, 422, ("a.mha", content))
        for line in (b"data file: ", b"datafile: "):
            assert "another file for its voxels" in await refused(workstation, 422, ("a.nrrd", NRRD % (line + reference.encode())))

    with_workstation(check)


def test_a_header_that_asks_for_more_memory_than_any_series_is_refused_before_it_is_read():
    nifti = nibabel.Nifti1Header()
    nifti.set_data_shape((30000, 30000, 300))
    nifti["magic"] = b"n+1\0"
    nifti["vox_offset"] = 352

    async def check(workstation):
        for name, content in (
            ("a.mha", META_IMAGE % (b"30000 30000 300", b"LOCAL")),
            ("a.nii", nifti.binaryblock + bytes(1000)),
            ("a.nii.gz", gzip.compress(nifti.binaryblock + bytes(1000))),
        ):
            assert "expected at most 268435456 voxels, found 270000000000" in await refused(workstation, 422, (name, content))

    with_workstation(check)


def test_more_than_the_limit_is_refused_before_it_is_sent():
    async def check(workstation):
        reader, writer = await begin_upload(workstation, length=17 * 1024 * 1024)
        assert (await reader.readline()).split()[1] == b"413"
        head, _, rest = (await reader.readuntil(b"}")).rpartition(b"\r\n\r\n")
        assert b"application/json" in head
        assert "spiderseg workstation" in json.loads(rest)["error"]
        assert kept(workstation) == []
        writer.transport.abort()
        await workstation.is_open()  # answered after the end of the other connection was seen

    with_workstation(check, largestUploadBytes=1000)


def test_the_stream_is_counted_whatever_its_length_says(small_series, tmp_path):
    write_volume(tmp_path / "a.mha", small_series)
    content = (tmp_path / "a.mha").read_bytes()

    async def check(workstation):
        async def chunks():
            yield b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.mha"\r\n\r\n'
            for n in range(0, len(content), 100):
                yield content[n : n + 100]
            yield b"\r\n--x--\r\n"

        headers = {"Origin": workstation.origin, "Content-Type": "multipart/form-data; boundary=x"}
        answer = await workstation.client.post(workstation.url / "web" / "upload", data=chunks(), headers=headers)
        assert answer.status == 413
        assert kept(workstation) == []
        answer = await workstation.post("web/upload", data=form(("junk.bin", content), ("a.mha", content[:100])))
        assert answer.status == 413

    with_workstation(check, largestUploadBytes=len(content) - 1)


def test_what_is_kept_counts_for_the_next_upload(small_series, tmp_path):
    write_volume(tmp_path / "a.mha", small_series)
    content = (tmp_path / "a.mha").read_bytes()

    async def check(workstation):
        statuses = [(await workstation.post("web/upload", data=form(("a.mha", content)))).status for _ in range(2)]
        assert statuses == [200, 413]
        assert len([name for name in kept(workstation) if name.endswith(".mha")]) == 1

    with_workstation(check, largestUploadBytes=len(content) + 10)


def test_the_limit_is_two_gigabytes():
    assert LARGEST_UPLOAD_BYTES == 2 * 1024**3


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 400),
        ("multipart/form-data", b"no boundary", 400),
        ("multipart/form-data; boundary=x", b"nothing of the kind", 400),
        ("multipart/form-data; boundary=x", b"--x--\r\n", 422),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="f"\r\n\r\na field\r\n--x--\r\n', 422),
    ],
)
def test_a_body_that_is_no_form_of_files_is_refused_in_words(content_type, body, status):
    async def check(workstation):
        headers = {"Origin": workstation.origin, "Content-Type": content_type}
        answer = await workstation.client.post(workstation.url / "web" / "upload", data=body, headers=headers)
        assert answer.status == status
        assert (await answer.json())["error"]
        assert kept(workstation) == []

    with_workstation(check)


async def begin_upload(workstation, length: int, *body: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection over which the beginning of an upload was sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", workstation.url.port)
    (cookie,) = workstation.client.cookie_jar
    head = [
        "POST /web/upload HTTP/1.1",
        f"Host: 127.0.0.1:{workstation.url.port}",
        f"Origin: {workstation.origin}",
        f"Cookie: {cookie.key}={cookie.value}",
        "Content-Type: multipart/form-data; boundary=x",
        f"Content-Length: {length}",
        "",
    ]
    writer.write("\r\n".join([*head, *body, ""]).encode())
    await writer.drain()
    return reader, writer


async def begin_a_file(workstation) -> asyncio.StreamWriter:
    """An upload that was sent up to the middle of its one file, of which the disk holds something."""
    _, writer = await begin_upload(workstation, 1_000_000_000, "--x", 'Content-Disposition: form-data; name="f"; filename="a.mha"', "")
    while not any(name.endswith(".mha") for name in kept(workstation)):
        writer.write(b"ObjectType = Image\n" * 5000)
        await writer.drain()
    return writer


def test_an_upload_that_is_broken_off_leaves_nothing_and_the_next_one_works(small_series, tmp_path):
    write_volume(tmp_path / "a.mha", small_series)

    async def check(workstation):
        writer = await begin_a_file(workstation)
        writer.transport.abort()
        while kept(workstation):
            await asyncio.sleep(0)
        assert (await workstation.post("web/upload", data=of_files([tmp_path / "a.mha"]))).status == 200

    with_workstation(check)


def test_a_second_upload_at_the_same_time_is_told_to_wait():
    async def check(workstation):
        writer = await begin_a_file(workstation)
        answer = await workstation.post("web/upload", data=form(("a.mha", b"x")))
        assert (answer.status, await answer.json()) == (409, {"error": "another upload is still running; wait until it is done"})
        writer.transport.abort()

    with_workstation(check)


def test_the_server_stops_in_the_middle_of_an_upload_and_leaves_nothing():
    async def run():
        async with running() as workstation:
            folder = workstation.routes.folder
            writer = await begin_a_file(workstation)
        assert not folder.exists()
        writer.transport.abort()

    asyncio.run(run())


def test_an_unknown_key_is_said():
    async def check(workstation):
        with pytest.raises(InputError, match="upload the series again"):
            workstation.routes.uploads.find("x")

    with_workstation(check)
