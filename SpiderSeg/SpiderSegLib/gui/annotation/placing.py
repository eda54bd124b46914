"""Where the sections of the annotation loop stand in the panel."""

from __future__ import annotations

from typing import Any

#: What an annotator works with a hundred times a day stands at the top, what is needed now and then at the bottom.
FIRST = ("project", "cases", "case", "findings")
LAST = ("gradings", "revisions", "models")

#: The first widget of the panel stays the first.
NOTICE = 1


def placeSections(panelWidget: Any, annotationWidget: Any) -> None:
    """Moves the sections of SpiderSegProject.ui into the layout of SpiderSeg.ui."""
    layout = panelWidget.layout()
    sections = {child.objectName: child for child in annotationWidget.children() if child.objectName.endswith("CollapsibleButton")}
    for index, name in enumerate(FIRST):
        layout.insertWidget(NOTICE + index, sections[f"{name}CollapsibleButton"])
    for name in LAST:
        layout.addWidget(sections[f"{name}CollapsibleButton"])
    # Empty now, it goes with the panel.
    annotationWidget.setParent(panelWidget)
    annotationWidget.hide()
