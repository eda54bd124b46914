"""The dialog that freezes validation patients: a list of those who may be frozen, and a choice by chance."""

from __future__ import annotations

import secrets
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from SpiderSegLib.annotation_project.project import Project
from SpiderSegLib.annotation_project.validation_patients import choose_patients, eligible_patients, freeze
from SpiderSegLib.gui.buttons import ButtonReasons
from SpiderSegLib.paths import RESOURCES, data_path


def askForPatients(project: Project, person: str) -> bool:
    """Lets a person choose and freeze patients; whether some were frozen. Raises ProjectError."""
    dialog = ValidationDialog(project)
    if dialog.widget.exec_() != qt.QDialog.Accepted:
        return False
    freeze(project, dialog.chosen, person)
    return True


class ValidationDialog:
    """The dialog; `chosen` are the patients that are checked. Raises ProjectError when decisions are damaged."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.widget = slicer.util.loadUI(str(data_path(RESOURCES, "UI", "SpiderSegValidation.ui")))
        self.widget.setParent(slicer.util.mainWindow(), qt.Qt.Dialog)
        self.ui = slicer.util.childWidgetVariables(self.widget)
        self._buttons = ButtonReasons()
        self._eligible = eligible_patients(project)
        for patient in self._eligible:
            item = qt.QListWidgetItem(patient)
            item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable)
            item.setCheckState(qt.Qt.Unchecked)
            self.ui.patientList.addItem(item)
        self.ui.patientCountSpinBox.maximum = max(1, len(self._eligible))
        self.ui.patientList.connect("itemChanged(QListWidgetItem*)", self.onChanged)
        self.ui.randomPatientsButton.connect("clicked(bool)", self.onRandomButton)
        self.ui.freezePatientsButton.connect("clicked(bool)", lambda *arguments: self.widget.accept())
        self.ui.cancelFreezeButton.connect("clicked(bool)", lambda *arguments: self.widget.reject())
        self.onChanged()

    @property
    def chosen(self) -> list[str]:
        """The patients that are checked."""
        items = [self.ui.patientList.item(row) for row in range(len(self._eligible))]
        return [str(item.text()) for item in items if item.checkState() == qt.Qt.Checked]

    def onRandomButton(self, *arguments: Any) -> None:
        """Checks so many patients by chance, and no others; every press draws anew."""
        drawn = choose_patients(self._project, self.ui.patientCountSpinBox.value, _seed())
        for row, patient in enumerate(self._eligible):
            self.ui.patientList.item(row).setCheckState(qt.Qt.Checked if patient in drawn else qt.Qt.Unchecked)

    def onChanged(self, *arguments: Any) -> None:
        count = len(self.chosen)
        self.ui.patientCountLabel.text = _("{count} of {eligible} patients that can be frozen are chosen.").format(
            count=count, eligible=len(self._eligible)
        )
        missing = _("No patient can be frozen yet: masks have to be made by hand, or corrected and approved by a second person.")
        nobody = "" if self._eligible else missing
        self._buttons.set(self.ui.randomPatientsButton, nobody)
        self._buttons.set(self.ui.freezePatientsButton, nobody or ("" if count else _("Choose patients first.")))


def _seed() -> int:
    # Whoever may choose patients one by one may also draw until they like the result; a fixed seed would not keep them from it.
    return secrets.randbelow(2**31)
