"""Section Annotation project: who annotates, which project is open, importing into it, and the model's work on what remains.

Needs no package of a run; the rest of the annotation loop is imported when the first project is opened.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from SpiderSegLib.gui.annotation import remembered
from SpiderSegLib.gui.annotation.job import Job, JobWidgets
from SpiderSegLib.gui.messages import setMessage
from SpiderSegLib.gui.slicer_queue import makeSlicerQueue
from SpiderSegLib.gui.visibility import keepWishes, setShown

if TYPE_CHECKING:
    from SpiderSegLib.gui.annotation.workspace import Workspace
    from SpiderSegLib.gui.panel import Panel

#: Sections that are there while a project is open.
SECTIONS_OF_PROJECT = ("cases", "case", "findings", "gradings", "revisions", "models")

#: Sections for a series without a project: folded when a project is opened, because its cases bring their own.
SECTIONS_OF_SINGLE_SERIES = ("input", "segment", "export")


class ProjectSection:
    """Opens and closes projects."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.ui = panel.ui
        #: None until the first project was opened.
        self.workspace: Workspace | None = None
        self._queue = makeSlicerQueue(panel.refreshLater)
        self._making, self._importing, self._predicting = (
            Job(panel, self._queue, JobWidgets(button, self.ui.jobProgressBar, self.ui.jobLabel), busyText)
            for button, busyText in (
                (self.ui.newProjectButton, _("Cancel")),
                (self.ui.importButton, _("Cancel import")),
                (self.ui.predictRemainingButton, _("Cancel pre-segmenting")),
            )
        )
        self.ui.annotatorLineEdit.text = remembered.annotator()
        self._fillRecent()
        for name in ("project", *SECTIONS_OF_PROJECT):
            keepWishes(getattr(self.ui, f"{name}CollapsibleButton"))
        # Who never had a project sees a title alone.
        self.ui.projectCollapsibleButton.collapsed = not remembered.recentProjects()
        self.ui.annotatorLineEdit.connect("textChanged(QString)", panel.refreshLater)
        for edit in (self.ui.projectPathLineEdit, self.ui.importPathLineEdit):
            edit.connect("currentPathChanged(QString)", panel.refreshLater)
        self.ui.recentComboBox.connect("activated(int)", self.onRecentChosen)
        self.ui.newProjectButton.connect("clicked(bool)", self.onNewButton)
        self.ui.openProjectButton.connect("clicked(bool)", self.onOpenButton)
        self.ui.closeProjectButton.connect("clicked(bool)", self.onCloseButton)
        self.ui.importButton.connect("clicked(bool)", self.onImportButton)
        self.ui.predictRemainingButton.connect("clicked(bool)", self.onPredictButton)
        self._showSections()

    @property
    def isOpen(self) -> bool:
        return self.workspace is not None and self.workspace.isOpen

    @property
    def path(self) -> str:
        """The folder that is written in the section."""
        return str(self.ui.projectPathLineEdit.currentPath).strip()

    @property
    def annotator(self) -> str:
        return str(self.ui.annotatorLineEdit.text).strip()

    # Buttons

    def onNewButton(self, *arguments: Any) -> None:
        if self._making.isRunning:
            self._making.cancel()
            return
        path = str(Path(self.path).absolute())
        self._making.start(_("New project"), ["project", "init", path], lambda isDone: self._openIf(isDone, path))

    def _openIf(self, isDone: bool, path: str) -> None:
        if isDone and path == str(Path(self.path).absolute()):
            self.onOpenButton()

    def onOpenButton(self, *arguments: Any) -> None:
        self.panel.perform(_("The project can't be opened."), self._open)

    def onRecentChosen(self, index: int) -> None:
        """The first entry is none."""
        if index > 0:
            self.ui.projectPathLineEdit.currentPath = self.ui.recentComboBox.itemText(index)
            self.ui.recentComboBox.currentIndex = 0
            if not self._openReason():
                self.onOpenButton()

    def _open(self) -> None:
        if self.isOpen and not self._mayClose():
            return
        # Needs the packages of a run, which may not be installed when the panel opens.
        from SpiderSegLib.gui.annotation.workspace import Workspace

        if self.workspace is None:
            self.workspace = Workspace(self.panel)
        root = Path(self.path).absolute()
        self.workspace.open(root, self.annotator)
        remembered.rememberAnnotator(self.annotator)
        remembered.rememberProject(str(root))
        self._fillRecent()
        for name in SECTIONS_OF_SINGLE_SERIES:
            getattr(self.ui, f"{name}CollapsibleButton").collapsed = True
        self._onProjectChanged()

    def onCloseButton(self, *arguments: Any) -> None:
        self.panel.perform(_("The project can't be closed."), self._mayClose)

    def _mayClose(self) -> bool:
        """Closes the project unless the person stays with unsaved work; whether it is closed."""
        if self.workspace is not None and not self.workspace.close():
            return False
        setMessage(self.ui.projectStatusLabel, "")
        self._onProjectChanged()
        return True

    def onImportButton(self, *arguments: Any) -> None:
        if self._importing.isRunning:
            self._importing.cancel()
            return
        assert self.workspace is not None
        source = str(Path(str(self.ui.importPathLineEdit.currentPath).strip()).absolute())
        arguments_ = ["project", "import", str(self.workspace.root), source, "--annotator", self.annotator, "--progress", "json"]
        prefix, keyFile = str(self.ui.patientPrefixLineEdit.text).strip(), str(self.ui.keyFilePathLineEdit.currentPath).strip()
        if prefix:
            arguments_ += ["--patient-prefix", prefix]
        if keyFile:
            arguments_ += ["--key-file", str(Path(keyFile).absolute())]
        self._importing.start(_("Import"), arguments_, self._onWorkEnded)

    def onPredictButton(self, *arguments: Any) -> None:
        if self._predicting.isRunning:
            self._predicting.cancel()
            return
        assert self.workspace is not None
        options = ["--device", self.panel.segment.device, "--progress", "json", *(["--mirror"] if self.panel.settings.mirror else [])]
        self._predicting.start(_("Pre-segmenting"), ["project", "predict", str(self.workspace.root), *options], self._onWorkEnded)

    def _onWorkEnded(self, isDone: bool) -> None:
        """What was done before a failure or a cancel stays, and is shown."""
        if self.workspace is not None and self.workspace.isOpen:
            self.panel.perform(_("The project can't be read."), self.workspace.readAgain)

    # Life cycle

    def onEnter(self) -> None:
        """The user comes to the module."""
        if self.workspace is not None:
            self.workspace.onEnter()

    def onExit(self) -> None:
        """The user goes to another module: the case stays open, its edit is kept."""
        if self.workspace is not None:
            self.workspace.onExit()

    def shutDown(self) -> None:
        """Ends the background work, for an application that closes; it goes on from there the next time."""
        self._queue.shutDown()
        if self.workspace is not None:
            self.workspace.shutDown()

    # Widgets

    def refresh(self) -> None:
        buttons = self.panel.buttons
        packages = _("Install what SpiderSeg needs first.") if self.panel.segment.missingPackages() else ""
        path = "" if self.path else _("Choose a folder first.")
        self._making.refresh(packages or path)
        buttons.set(self.ui.annotatorLineEdit, _("Close the project to go on under another name.") if self.isOpen else "")
        buttons.set(self.ui.openProjectButton, self._openReason())
        buttons.set(self.ui.closeProjectButton, "" if self.isOpen else _("No project is open."))
        opened = packages or ("" if self.isOpen else _("Open a project first."))
        source = "" if str(self.ui.importPathLineEdit.currentPath).strip() else _("Choose what to import first.")
        self._importing.refresh(opened or source)
        self._predicting.refresh(opened or self._predictReason())
        if self.workspace is not None:
            self.workspace.refresh()

    def _openReason(self) -> str:
        if self.panel.segment.missingPackages():
            return _("Install what SpiderSeg needs first.")
        if not self.annotator:
            return _("Write your name first: it stands beside every mask you save.")
        return "" if self.path else _("Choose a folder first.")

    def _predictReason(self) -> str:
        waiting = self.workspace is not None and self.workspace.hasOpenSeries
        return "" if waiting else _("No series waits for a prediction.")

    def _fillRecent(self) -> None:
        box = self.ui.recentComboBox
        box.clear()
        box.addItems([_("Choose a project"), *remembered.recentProjects()])

    def _showSections(self) -> None:
        setShown(self.ui.importFrame, self.isOpen)
        for name in SECTIONS_OF_PROJECT:
            getattr(self.ui, f"{name}CollapsibleButton").visible = self.isOpen
        self.panel.refreshLater()

    def _onProjectChanged(self) -> None:
        """A project was opened or closed."""
        self._showSections()
        self.panel.shortcuts.refresh()
