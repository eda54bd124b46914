"""Fetching the SPIDER data set from its Zenodo record, resumably and verified.

`connection` is the only code that talks HTTP, `record` reads what the record says of its files, `download` brings one file,
`unpacking` one archive, `fetching` all of them into SPIDER's layout. Names, sizes and checksums come from the record at run time.
"""

from SpiderSegLib.zenodo.download import Watch, download
from SpiderSegLib.zenodo.fetching import FETCHED_NAME, FetchOptions, FetchResult, fetch
from SpiderSegLib.zenodo.record import SPIDER_RECORD_URL, Record, RecordFile, read_record
from SpiderSegLib.zenodo.unpacking import Unpacked, unpack

__all__ = [
    "FETCHED_NAME",
    "SPIDER_RECORD_URL",
    "FetchOptions",
    "FetchResult",
    "Record",
    "RecordFile",
    "Unpacked",
    "Watch",
    "download",
    "fetch",
    "read_record",
    "unpack",
]
