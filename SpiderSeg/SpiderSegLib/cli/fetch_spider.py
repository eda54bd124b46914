"""`spiderseg fetch-spider`: the public SPIDER data set from Zenodo."""

from __future__ import annotations

from pathlib import Path

import typer
from tqdm import tqdm

from SpiderSegLib.zenodo import FetchOptions, Record, fetch, read_record


def fetch_spider(folder: Path, record_url: str, options: FetchOptions) -> int:
    """Downloads, verifies and unpacks the record's files into `folder`; says licence and citation first. Returns 0."""
    record = read_record(record_url)
    _say_terms(record)
    bars = _Bars()
    try:
        result = fetch(record, folder, options, bars.report)
    finally:
        bars.close()
    typer.echo(f"{folder}: {len(result.downloaded)} files downloaded and verified, {len(result.present)} already there, {result.unpacked} unpacked")
    return 0


def _say_terms(record: Record) -> None:
    size = sum(file.size for file in record.files)
    typer.echo(f"{record.title}\nLicence: {record.licence}\nPlease cite: {record.citation}\n{len(record.files)} files, {size / 1e9:.2f} GB")


class _Bars:
    """One tqdm bar in bytes for whatever is under way."""

    def __init__(self) -> None:
        self._bar: tqdm[None] | None = None
        self._title = ""

    def report(self, title: str, done: int, total: int) -> None:
        if self._bar is None or title != self._title:
            self.close()
            # What an earlier call brought is no speed of this one.
            self._title, self._bar = title, tqdm(desc=title, total=total, initial=done, unit="B", unit_scale=True, unit_divisor=1000)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar = None
