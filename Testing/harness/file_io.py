"""coreIOManager(): what qSlicerCoreIOManager does for slicer.util.load*, save* and export*, through the real storage nodes and logics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import slicer
import vtk

from harness.mrml import Mrml

_SEGMENTATION_SUFFIXES = (".seg.nrrd", ".seg.nhdr", ".seg.vtm")
_VOLUME_SUFFIXES = (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd", ".dcm", ".hdr", ".img", ".tif", ".png", ".jpg")
_FILE_TYPES = (
    ("SceneFile", (".mrb", ".mrml")),
    ("SegmentationFile", _SEGMENTATION_SUFFIXES),
    ("MarkupsFile", (".mrk.json", ".fcsv")),
    ("VolumeFile", _VOLUME_SUFFIXES),
    ("ModelFile", (".vtk", ".vtp", ".stl", ".ply", ".obj")),
    ("TransformFile", (".h5", ".tfm", ".mat")),
    ("TableFile", (".csv", ".tsv")),
    ("TextFile", (".txt", ".json", ".xml")),
)
# Bits of vtkSlicerVolumesLogic::AddArchetypeVolume's option.
_OPTION_LABELMAP = 1
_OPTION_SINGLE_FILE = 4
_OPTION_AUTO_WINDOW_LEVEL = 8


class CoreIOManager:
    """Loads and writes nodes; a problem is False and a message in `messages`, as in Slicer, not an exception."""

    def __init__(self, mrml: Mrml) -> None:
        self._scene = mrml.scene
        self._application_logic = mrml.application_logic
        self._logics = mrml.logics

    def fileType(self, file_name: str) -> str:
        name = str(file_name).lower()
        return next((kind for kind, suffixes in _FILE_TYPES if name.endswith(suffixes)), "NoFile")

    def fileWriterFileType(self, node: Any, _file_format: str = "") -> str:
        kinds = {"vtkMRMLSegmentationNode": "SegmentationFile", "vtkMRMLVolumeNode": "VolumeFile", "vtkMRMLModelNode": "ModelFile"}
        return next((kind for cls, kind in kinds.items() if node.IsA(cls)), "NodeFile")

    def fileWriterExtensions(self, node: Any) -> tuple[str, ...]:
        """As Slicer gives them: "NIFTI (.nii.gz)"."""
        if node.IsA("vtkMRMLVolumeNode"):
            types = slicer.vtkDataFileFormatHelper().GetITKSupportedWriteFileFormats()
        else:
            types = node.CreateDefaultStorageNode().GetSupportedWriteFileTypes()
        return tuple(types.GetValue(index) for index in range(types.GetNumberOfValues()))

    def extractKnownExtension(self, file_name: str, node: Any) -> str:
        extensions = [text[text.index("(.") + 1 : text.index(")")] for text in self.fileWriterExtensions(node) if "(." in text]
        matching = [extension for extension in extensions if str(file_name).lower().endswith(extension)]
        return max(matching, key=len, default="")

    def loadNodes(self, file_type: str, properties: dict[str, Any], loaded: Any = None, messages: Any = None) -> bool:
        file_name = str(properties["fileName"])
        load = self._loaders().get(file_type)
        if load is None or not Path(file_name).exists():
            return _fail(messages, f"Cannot read '{file_name}' as {file_type}")
        nodes = [node for node in load(file_name, properties) if node is not None]
        if loaded is not None:
            for node in nodes:
                loaded.AddItem(node)
        return bool(nodes) or file_type == "SceneFile" or _fail(messages, f"Nothing could be read from '{file_name}'")

    def saveNodes(self, file_type: str, properties: dict[str, Any], messages: Any = None) -> bool:
        file_name = str(properties["fileName"])
        if file_type == "SceneFile":
            return self._save_scene(file_name)
        node = self._scene.GetNodeByID(properties["nodeID"])
        node.AddDefaultStorageNode(file_name)
        storage = node.GetStorageNode()
        storage.SetFileName(file_name)
        storage.SetUseCompression(int(properties.get("useCompression", 1)))
        return bool(storage.WriteData(node)) or _fail(messages, f"Cannot write '{file_name}'")

    def exportNodes(
        self, node_ids: Iterable[str], file_names: Iterable[str], properties: dict[str, Any], harden_transform: bool = False, messages: Any = None
    ) -> bool:
        """Writes nodes to files and leaves their own storage nodes alone."""
        if harden_transform:
            raise NotImplementedError("export in world coordinates: harden the transform of a copy first")
        success = True
        for node_id, file_name in zip(node_ids, file_names, strict=True):
            node = self._scene.GetNodeByID(node_id)
            storage = node.CreateDefaultStorageNode()
            storage.SetFileName(str(file_name))
            storage.SetUseCompression(int(properties.get("useCompression", 1)))
            success = bool(storage.WriteData(node)) and success
        return success or _fail(messages, "Export failed")

    def _loaders(self) -> dict[str, Callable[[str, dict[str, Any]], list[Any]]]:
        return {
            "SceneFile": self._load_scene,
            "VolumeFile": self._load_volume,
            "SegmentationFile": self._load_segmentation,
            "MarkupsFile": lambda name, _properties: [self._scene.GetNodeByID(self._logics["Markups"].LoadMarkups(name, Path(name).stem))],
            "ModelFile": lambda name, _properties: [self._logics["Models"].AddModel(name)],
            "TransformFile": lambda name, _properties: [self._logics["Transforms"].AddTransform(name, self._scene)],
            "TableFile": lambda name, _properties: [self._logics["Tables"].AddTable(name)],
            "TextFile": lambda name, properties: [self._read_storable("vtkMRMLTextNode", name, properties)],
            "ColorTableFile": lambda name, _properties: [self._logics["Colors"].LoadColorFile(name)],
        }

    def _load_volume(self, file_name: str, properties: dict[str, Any]) -> list[Any]:
        option = _OPTION_LABELMAP if properties.get("labelmap") else 0
        option |= _OPTION_SINGLE_FILE if properties.get("singleFile") else 0
        option |= _OPTION_AUTO_WINDOW_LEVEL if properties.get("autoWindowLevel", True) else 0
        name = properties.get("name") or Path(file_name).name.split(".")[0]
        node = self._logics["Volumes"].AddArchetypeVolume(file_name, name, option)
        if node is not None and properties.get("show", True):
            selection = self._application_logic.GetSelectionNode()
            if properties.get("labelmap"):
                selection.SetActiveLabelVolumeID(node.GetID())
            else:
                selection.SetActiveVolumeID(node.GetID())
            self._application_logic.PropagateVolumeSelection()
        return [node]

    def _load_segmentation(self, file_name: str, properties: dict[str, Any]) -> list[Any]:
        name = properties.get("name") or Path(file_name).name.split(".")[0]
        return [self._logics["Segmentations"].LoadSegmentationFromFile(file_name, bool(properties.get("autoOpacities", True)), name)]

    def _load_scene(self, file_name: str, properties: dict[str, Any]) -> list[Any]:
        clear = bool(properties.get("clear", False))
        if file_name.lower().endswith(".mrb"):
            self._scene.ReadFromMRB(file_name, clear)
        else:
            self._scene.SetURL(file_name)
            self._scene.Connect() if clear else self._scene.Import()
        return []

    def _read_storable(self, class_name: str, file_name: str, properties: dict[str, Any]) -> Any:
        node = self._scene.AddNewNodeByClass(class_name, properties.get("name") or Path(file_name).stem)
        node.AddDefaultStorageNode(file_name)
        if node.GetStorageNode().ReadData(node):
            return node
        self._scene.RemoveNode(node)
        return None

    def _save_scene(self, file_name: str) -> bool:
        self._scene.SetRootDirectory(str(Path(file_name).parent))
        self._scene.SetURL(file_name)
        return bool(self._scene.WriteToMRB(file_name) if file_name.endswith(".mrb") else self._scene.Commit(file_name))


def _fail(messages: Any, text: str) -> bool:
    if messages is not None:
        messages.AddMessage(vtk.vtkCommand.ErrorEvent, text)
    return False
