"""The application's MRML side, all of it real: scene, application logic, module logics, and the readers that .mrb files need."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer
import vtk

# Name under which Slicer registers a logic -> its class. Colors comes first: Volumes asks for it.
LOGIC_CLASSES = {
    "Colors": "vtkMRMLColorLogic",
    "Units": "vtkSlicerUnitsLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Models": "vtkSlicerModelsLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Texts": "vtkSlicerTextsLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "Data": "vtkSlicerDataModuleLogic",
}

_SCHEMAS = "https://raw.githubusercontent.com/qiicr/dcmqi/master/doc"
_TISSUE = {"CodingSchemeDesignator": "SCT", "CodeValue": "85756007", "CodeMeaning": "Tissue"}
_TERMINOLOGIES = {
    "SegmentationCategoryTypeModifier-SlicerGeneralAnatomy": "Segmentation category and type - 3D Slicer General Anatomy list",
    "SegmentationCategoryTypeModifier-DICOM-Master": "Segmentation category and type - DICOM master list",
}

vtk_errors: list[str] = []


@dataclass(frozen=True)
class Mrml:
    """The scene and what works on it; the application logic does not own the module logics, so they are held here."""

    scene: Any
    application_logic: Any
    logics: dict[str, Any]
    remote_io: tuple[Any, ...]


def build_mrml(folder: Path) -> Mrml:
    """A scene as Slicer has it at start-up; `folder` takes the temporary files, cache and terminologies."""
    record_errors()
    scene = slicer.vtkMRMLScene()
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    scene.AddNode(crosshair)

    application_logic = slicer.vtkSlicerApplicationLogic()
    application_logic.SetMRMLScene(scene)
    application_logic.SetTemporaryPath(str(folder))
    application_logic.SetSliceLogics(vtk.vtkCollection())
    application_logic.SetViewLogics(vtk.vtkCollection())
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)

    logics = _register_logics(scene, application_logic, _write_terminologies(folder / "terminologies"))
    return Mrml(scene, application_logic, logics, _register_remote_io(scene, application_logic, folder / "cache"))


def record_errors() -> None:
    """From now on every error message of VTK and MRML goes to stderr and to `vtk_errors`; in Slicer it would be a red line in the log."""
    window = vtk.vtkOutputWindow()
    window.SetDisplayModeToAlwaysStdErr()
    window.AddObserver(vtk.vtkCommand.ErrorEvent, _record)
    vtk.vtkOutputWindow.SetInstance(window)


@vtk.calldata_type(vtk.VTK_STRING)
def _record(_window: Any, _event: str, text: str) -> None:
    vtk_errors.append(text.strip())


def _register_logics(scene: Any, application_logic: Any, terminologies: Path) -> dict[str, Any]:
    logics = {}
    for name, class_name in LOGIC_CLASSES.items():
        logic = getattr(slicer, class_name)()
        if hasattr(logic, "SetModuleShareDirectory"):
            logic.SetModuleShareDirectory(str(terminologies))
        logic.SetMRMLApplicationLogic(application_logic)
        logic.SetMRMLScene(scene)
        application_logic.SetModuleLogic(name, logic)
        if name == "Colors":
            logic.AddDefaultColorNodes()
        logics[name] = logic
    return logics


def _register_remote_io(scene: Any, application_logic: Any, cache: Path) -> tuple[Any, ...]:
    """The logics without which a .mrb cannot be read."""
    cache.mkdir(parents=True)
    remote_io = slicer.vtkMRMLRemoteIOLogic()
    remote_io.SetMRMLScene(scene)
    remote_io.SetMRMLApplicationLogic(application_logic)
    remote_io.GetCacheManager().SetRemoteCacheDirectory(str(cache))
    data_io = slicer.vtkDataIOManagerLogic()
    data_io.SetMRMLScene(scene)
    data_io.SetMRMLApplicationLogic(application_logic)
    data_io.SetAndObserveDataIOManager(remote_io.GetDataIOManager())
    remote_io.AddDataIOToScene()
    return remote_io, data_io


def _write_terminologies(folder: Path) -> Path:
    """The three default terminologies under Slicer's names, each with a single code: their own files are not in slicer-core."""
    folder.mkdir(parents=True)
    tissue_type = {**_TISSUE, "recommendedDisplayRGBValue": [128, 174, 128]}
    for file_name, context in _TERMINOLOGIES.items():
        codes = {"Category": [{**_TISSUE, "showAnatomy": "true", "Type": [tissue_type]}]}
        content = {"@schema": f"{_SCHEMAS}/segment-context-schema.json#", "SegmentationCategoryTypeContextName": context, "SegmentationCodes": codes}
        (folder / f"{file_name}.term.json").write_text(json.dumps(content), encoding="utf-8")
    body = {"CodingSchemeDesignator": "SCT", "CodeValue": "38266002", "CodeMeaning": "Entire body"}
    regions = {
        "@schema": f"{_SCHEMAS}/anatomic-context-schema.json#",
        "AnatomicContextName": "Anatomic codes - DICOM master list",
        "AnatomicCodes": {"AnatomicRegion": [body]},
    }
    (folder / "AnatomicRegionAndModifier-DICOM-Master.term.json").write_text(json.dumps(regions), encoding="utf-8")
    return folder
