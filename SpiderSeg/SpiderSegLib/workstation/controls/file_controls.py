"""What leaves the workstation: the segmentation in any format, and the report of the case, both through the browser's own download."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from SpiderSegLib.atomic import write_together
from SpiderSegLib.case_report import CaseReport, report_html
from SpiderSegLib.corrections.records import utc_now, utc_text
from SpiderSegLib.errors import InputError
from SpiderSegLib.io import bytes_writer
from SpiderSegLib.mrml.exporting import ExportFormat, export, namedLabelmapOf, planExport, safeName, sidecarPath
from SpiderSegLib.mrml.segmentations import labelmapOf, predictionNodeOf
from SpiderSegLib.mrml.spine_tools import predictedLabels
from SpiderSegLib.mrml.translation import _
from SpiderSegLib.mrml.volumes import volumeOf
from SpiderSegLib.segmentation_files import DicomSource, check_highdicom, dicom_seg_writer
from SpiderSegLib.volume import Volume
from SpiderSegLib.workstation.bench import Action, Bench
from SpiderSegLib.workstation.web.server import Routes
from SpiderSegLib.workstation.work import ProjectCase

#: Formats by the names of the page.
FORMATS = {
    "segNrrd": ExportFormat.SLICER,
    "mha": ExportFormat.SPIDER,
    "niftiGz": ExportFormat.NIFTI,
    "dicomSeg": ExportFormat.DICOM,
}


class FileControls:
    """Writes into a private folder and lets the page fetch it, once."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._routes: Routes | None = None
        self._number = 0
        self.actions: Mapping[str, Action] = {"export": self.export, "report": self.report}

    def onStart(self, routes: Routes) -> None:
        """The server has addresses for files from now on."""
        self._routes = routes

    async def export(self, fileFormat: str) -> None:
        """Writes the open segmentation and has the browser save it; labelmaps come with their sidecar."""
        bench, work = self.bench, self.bench.work
        if work is None or work.segmentationNode is None:
            raise InputError(_("there is no segmentation to export yet"))
        await bench.busy(_("Exporting .."))
        chosen = FORMATS[fileFormat]
        plan = planExport(work.segmentationNode, [work.volumeNode], self._folder(), chosen)
        isWhole = chosen is ExportFormat.SLICER
        warnings = export(work.segmentationNode, plan, self._writeDicom)
        paths = [path for _node, path in plan.paths]
        if chosen.isOnePerSeries:
            paths += [sidecarPath(path, chosen) for path in paths]
        work.onExported(isWhole)
        bench.state.dialog = ""
        self._number += 1
        bench.state.downloadUrl = {"id": self._number, "urls": [self._given.downloads.offer_file(path, path.name) for path in paths]}
        bench.say("\n".join([_("Exported {name}; your browser saves it.").format(name=paths[0].name), *(() if isWhole else warnings)]), "success")

    def _writeDicom(self, segmentationNode: Any, volumeNode: Any, path: Path) -> None:
        """DICOM SEG of a series that was opened from DICOM. Raises InputError in words a radiologist understands."""
        series = self.bench.loose.dicom if self.bench.loose is not None else None
        if series is None:
            raise InputError(
                _(
                    "{name} was not opened from DICOM, and DICOM SEG refers to the original images: open the DICOM files, or export another format"
                ).format(name=volumeNode.GetName())
            )
        check_highdicom()
        found = labelmapOf(segmentationNode, volumeNode)
        named = namedLabelmapOf(segmentationNode, found, found.labelmap)
        write_together({path: dicom_seg_writer(named, DicomSource.of(series))})

    async def report(self) -> None:
        """Makes the report of the open case and has the browser show it in a tab of its own."""
        bench, work = self.bench, self.bench.work
        if work is None or work.segmentationNode is None:
            raise InputError(_("there is no segmentation to report on yet"))
        await bench.busy(_("Making the report .."))
        path = self._folder() / f"{safeName(work.name)}_report.html"
        write_together({path: bytes_writer(report_html(self._reportOf()).encode("utf-8"))})
        self._number += 1
        bench.state.openUrl = {"id": self._number, "url": self._given.downloads.offer_page(path, path.name)}

    def _reportOf(self) -> CaseReport:
        bench, work = self.bench, self.bench.work
        assert work is not None
        node = work.segmentationNode
        found = labelmapOf(node, work.volumeNode)
        hasPrediction = predictionNodeOf(node) is not None
        case = work.case if isinstance(work, ProjectCase) else None
        history = bench.session.revisions(work.name) if case is not None and bench.session is not None else None
        return CaseReport(
            series=work.name,
            image=volumeOf(work.volumeNode),
            named=namedLabelmapOf(node, found, found.labelmap),
            created_at=utc_text(utc_now()),
            patient_id=case.patientId if case is not None else "",
            prediction=Volume(predictedLabels(node), found.labelmap.geometry, work.name) if hasPrediction else None,
            revisions=history.revisions if history is not None else (),
            findings=work.findings(),
            annotator=str(bench.state.annotator or ""),
        )

    @property
    def _given(self) -> Routes:
        assert self._routes is not None
        return self._routes

    def _folder(self) -> Path:
        """A new private folder: two exports of one name don't meet."""
        folder = self._given.folder / "exports" / secrets.token_hex(8)
        folder.mkdir(mode=0o700, parents=True)
        return folder

    def refresh(self) -> None:
        """Nothing of it is shown."""

    def reasons(self) -> dict[str, str]:
        without = self.bench.whyNoSegmentation
        isDicom = self.bench.loose is not None and self.bench.loose.dicom is not None
        dicom = "" if isDicom else _("Only for series that were opened from DICOM: the file refers to the original images.")
        return {"export": without, "report": without, "dicomSeg": without or dicom}
