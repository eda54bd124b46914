"""How things are shown: layout, window, slices, opacity, outlines, confidence, the prediction, surfaces."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from SpiderSegLib.errors import LabelError, SpiderSegError
from SpiderSegLib.mrml.display import Overlay, clearOverlay, colorByConfidence, setOpacity, showOverlay
from SpiderSegLib.mrml.segmentations import predictionNodeOf
from SpiderSegLib.mrml.translation import _
from SpiderSegLib.workstation.bench import Action, Bench
from SpiderSegLib.workstation.views import AXIAL, CORONAL, PARTNER, SAGITTAL, THREE_D, Arrangement

LABELS = {SAGITTAL: "Sagittal", PARTNER: "Sagittal, other series", AXIAL: "Axial", CORONAL: "Coronal", THREE_D: "3D"}

CLOSED_SURFACE = "Closed surface"


class DisplayControls:
    """Applies the display options to whatever is open."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._shown: Any = None
        self._layoutBefore = Arrangement.SAGITTAL
        bench.state.change("opacity", "outlineOnly", "confidenceColors", "segmentationShown")(lambda **state: self.apply())
        bench.state.change("overlay")(lambda **state: bench.answer(self._applyOverlay))
        bench.state.change("surfaces")(lambda **state: self._applySurfaces())
        bench.state.change("layout")(self._onLayout)
        views = bench.views
        self.actions: Mapping[str, Action] = {
            "fit": lambda tag="": views.fit(str(tag)),
            "autoWindow": lambda: views.setAutomaticWindow(bench.volumeNode),
            "resetWindow": lambda: views.setAutomaticWindow(bench.volumeNode),
            "scroll": lambda steps, tag=SAGITTAL: views.scroll(int(steps), str(tag)),
            "zoom": lambda steps, tag=SAGITTAL: views.zoom(int(steps), str(tag)),
            "slice": lambda tag, index: views.goToSlice(str(tag), int(index)),
            "maximize": self.maximize,
        }

    def _onLayout(self, layout: str, **others: Any) -> None:
        self.bench.views.arrange(Arrangement(layout))
        if self.bench.work is not None:
            self.bench.views.show(self.bench.work.seriesNodes)
        self._applySurfaces()
        self.bench.refreshLater()

    def maximize(self, tag: str) -> None:
        """The sagittal or 3D view alone, and back again."""
        state = self.bench.state
        present = Arrangement(state.layout)
        if present in (Arrangement.SINGLE, Arrangement.THREE_D):
            state.layout = self._layoutBefore.value
        else:
            self._layoutBefore = present
            state.layout = (Arrangement.THREE_D if tag == THREE_D else Arrangement.SINGLE).value

    # Segmentation

    def apply(self) -> None:
        """Gives the open segmentation the opacity, outline and colors that are set."""
        node, state = self.bench.segmentationNode, self.bench.state
        if node is None or node.GetDisplayNode() is None:
            return
        node.GetDisplayNode().SetVisibility(bool(state.segmentationShown))
        setOpacity(node, float(state.opacity), bool(state.outlineOnly))
        # Damaged tags: the level table says so.
        with contextlib.suppress(LabelError):
            colorByConfidence(node, bool(state.confidenceColors))

    def _applyOverlay(self) -> None:
        node, overlay = self.bench.segmentationNode, Overlay(self.bench.state.overlay)
        if node is None:
            clearOverlay(self.bench.scene)
        else:
            showOverlay(node, overlay)

    def _applySurfaces(self) -> None:
        """Surfaces are made on demand, because they take a second; the editor then keeps them up to date."""
        node = self.bench.segmentationNode
        if node is None:
            return
        isShown = node.GetSegmentation().ContainsRepresentation(CLOSED_SURFACE)
        isWanted = bool(self.bench.state.surfaces) and self.bench.views.threeD is not None
        self.bench.app.segmentation_editor.show_3d(isWanted)
        if isWanted and not isShown:
            node.CreateClosedSurfaceRepresentation()
            self.bench.views.fit(THREE_D)
        elif isShown and not isWanted:
            node.RemoveClosedSurfaceRepresentation()

    # State

    def refresh(self) -> None:
        node, state = self.bench.segmentationNode, self.bench.state
        if node is not self._shown:
            self._shown = node
            if state.overlay != Overlay.NOTHING.value:
                state.overlay = Overlay.NOTHING.value
                clearOverlay(self.bench.scene)
            self.apply()
            self._applySurfaces()
        elif node is not None and state.overlay == Overlay.DIFFERENCE.value:
            with contextlib.suppress(SpiderSegError):
                showOverlay(node, Overlay.DIFFERENCE)
        self.refreshViews()

    def refreshViews(self) -> None:
        """Slice, series and window of every view."""
        for tag in self.bench.views.sliceTags:
            self.onViewChanged(tag)

    def onViewChanged(self, tag: str) -> None:
        """A view shows something else."""
        node = self.bench.views.backgroundOf(tag)
        index, count = self.bench.views.place(tag)
        display = node.GetDisplayNode() if node is not None else None
        shown = {
            "label": LABELS[tag],
            "series": node.GetName() if node is not None else "",
            "position": _("slice {index} / {count}").format(index=index + 1, count=count) if count else "",
            "index": index,
            "count": count,
            "letters": self.bench.views.lettersAround(tag),
            "window": "" if display is None else f"W {display.GetWindow():.0f} L {display.GetLevel():.0f}",
        }
        if self.bench.state[f"view_{tag}"] != shown:
            with self.bench.state as state:
                state[f"view_{tag}"] = shown

    def reasons(self) -> dict[str, str]:
        node = self.bench.segmentationNode
        without = "" if node is not None else _("There is no segmentation yet.")
        kept = without or ("" if predictionNodeOf(node) is not None else _("This segmentation keeps no prediction: it was not made by SpiderSeg."))
        series = len(self.bench.work.seriesNodes) if self.bench.work is not None else 0
        image = "" if series else _("Open a series first.")
        return {
            "overlay": kept,
            "surfaces": without,
            "sideBySide": "" if series > 1 else _("No other series of the patient is open."),
            **dict.fromkeys(("fit", "autoWindow", "resetWindow", "scroll", "zoom", "slice"), image),
        }
