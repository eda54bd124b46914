"""Section Save and export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from SpiderSegLib.gui.messages import setMessage
from SpiderSegLib.mrml.exporting import ExportFormat, ExportPlan, export, planExport
from SpiderSegLib.mrml.segments import namingOf

if TYPE_CHECKING:
    from SpiderSegLib.gui.panel import Panel

FORMATS = (ExportFormat.SLICER, ExportFormat.SPIDER, ExportFormat.NIFTI, ExportFormat.DICOM)

FOLDER_KEY, FORMAT_KEY = "SpiderSeg/exportFolder", "SpiderSeg/exportFormat"


class ExportSection:
    """Writes the chosen segmentation, and says what was written."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.ui = panel.ui
        #: What was said about the last save, and of which segmentation.
        self._said = ""
        self._savedNode: Any = None
        self.ui.formatComboBox.addItems(
            [
                _("Slicer segmentation (.seg.nrrd)"),
                _("SPIDER labelmap (.mha)"),
                _("SPIDER labelmap, NIfTI (.nii.gz)"),
                _("DICOM SEG (.dcm)"),
            ]
        )
        settings = qt.QSettings()
        remembered = str(settings.value(FORMAT_KEY, 0))
        indices = [str(index) for index in range(len(FORMATS))]
        self.ui.formatComboBox.currentIndex = indices.index(remembered) if remembered in indices else 0
        self.ui.folderPathLineEdit.currentPath = str(settings.value(FOLDER_KEY, "") or "")
        self.ui.exportButton.connect("clicked(bool)", self.onExportButton)
        self.ui.formatComboBox.connect("currentIndexChanged(int)", panel.refreshLater)
        self.ui.folderPathLineEdit.connect("currentPathChanged(QString)", panel.refreshLater)

    @property
    def fileFormat(self) -> ExportFormat:
        return FORMATS[self.ui.formatComboBox.currentIndex]

    def onExportButton(self, *arguments: Any) -> None:
        self._say("")
        self.panel.perform(_("The segmentation could not be saved."), self._export)

    def _export(self) -> None:
        plan = planExport(self.panel.segmentationNode, self._series(), Path(self.ui.folderPathLineEdit.currentPath), self.fileFormat)
        if plan.existing and not self._mayReplace(plan):
            return
        with slicer.util.WaitCursor():
            warnings = export(self.panel.segmentationNode, plan)
        settings = qt.QSettings()
        settings.setValue(FOLDER_KEY, self.ui.folderPathLineEdit.currentPath)
        settings.setValue(FORMAT_KEY, self.ui.formatComboBox.currentIndex)
        written = [_("Saved {path}").format(path=path) for _node, path in plan.paths]
        problem = self.panel.input.jointProblem
        if problem and plan.fileFormat.isOnePerSeries:
            written.append(_("Only {name} was saved: {reason}").format(name=self.panel.volumeNode.GetName(), reason=problem))
        self._say("\n".join([*written, *warnings]))

    def _series(self) -> list[Any]:
        """The series files are written for: all of them, unless they may not lie on each other."""
        series = self.panel.seriesNodes
        return series[:1] if self.panel.input.jointProblem else series

    def _mayReplace(self, plan: ExportPlan) -> bool:
        existing = "\n".join(str(path) for path in plan.existing)
        return bool(slicer.util.confirmYesNoDisplay(_("Replace what is there already?\n{files}").format(files=existing), _("SpiderSeg")))

    def refresh(self) -> None:
        self.panel.buttons.set(self.ui.exportButton, self._reason())
        if self.panel.segmentationNode is not self._savedNode:
            self._said = ""
        setMessage(self.ui.exportMessageLabel, self._said or self._hint())

    def _say(self, text: str) -> None:
        self._said, self._savedNode = text, self.panel.segmentationNode
        setMessage(self.ui.exportMessageLabel, text)

    def _hint(self) -> str:
        node = self.panel.segmentationNode
        isAsserted = node is None or self.panel.levels.problem or namingOf(node).is_asserted
        return "" if isAsserted else _("The levels are not confirmed: files say so beside every name.")

    def _reason(self) -> str:
        if self.panel.segmentationNode is None:
            return _("There is no segmentation yet: segment a series, or choose one.")
        if self.panel.volumeNode is None:
            return _("Choose the series it belongs to first.")
        if not self.ui.folderPathLineEdit.currentPath.strip():
            return _("Choose a folder to write into first.")
        return ""
