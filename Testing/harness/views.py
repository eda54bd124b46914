"""Slice views with Slicer's own displayable managers, rendered off-screen: what is in the picture is what Slicer would show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

# Slicer's three views: colour in the corner of each, and the orientation that it starts with.
ORIENTATIONS = {"Red": "Axial", "Yellow": "Sagittal", "Green": "Coronal"}
_COLORS = {"Red": (0.953, 0.290, 0.200), "Yellow": (0.929, 0.835, 0.298), "Green": (0.431, 0.690, 0.294)}

_DISPLAYABLE_MANAGERS = (
    *("vtkMRMLVolumeGlyphSliceDisplayableManager", "vtkMRMLModelSliceDisplayableManager", "vtkMRMLCrosshairDisplayableManager"),
    *("vtkMRMLSegmentationsDisplayableManager2D", "vtkMRMLMarkupsDisplayableManager", "vtkMRMLRulerDisplayableManager"),
    *("vtkMRMLOrientationMarkerDisplayableManager", "vtkMRMLScalarBarDisplayableManager"),
)


class SliceView:
    """One slice view: a real slice logic and node, a real displayable manager group and a render window. Renders when asked to."""

    def __init__(self, name: str, mrml: Any, size: tuple[int, int] = (400, 400)) -> None:
        self._image_port: Any = None
        self._build_window(size)
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(mrml.application_logic)
        self.logic.SetMRMLScene(mrml.scene)
        self.logic.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._connect_image())
        mrml.application_logic.GetSliceLogics().AddItem(self.logic)
        node = self.logic.AddSliceNode(name)
        node.SetLayoutColor(_COLORS.get(name, (0.5, 0.5, 0.5)))
        node.SetOrientation(ORIENTATIONS.get(name, "Axial"))
        self._managers = _displayable_managers(mrml.application_logic, self._renderer)
        self._managers.SetMRMLDisplayableNode(node)
        self._style = slicer.vtkMRMLSliceViewInteractorStyle()
        self._style.SetSliceLogic(self.logic)
        self._style.SetDisplayableManagers(self._managers)
        self._style.SetInteractor(self._window.GetInteractor())
        self.resize(size)

    @property
    def node(self) -> Any:
        return self.logic.GetSliceNode()

    def interactor(self) -> Any:
        return self._window.GetInteractor()

    def resize(self, size: tuple[int, int]) -> None:
        self._window.SetSize(*size)
        self._window.GetInteractor().UpdateSize(*size)
        self.logic.ResizeSliceNode(*size)

    def render(self) -> Any:
        """The picture as a (row, column, RGB) array of bytes, the first row at the top."""
        self._connect_image()
        self._window.Render()
        grabber = vtk.vtkWindowToImageFilter()
        grabber.SetInput(self._window)
        grabber.ReadFrontBufferOff()
        grabber.Update()
        image = grabber.GetOutput()
        columns, rows, _ = image.GetDimensions()
        return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(rows, columns, -1)[::-1, :, :3].copy()

    def close(self) -> None:
        """Gives the window and its graphics memory back."""
        self._managers.SetMRMLDisplayableNode(None)
        self._window.Finalize()

    def _build_window(self, size: tuple[int, int]) -> None:
        self._renderer = vtk.vtkRenderer()
        self._renderer.GetActiveCamera().ParallelProjectionOn()
        overlay = vtk.vtkRenderer()
        overlay.SetLayer(1)
        self._window = vtk.vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.ShowWindowOff()
        self._window.SetMultiSamples(0)
        self._window.SetNumberOfLayers(2)
        self._window.AddRenderer(self._renderer)
        self._window.AddRenderer(overlay)
        self._window.SetSize(*size)
        interactor = vtk.vtkRenderWindowInteractor()
        interactor.SetRenderWindow(self._window)
        interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        interactor.Initialize()
        # Slicer's slice widget blends the layers into one coloured image and shows it pixel by pixel.
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._actor = vtk.vtkActor2D()
        self._actor.SetMapper(self._mapper)
        self._actor.GetProperty().SetDisplayLocationToBackground()
        self._actor.VisibilityOff()
        # Drawn in the order of adding: after the segments it would not show through them.
        self._renderer.AddViewProp(self._actor)

    def _connect_image(self) -> None:
        port = self.logic.GetImageDataConnection()
        if port is self._image_port:
            return
        self._image_port = port
        self._mapper.SetInputConnection(port)
        self._actor.SetVisibility(port is not None)


def save_png(picture: Any, path: str | Path) -> None:
    """Writes a (row, column, RGB) array of bytes."""
    from PySide6.QtGui import QImage

    rows, columns, _ = picture.shape
    image = QImage(picture.tobytes(), columns, rows, 3 * columns, QImage.Format.Format_RGB888)
    if not image.save(str(path)):
        raise OSError(f"cannot write the picture {path}")


def _displayable_managers(application_logic: Any, renderer: Any) -> Any:
    factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
    factory.SetMRMLApplicationLogic(application_logic)
    for name in _DISPLAYABLE_MANAGERS:
        if not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    group = slicer.vtkMRMLDisplayableManagerGroup()
    group.Initialize(factory, renderer)
    return group
