"""The scene that the workstation works in: Slicer's own, with the project's terminology, drawn without a screen."""

from __future__ import annotations

import os

import pytest

from SpiderSegLib.terminology import CONTEXT_NAME
from SpiderSegLib.workstation.slicer_scene import OPENGL_WINDOW_VARIABLE, drawOffScreen
from workstation_scene import slicerApp


def test_levels_have_the_project_s_own_codes():
    with slicerApp() as app:
        assert app.terminologies_logic.IsTerminologyContextLoaded(CONTEXT_NAME)


def test_applications_of_one_process_have_scenes_of_their_own():
    with slicerApp() as first, slicerApp() as second:
        first.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "t2")
        assert second.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0


@pytest.mark.parametrize(("before", "after"), [(None, "vtkEGLRenderWindow"), ("vtkOSOpenGLRenderWindow", "vtkOSOpenGLRenderWindow")])
def test_vtk_draws_without_a_screen_unless_the_person_chose_otherwise(monkeypatch, before, after):
    monkeypatch.delenv(OPENGL_WINDOW_VARIABLE, raising=False)
    if before:
        monkeypatch.setenv(OPENGL_WINDOW_VARIABLE, before)
    drawOffScreen()
    assert os.environ[OPENGL_WINDOW_VARIABLE] == after
