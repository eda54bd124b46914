"""Where everything lies in a project folder, and the disk it is written through."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from SpiderSegLib.corrections.disk import Disk
from SpiderSegLib.corrections.names import check_name

MASK_SUFFIX = ".mha"


@dataclass(frozen=True)
class ProjectFolder:
    """The paths of a project. Every path of a series is made from a checked name, so none leaves the folder.

    Truth: project.json, images/, revisions/, gradings/, decisions/, models/; journal/ tells which files of it there were. Derived from it:
    masks/, predictions/, the tables and .cache/. Short-lived: leases/, autosave/.
    """

    root: Path
    disk: Disk = field(default_factory=Disk, compare=False, repr=False)

    @property
    def settings(self) -> Path:
        return self.root / "project.json"

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def masks(self) -> Path:
        return self.root / "masks"

    @property
    def predictions(self) -> Path:
        return self.root / "predictions"

    @property
    def revisions(self) -> Path:
        return self.root / "revisions"

    @property
    def gradings(self) -> Path:
        return self.root / "gradings"

    @property
    def decisions(self) -> Path:
        return self.root / "decisions"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def leases(self) -> Path:
        return self.root / "leases"

    @property
    def autosave(self) -> Path:
        return self.root / "autosave"

    @property
    def journal(self) -> Path:
        return self.root / "journal"

    @property
    def recovered(self) -> Path:
        """Files that no record names, moved here by a rebuild rather than removed."""
        return self.root / "recovered"

    @property
    def cache(self) -> Path:
        return self.root / ".cache"

    @property
    def overview(self) -> Path:
        return self.root / "overview.csv"

    @property
    def gradings_table(self) -> Path:
        return self.root / "radiological_gradings.csv"

    @property
    def datalist(self) -> Path:
        return self.root / "spider_dataset.json"

    def image(self, series: str) -> Path:
        return self.images / f"{check_name(series)}{MASK_SUFFIX}"

    def series_record(self, series: str) -> Path:
        return self.images / f"{check_name(series)}.json"

    def mask(self, series: str) -> Path:
        return self.masks / f"{check_name(series)}{MASK_SUFFIX}"

    def prediction(self, series: str) -> Path:
        return self.predictions / f"{check_name(series)}{MASK_SUFFIX}"

    def prediction_sidecar(self, series: str) -> Path:
        return self.predictions / f"{check_name(series)}.json"

    def revisions_of(self, series: str) -> Path:
        return self.revisions / check_name(series)

    def gradings_of(self, patient_id: str) -> Path:
        return self.gradings / check_name(patient_id, "patient")

    def lease(self, series: str) -> Path:
        return self.leases / f"{check_name(series)}.json"

    def model(self, model_id: str) -> Path:
        return self.models / check_name(model_id, "model")
