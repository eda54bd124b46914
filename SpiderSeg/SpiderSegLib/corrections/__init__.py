"""The store of corrections: every saved mask of every series, append-only, with who, when, from what and how much changed.

`disk` is how files are written, `folder` where they lie, `names` what they may be called; `records` are immutable and linked to their
parents, `journal` witnesses them. `revision`, `history` and `saving` are the masks; `measuring` is what a person changed. `leases` tell
others who works on what, `autosave` keeps the unsaved edit.
"""

from SpiderSegLib.corrections.autosave import UnsavedEdit, drop_edit, keep_edit, kept_edit, kept_series
from SpiderSegLib.corrections.disk import Disk
from SpiderSegLib.corrections.folder import ProjectFolder
from SpiderSegLib.corrections.history import History, read_history
from SpiderSegLib.corrections.leases import Lease, hold, leases, release
from SpiderSegLib.corrections.revision import Provenance, Revision, Status
from SpiderSegLib.corrections.saving import Correction, Saved, ShownPrediction, keep_prediction, publish, read_mask, save
from SpiderSegLib.corrections.series_record import SeriesRecord, read_series_record, series_names, write_series_record

__all__ = [
    "Correction",
    "Disk",
    "History",
    "Lease",
    "ProjectFolder",
    "Provenance",
    "Revision",
    "Saved",
    "SeriesRecord",
    "ShownPrediction",
    "Status",
    "UnsavedEdit",
    "drop_edit",
    "hold",
    "keep_edit",
    "keep_prediction",
    "kept_edit",
    "kept_series",
    "leases",
    "publish",
    "read_history",
    "read_mask",
    "read_series_record",
    "release",
    "save",
    "series_names",
    "write_series_record",
]
