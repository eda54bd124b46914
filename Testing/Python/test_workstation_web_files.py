"""Which files the page may name, and how files are given out: a folder with links out of it, and the real server."""

from __future__ import annotations

import pytest

pytest.importorskip("trame")

import asyncio
import os

import numpy as np

from dicom_files import AXIAL, write_report, write_series
from small_workstation import with_workstation
from SpiderSegLib.errors import InputError
from SpiderSegLib.io import write_volume
from SpiderSegLib.workstation.web.opened_folder import OpenedFolder

# What is opened


@pytest.fixture
def opened(tmp_path, small_series):
    """A folder of two series with an outsider beside it: a file, and links that lead to it."""
    folder = tmp_path / "opened"
    (folder / "inner").mkdir(parents=True)
    write_volume(folder / "1_t2.mha", small_series)
    write_volume(folder / "inner" / "2_t1.nii.gz", small_series)
    write_volume(tmp_path / "secret.mha", small_series)
    (folder / "notes.txt").write_text("no series")
    (folder / ".hidden.mha").write_bytes(b"")
    (folder / "mask.seg.nrrd").write_bytes(b"")
    (folder / "link.mha").symlink_to(tmp_path / "secret.mha")
    (folder / "up").symlink_to(tmp_path, target_is_directory=True)
    (folder / "circle.mha").symlink_to(folder / "circle.mha")
    (folder / "same.mha").symlink_to(folder / "1_t2.mha")
    return folder


def test_series_are_listed_by_names_inside_the_folder_and_links_out_of_it_are_not(opened):
    listed = OpenedFolder(opened).list_series()
    assert [series.name for series in listed] == ["1_t2.mha", "same.mha", "inner/2_t1.nii.gz"]
    assert [series.detail for series in listed] == ["0.0 MB"] * 3


def test_a_listed_series_is_found_by_its_name_and_can_be_read(opened, small_series):
    folder = OpenedFolder(opened)
    folder.list_series()
    for name in ("1_t2.mha", "inner/2_t1.nii.gz"):
        assert np.array_equal(folder.find(name).read().array, small_series.array)


@pytest.mark.parametrize("name", ["", "secret.mha", "../secret.mha", "link.mha", "notes.txt", "1_T2.mha ", "inner/../1_t2.mha"])
def test_a_name_that_was_not_listed_is_refused(opened, name):
    folder = OpenedFolder(opened)
    folder.list_series()
    with pytest.raises(InputError, match="no series of opened"):
        folder.find(name)


def test_a_series_that_became_a_link_to_elsewhere_is_refused(opened, tmp_path):
    folder = OpenedFolder(opened)
    folder.list_series()
    (opened / "1_t2.mha").unlink()
    (opened / "1_t2.mha").symlink_to(tmp_path / "secret.mha")
    with pytest.raises(InputError, match="leads outside opened"):
        folder.find("1_t2.mha")


OUTSIDE = [
    *("..", "../secret.mha", "inner/../../secret.mha", "inner/../1_t2.mha", "./../secret.mha", "inner/.."),
    *("/etc/passwd", "//etc/passwd", "/", "", "1_t2.mha\0", "1_t2.mha\n", "\ud800", "a" * 5000),
    *("link.mha", "up", "up/secret.mha", "circle.mha", "no.mha", "1_t2.mha/x", "..\\secret.mha", "C:\\secret.mha", "file:///etc/passwd"),
]


@pytest.mark.parametrize("name", OUTSIDE, ids=lambda name: ascii(name[:30]))
def test_no_name_leads_out_of_the_folder(opened, name):
    with pytest.raises(InputError) as caught:
        OpenedFolder(opened).resolve(name)
    assert str(opened.parent) not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_names_inside_lead_to_their_files(opened):
    folder = OpenedFolder(opened)
    assert folder.resolve("1_t2.mha") == opened.resolve() / "1_t2.mha"
    assert folder.resolve("same.mha") == opened.resolve() / "1_t2.mha"
    assert folder.resolve("./inner/2_t1.nii.gz") == opened.resolve() / "inner" / "2_t1.nii.gz"


def test_of_an_opened_file_nothing_beside_it_is_reached(opened):
    folder = OpenedFolder(opened / "1_t2.mha")
    assert [series.name for series in folder.list_series()] == ["1_t2.mha"]
    assert folder.resolve("1_t2.mha") == opened.resolve() / "1_t2.mha"
    for name in ("same.mha.", "inner", "inner/2_t1.nii.gz", "notes.txt", ".."):
        with pytest.raises(InputError):
            folder.resolve(name)


def test_what_is_not_there_can_t_be_opened(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        OpenedFolder(tmp_path / "none")


def test_dicom_series_are_listed_by_folder_and_description(tmp_path):
    write_series(tmp_path / "study", 2, "SAG T1")
    write_series(tmp_path / "study", 3, "SAG T2")
    write_series(tmp_path / "study", 4, "TRA T2", orientation=AXIAL)
    write_report(tmp_path / "study")
    write_series(tmp_path / "alone", 7, "SAG T2")
    folder = OpenedFolder(tmp_path)
    listed = folder.list_series()
    assert [(series.name, series.detail) for series in listed] == [
        ("alone", "DICOM, 5 files"),
        ("study: 2 SAG T1", "DICOM, 5 files"),
        ("study: 3 SAG T2", "DICOM, 5 files"),
    ]
    assert folder.find("study: 3 SAG T2").read().array.shape == (5, 6, 8)


def test_dicom_files_that_are_links_to_elsewhere_are_left_out(tmp_path):
    files = write_series(tmp_path / "elsewhere", 2, "SAG T2")
    opened = tmp_path / "opened"
    opened.mkdir()
    for file in files:
        (opened / file.name).symlink_to(file)
    assert OpenedFolder(opened).list_series() == ()


def test_a_name_that_no_page_can_show_is_left_out(opened, small_series):
    write_volume(opened / "a\nb.mha", small_series)
    (opened / os.fsdecode(b"\xff.mha")).write_bytes(b"")
    assert len(OpenedFolder(opened).list_series()) == 3


# What is given out


def test_a_file_is_fetched_once_under_the_name_it_was_offered_with():
    async def check(workstation):
        path = workstation.routes.folder / "result.bin"
        path.write_bytes(b"labels")
        url = workstation.routes.downloads.offer_file(path, 'L5 "\u00fc\u4e2d"/..\\a\r\nX: y.mha')
        assert str(path) not in url
        answer = await workstation.client.get(workstation.origin + url)
        assert await answer.read() == b"labels"
        disposition = answer.headers["Content-Disposition"]
        assert disposition == ("attachment; filename=\"L5 _____.._a__X_ y.mha\"; filename*=UTF-8''L5%20_%C3%BC%E4%B8%AD__.._a__X_%20y.mha")
        assert answer.headers["Content-Type"] == "application/octet-stream"
        while path.exists():
            await asyncio.sleep(0)
        assert (await workstation.client.get(workstation.origin + url)).status == 404

    with_workstation(check)


def test_a_page_is_shown_until_it_is_forgotten_and_runs_nothing():
    async def check(workstation):
        path = workstation.routes.folder / "report.html"
        path.write_text("<h1>Report</h1>", encoding="utf-8")
        url = workstation.routes.downloads.offer_page(path, "report.html")
        for _ in range(2):
            answer = await workstation.client.get(workstation.origin + url)
            assert await answer.text() == "<h1>Report</h1>"
            assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
            assert answer.headers["Content-Disposition"].startswith("inline; ")
            assert "script" not in answer.headers["Content-Security-Policy"]
        workstation.routes.downloads.forget(url)
        workstation.routes.downloads.forget(url)
        assert not path.exists()
        assert (await workstation.client.get(workstation.origin + url)).status == 404

    with_workstation(check)


def test_a_download_that_broke_off_can_be_fetched_again():
    async def check(workstation):
        path = workstation.routes.folder / "large.bin"
        path.write_bytes(bytes(32 * 1024 * 1024))
        url = workstation.routes.downloads.offer_file(path, "large.bin")
        answer = await workstation.client.get(workstation.origin + url)
        await answer.content.readexactly(1000)
        answer.close()
        while (answer := await workstation.client.get(workstation.origin + url)).status == 404:
            await asyncio.sleep(0)
        assert len(await answer.read()) == 32 * 1024 * 1024

    with_workstation(check)


def test_nobody_without_the_cookie_fetches_a_file_and_asking_does_not_spend_it():
    async def check(workstation):
        path = workstation.routes.folder / "result.bin"
        path.write_bytes(b"labels")
        url = workstation.origin + workstation.routes.downloads.offer_file(path, "a.mha")
        assert (await workstation.stranger.get(url)).status == 403
        assert (await workstation.client.head(url)).status in (404, 405)
        assert (await workstation.client.get(url)).status == 200

    with_workstation(check)


PATHS = [
    *("/../../../../etc/passwd", "/..%2f..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/web/../../../etc/passwd"),
    *(
        "/web/..%2f..%2fSpiderLabels.csv",
        "/web/%2e%2e/%2e%2e/SpiderLabels.csv",
        "/files/..%2f..%2fetc%2fpasswd",
        "/web/%00",
        "/web/",
        "/web",
        "/files/",
    ),
    *("/web//etc/passwd", "/web/....//....//SpiderLabels.csv", "/web/..\\..\\SpiderLabels.csv", "/assets/..%5c..%5cindex.html", "/files"),
]


@pytest.mark.parametrize("path", PATHS)
def test_no_address_reaches_another_file(path):
    async def check(workstation):
        reader, writer = await asyncio.open_connection("127.0.0.1", workstation.url.port)
        (cookie,) = workstation.client.cookie_jar
        # As it stands: a client would tidy it up.
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{workstation.url.port}\r\nCookie: {cookie.key}={cookie.value}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        answer = (await reader.read()).decode()
        writer.close()
        assert answer.split()[1] in ("400", "403", "404")
        assert "root:" not in answer
        assert "Nucleus" not in answer

    with_workstation(check)
