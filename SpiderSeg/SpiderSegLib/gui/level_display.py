"""Opacity, outlines and colors of the levels: shown as the parameters say, remembered from one session to the next."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import qt

from SpiderSegLib.errors import LabelError
from SpiderSegLib.mrml.display import colorByConfidence, setOpacity

if TYPE_CHECKING:
    from SpiderSegLib.gui.panel import Panel

#: Application settings in which the display is remembered, by parameter.
REMEMBERED = {"opacity": "SpiderSeg/opacity", "outlineOnly": "SpiderSeg/outlineOnly", "colorByConfidence": "SpiderSeg/colorByConfidence"}


class LevelDisplay:
    """Applies the display parameters to the chosen segmentation."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        #: Segmentation (ID) and parameters that are on the screen.
        self._shown: tuple[str, tuple[Any, ...]] = ("", ())

    def onParameterNodeChanged(self) -> None:
        """Gives a new scene the display of the last one; a scene with a segmentation has its own."""
        parameterNode = self.panel.parameterNode
        if parameterNode.segmentation is None:
            for parameter, value in rememberedDisplay().items():
                setattr(parameterNode, parameter, value)
        self.apply()

    def onParametersModified(self) -> None:
        """Shows levels as the parameters say; what a person changed is remembered, what came with a scene is not."""
        parameterNode = self.panel.parameterNode
        if parameterNode is None:
            return
        shown, present = self._shown, self._present()
        if present == shown:
            return
        self.apply()
        if present[1] != shown[1] and not self.panel.scene.IsBatchProcessing():
            settings = qt.QSettings()
            for parameter, key in REMEMBERED.items():
                settings.setValue(key, getattr(parameterNode, parameter))

    def apply(self) -> None:
        """Gives the chosen segmentation the opacity, outline and colors that are set."""
        node, parameterNode = self.panel.segmentationNode, self.panel.parameterNode
        self._shown = self._present()
        if node is None or node.GetDisplayNode() is None:
            return
        setOpacity(node, parameterNode.opacity, parameterNode.outlineOnly)
        # Damaged tags: the Levels section says so.
        with contextlib.suppress(LabelError):
            colorByConfidence(node, parameterNode.colorByConfidence)

    def _present(self) -> tuple[str, tuple[Any, ...]]:
        node, parameterNode = self.panel.segmentationNode, self.panel.parameterNode
        return "" if node is None else node.GetID(), tuple(getattr(parameterNode, parameter) for parameter in REMEMBERED)


def rememberedDisplay() -> dict[str, Any]:
    """Parameters of the last session, as far as its settings can be read; all are read before the first is set, which writes them again."""
    settings = qt.QSettings()
    texts = {parameter: str(settings.value(key)) for parameter, key in REMEMBERED.items() if settings.value(key) is not None}
    values: dict[str, Any] = {parameter: text.lower() == "true" for parameter, text in texts.items() if parameter != "opacity"}
    try:
        opacity = float(texts["opacity"])
    except (KeyError, ValueError):
        return values
    return {**values, "opacity": opacity} if 0 <= opacity <= 1 else values
