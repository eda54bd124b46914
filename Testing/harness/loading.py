"""Loads a scripted module as Slicer does: its file by its path, its __init__ with a module object, its panel, setup()."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.session import start


@dataclass(frozen=True)
class LoadedModule:
    """A module in the application: its Python file, its module object and its panel. `widget` is the <Name>Widget, a new one after a reload."""

    name: str
    python_module: ModuleType
    module: Any
    panel: Any

    @property
    def widget(self) -> Any:
        return self.panel.self()

    @property
    def ui(self) -> Any:
        return self.widget.ui

    def enter(self) -> None:
        """The user selects the module."""
        self.panel.show()
        self.panel.enter()

    def exit(self) -> None:
        """The user selects another module."""
        self.panel.exit()
        self.panel.hide()

    def reload(self) -> None:
        """The developer's Reload button."""
        self.widget.onReload()

    def unload(self) -> None:
        """What closing Slicer does to it: cleanup() through moduleAboutToBeUnloaded."""
        import slicer

        if self.panel.isEntered:
            self.exit()
        slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(self.name)
        self.panel.deleteLater()
        for attribute in (self.name.lower(), f"{self.name}Widget", f"{self.name}Instance"):
            vars(slicer.modules).pop(attribute, None)
        sys.modules.pop(self.name, None)
        slicer.app.processEvents()


def load_module(path: str | Path) -> LoadedModule:
    """Loads the scripted module of a file <Name>.py, sets up its panel (in no window) and announces that start-up is complete."""
    session = start()
    import slicer

    from harness.modules import qSlicerScriptedLoadableModule, qSlicerScriptedLoadableModuleWidget

    file = Path(path).resolve()
    name = file.stem
    # Slicer puts a module's folder on the path, so that <Name>Lib beside it can be imported.
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))
    python_module = _import(name, file)
    module = qSlicerScriptedLoadableModule(name, str(file))
    setattr(slicer.modules, name.lower(), module)
    getattr(python_module, name)(module)
    session.app.startupCompleted.emit()

    panel = qSlicerScriptedLoadableModuleWidget(name)
    panel.setMRMLScene(slicer.mrmlScene)
    module._widget = panel
    panel.reload()
    return LoadedModule(name, python_module, module, panel)


def run_self_test(loaded: LoadedModule) -> None:
    """Runs <Name>Test.runTest, the module's own test, as Slicer's Reload and Test does; its failures are raised."""
    import slicer

    getattr(slicer.modules, f"{loaded.name}Instance").runTest(msec=0)


def _import(name: str, file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
