"""All rules over one labelmap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.errors import LabelError
from SpiderSegLib.labels import from_downward_numbering, is_downward_numbering
from SpiderSegLib.linter.canal_rules import canal_findings
from SpiderSegLib.linter.column_view import ColumnView
from SpiderSegLib.linter.findings import Finding, Rule, Severity, in_order
from SpiderSegLib.linter.numbering_rules import numbering_findings
from SpiderSegLib.linter.piece_rules import piece_findings
from SpiderSegLib.linter.size_rules import size_findings
from SpiderSegLib.linter.value_rules import grid_findings, is_class_map, known_labels, missing_findings, unknown_findings
from SpiderSegLib.volume import Geometry, Volume


def lint(labelmap: Volume, image_geometry: Geometry | None = None) -> tuple[Finding, ...]:
    """What is wrong with a labelmap in SPIDER values, the worst first, then from top to bottom; () when nothing is.

    labelmap: any orientation, any number of slices, integers or whole numbers as floats; `image_geometry` is the grid of its image, if it has
    one. Nothing in a labelmap raises: unknown values are a finding and count as background, a class map is a finding and the only one of its
    contents, a mask that counts 24 downward is a finding and looked at as if it counted upward (`value` stays the file's).
    """
    labels, unknown = known_labels(labelmap)
    findings = [*grid_findings(labelmap.geometry, image_geometry), *unknown_findings(labelmap, unknown)]
    view = ColumnView.of(labels, labelmap.geometry)
    if not view.parts:
        findings.append(Finding(Rule.EMPTY_LABELMAP, Severity.ERROR, 0, None, "nothing is labelled"))
    elif is_class_map(view):
        values = ", ".join(map(str, view.parts))
        findings.append(Finding(Rule.CLASS_MAP, Severity.ERROR, 0, None, f"the values {values} are structures without numbers, not vertebrae"))
    else:
        findings += _of_contents(labels, view)
    return in_order(findings)


def _of_contents(labels: NDArray[np.uint8], view: ColumnView) -> list[Finding]:
    if not is_downward_numbering(view.parts):
        return _of_view(view)
    message = "the levels are counted 24 downward (24 the lowest vertebra); the numbers in other findings are those counted upward"
    downward = Finding(Rule.DOWNWARD_NUMBERING, Severity.WARNING, 0, None, message)
    try:
        upward = ColumnView.of(from_downward_numbering(labels), view.geometry)
    except LabelError:  # level 25 has no place below 24
        return [downward]
    stored = dict(zip(from_downward_numbering(np.array([*view.parts])).tolist(), view.parts, strict=True))
    return [downward, *(replace(finding, value=stored.get(finding.value, 0)) for finding in _of_view(upward))]


def _of_view(view: ColumnView) -> list[Finding]:
    return [*missing_findings(view), *numbering_findings(view), *piece_findings(view), *canal_findings(view), *size_findings(view)]
