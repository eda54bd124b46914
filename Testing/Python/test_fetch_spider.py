"""Fetching SPIDER from a record: a small stand-in record on a local server that can fail in the ways real ones do."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import re
import shutil
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from SpiderSegLib.cli.main import run
from SpiderSegLib.errors import DownloadError, InputError, OutputError
from SpiderSegLib.zenodo import FETCHED_NAME, FetchOptions, fetch, read_record, unpack
from SpiderSegLib.zenodo.record import is_plain_name

GRADINGS = b"Patient,IVD label\n1,1\n"
OVERVIEW = b"new_file_name,subset\n1_t1,training\n" * 40
IMAGE, MASK = b"image of 1_t1" * 100, b"mask of 1_t1" * 50


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


@dataclass
class Server:
    """A stand-in for zenodo.org; the fields say what it serves, how it misbehaves, and what it was asked."""

    files: dict[str, bytes]
    address: str = ""
    checksums: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    etag: str = '"1"'
    knows_ranges: bool = True
    cut_after: int | None = None
    status: int = 200
    redirect: str = ""
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    @property
    def record_url(self) -> str:
        return f"{self.address}/api/records/1"

    def record(self) -> dict[str, object]:
        """The shape of Zenodo's own JSON, with what is not used left out."""
        entries = [
            {
                "id": "ee5f",
                "key": self.names.get(name, name),
                "size": len(content),
                "checksum": self.checksums.get(name, f"md5:{hashlib.md5(content).hexdigest()}"),
                "links": {"self": f"{self.address}/api/records/1/files/{name}/content"},
            }
            for name, content in self.files.items()
        ]
        return {
            "id": 1,
            "doi": "10.5281/zenodo.1",
            "metadata": {
                "title": "A small stand-in",
                "license": {"id": "cc-by-4.0"},
                "creators": [{"name": "Graaf, J.", "affiliation": None}, {"name": "Hooff, M.", "affiliation": None}],
                "publication_date": "2023-11-20",
            },
            "files": entries,
        }

    def asked_for(self, name: str) -> list[str | None]:
        """The Range header of every request for a file."""
        return [range_ for path, range_ in self.requests if path.endswith(f"/files/{name}/content")]


def handler_of(server: Server) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.requests.append((self.path, self.headers["Range"]))
            if server.redirect:
                self.send_response(302)
                self.send_header("Location", server.redirect)
                self.end_headers()
            elif server.status != 200:
                self.send_error(server.status)
            elif self.path == "/api/records/1":
                self._send(json.dumps(server.record()).encode())
            else:
                self._send_file(server.files[self.path.split("/")[-2]])

        def _send_file(self, content: bytes) -> None:
            found = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
            is_same = self.headers["If-Range"] in (None, server.etag)
            if not found or not server.knows_ranges or not is_same:
                self._send(content, server.cut_after)
                return
            first = int(found.group(1))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
            self._send(content[first:], server.cut_after, status=None)

        def _send(self, content: bytes, cut_after: int | None = None, status: int | None = 200) -> None:
            if status is not None:
                self.send_response(status)
            self.send_header("ETag", server.etag)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[:cut_after])

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    state = Server(
        {
            "images.zip": zipped({"images/1_t1.mha": IMAGE, "__MACOSX/images/._1_t1.mha": b"junk"}),
            "masks.zip": zipped({"1_t1.mha": MASK}),
            "overview.csv": OVERVIEW,
            "radiological_gradings.csv": GRADINGS,
        }
    )
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler_of(state))
    state.address = f"http://127.0.0.1:{served.server_address[1]}"
    # The default interval of half a second is how long shutdown waits.
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    served.shutdown()
    thread.join()
    served.server_close()


def fetch_all(server: Server, folder: Path, options: FetchOptions | None = None):
    return fetch(read_record(server.record_url), folder, options or FetchOptions(), lambda *_: None)


def content(folder: Path) -> dict[str, bytes]:
    """Every file but the note about the record."""
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: data for name, data in files.items() if name != FETCHED_NAME}


LAYOUT = {"images/1_t1.mha": IMAGE, "masks/1_t1.mha": MASK, "overview.csv": OVERVIEW, "radiological_gradings.csv": GRADINGS}


# The whole way


def test_the_command_leaves_spiders_layout_and_says_licence_and_citation(server, tmp_path, capsys):
    assert run(["fetch-spider", str(tmp_path / "spider"), "--record-url", server.record_url]) == 0
    assert content(tmp_path / "spider") == LAYOUT
    text = capsys.readouterr().out
    assert "Licence: cc-by-4.0" in text
    assert "Graaf, J.; Hooff, M. (2023) A small stand-in. https://doi.org/10.5281/zenodo.1" in text


def test_a_second_call_downloads_nothing_again(server, tmp_path):
    assert len(fetch_all(server, tmp_path).downloaded) == 4
    server.requests.clear()
    result = fetch_all(server, tmp_path)
    assert result.downloaded == ()
    assert result.unpacked == 0
    assert [path for path, _ in server.requests] == ["/api/records/1"]


def test_an_unpacked_file_that_went_missing_is_fetched_again(server, tmp_path):
    fetch_all(server, tmp_path)
    (tmp_path / "masks" / "1_t1.mha").unlink()
    assert fetch_all(server, tmp_path).downloaded == ("masks.zip",)
    assert content(tmp_path) == LAYOUT


def test_archives_stay_packed_or_are_kept_on_request(server, tmp_path):
    fetch_all(server, tmp_path / "packed", FetchOptions(unpack=False))
    assert content(tmp_path / "packed") == server.files
    fetch_all(server, tmp_path / "kept", FetchOptions(keep_archives=True))
    assert content(tmp_path / "kept") == {**server.files, **LAYOUT}


def test_a_corrected_mask_is_left_as_it_is_and_named(server, tmp_path, caplog):
    fetch_all(server, tmp_path, FetchOptions(keep_archives=True))
    (tmp_path / "masks" / "1_t1.mha").write_bytes(b"corrected")
    fetch_all(server, tmp_path, FetchOptions(keep_archives=True))
    assert (tmp_path / "masks" / "1_t1.mha").read_bytes() == b"corrected"
    assert "1_t1.mha: left as it is, it differs" in caplog.text


# Interruptions


def test_a_cut_connection_is_an_error_and_the_next_call_fetches_only_the_rest(server, tmp_path):
    server.cut_after = 500
    with pytest.raises(DownloadError, match=r"images\.zip: the connection was cut after 500 of \d+ bytes; run the same command again"):
        fetch_all(server, tmp_path)
    assert sorted(content(tmp_path)) == ["images.zip.part", "images.zip.part.json"]
    server.cut_after = None
    fetch_all(server, tmp_path)
    assert server.asked_for("images.zip") == [None, "bytes=500-"]
    assert content(tmp_path) == LAYOUT


@pytest.mark.parametrize("change", [{"knows_ranges": False}, {"etag": '"2"'}, {"etag": 'W/"2"'}], ids=["no ranges", "other etag", "other weak etag"])
def test_a_part_that_can_t_be_continued_starts_over(server, tmp_path, change):
    server.cut_after = 500
    with pytest.raises(DownloadError):
        fetch_all(server, tmp_path)
    server.cut_after = None
    for name, value in change.items():
        setattr(server, name, value)
    fetch_all(server, tmp_path)
    assert content(tmp_path) == LAYOUT


def test_a_range_of_another_version_is_not_appended(server, tmp_path, monkeypatch):
    server.etag, server.cut_after = 'W/"1"', 500
    with pytest.raises(DownloadError):
        fetch_all(server, tmp_path)
    server.etag, server.cut_after = 'W/"2"', None
    fetch_all(server, tmp_path)
    assert server.asked_for("images.zip") == [None, "bytes=500-", None]
    assert content(tmp_path) == LAYOUT


def test_a_part_of_a_file_that_changed_since_is_thrown_away(server, tmp_path):
    server.cut_after = 500
    with pytest.raises(DownloadError):
        fetch_all(server, tmp_path)
    server.cut_after = None
    server.files["images.zip"] = zipped({"images/2_t1.mha": IMAGE})
    fetch_all(server, tmp_path)
    assert server.asked_for("images.zip") == [None, None]
    assert (tmp_path / "images" / "2_t1.mha").read_bytes() == IMAGE


def test_a_part_that_was_complete_is_only_verified(server, tmp_path):
    server.cut_after = 500
    with pytest.raises(DownloadError):
        fetch_all(server, tmp_path)
    server.cut_after = None
    (tmp_path / "images.zip.part").write_bytes(server.files["images.zip"])
    fetch_all(server, tmp_path)
    assert server.asked_for("images.zip") == [None]
    assert content(tmp_path) == LAYOUT


# What can't be trusted


def test_a_wrong_checksum_names_both_and_leaves_no_file(server, tmp_path):
    server.checksums["images.zip"] = f"md5:{'0' * 32}"
    found = hashlib.md5(server.files["images.zip"]).hexdigest()
    with pytest.raises(DownloadError, match=rf"images\.zip: wrong checksum, expected md5:{'0' * 32}, found md5:{found}"):
        fetch_all(server, tmp_path)
    assert content(tmp_path) == {}


def test_sha256_is_verified_as_well(server, tmp_path):
    server.checksums["overview.csv"] = f"sha256:{hashlib.sha256(OVERVIEW).hexdigest()}"
    fetch_all(server, tmp_path)
    assert content(tmp_path) == LAYOUT


def test_a_file_of_the_same_name_that_is_not_the_record_s_is_not_replaced(server, tmp_path):
    (tmp_path / "overview.csv").write_bytes(b"my own notes")
    with pytest.raises(OutputError, match=r"overview\.csv exists and is not the record's file"):
        fetch_all(server, tmp_path)
    assert (tmp_path / "overview.csv").read_bytes() == b"my own notes"


@pytest.mark.parametrize("name", ["../evil.csv", "/etc/evil", "a/b", "a\\b", "..", ".hidden", "C:evil", "", "a\nb"])
def test_a_file_name_that_could_leave_the_folder_is_refused_before_anything_is_downloaded(server, tmp_path, name):
    server.names["overview.csv"] = name
    assert not is_plain_name(name)
    with pytest.raises(DownloadError, match="expected plain file names"):
        fetch_all(server, tmp_path / "spider")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/record", "record.json", "https://"])
def test_only_http_and_https_addresses_are_opened(url):
    with pytest.raises(DownloadError, match=r"expected an address that starts with https://"):
        read_record(url)


def test_a_redirect_to_a_file_is_not_followed(server, tmp_path):
    (tmp_path / "record.json").write_text(json.dumps(server.record()))
    server.redirect = (tmp_path / "record.json").as_uri()
    with pytest.raises(DownloadError):
        read_record(server.record_url)


@pytest.mark.parametrize(
    "name", ["../evil.mha", "/evil.mha", "images/../../evil.mha", "..\\evil.mha", "C:/evil.mha"], ids=["up", "root", "inside up", "windows", "drive"]
)
def test_an_archive_entry_that_would_leave_the_folder_is_refused_and_nothing_is_unpacked(tmp_path, name):
    archive = tmp_path / "images.zip"
    archive.write_bytes(zipped({"images/1_t1.mha": IMAGE, name: b"evil"}))
    with pytest.raises(InputError, match=r"images\.zip: holds an entry that would leave the folder"):
        unpack(archive, tmp_path / "spider", lambda *_: None)
    assert [path.name for path in tmp_path.iterdir()] == ["images.zip"]


def test_a_link_in_an_archive_is_refused(tmp_path):
    archive = tmp_path / "images.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        link = zipfile.ZipInfo("images/1_t1.mha")
        link.external_attr = 0o120777 << 16
        opened.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match="holds a link"):
        unpack(archive, tmp_path, lambda *_: None)


def test_a_damaged_archive_is_an_error_that_names_it(tmp_path):
    archive = tmp_path / "images.zip"
    archive.write_bytes(zipped({"images/1_t1.mha": IMAGE}).replace(b"image of", b"imago of", 1))
    with pytest.raises(InputError, match=r"images\.zip: not a zip archive, or damaged"):
        unpack(archive, tmp_path, lambda *_: None)
    assert not (tmp_path / "images" / "1_t1.mha").exists()


# The server and the disk


def test_a_full_disk_is_known_before_the_download(server, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(OutputError, match=r"the download needs .* GB, the disk has 0\.00 GB free"):
        fetch_all(server, tmp_path)
    assert server.asked_for("images.zip") == []


@pytest.mark.parametrize(("status", "message"), [(404, "the server answered 404"), (429, "asks to wait"), (503, "the server answered 503")])
def test_a_server_s_error_is_said_in_one_line(server, tmp_path, status, message, capsys, caplog):
    server.status = status
    assert run(["fetch-spider", str(tmp_path), "--record-url", server.record_url]) == 1
    assert message in caplog.text + capsys.readouterr().err


def test_a_server_that_is_not_there_is_an_error_that_names_it(server):
    # Port 9 is the discard service, which no machine offers.
    with pytest.raises(DownloadError, match=r"http://127\.0\.0\.1:9/x: the server can't be reached"):
        read_record("http://127.0.0.1:9/x")


@pytest.mark.parametrize(
    "change",
    [lambda record: record.pop("files"), lambda record: record["files"].clear(), lambda record: record["files"][0].update(checksum="md5:12")],
    ids=["no files", "empty", "bad checksum"],
)
def test_what_is_no_record_is_refused(server, monkeypatch, change):
    record = server.record()
    change(record)
    monkeypatch.setattr(server, "record", lambda: record)
    with pytest.raises(DownloadError, match="expected a Zenodo record"):
        read_record(server.record_url)
