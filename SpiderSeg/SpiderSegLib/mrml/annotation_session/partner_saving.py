"""One segmentation saved for the other series of the patient, too, where somebody made sure that they lie on each other."""

from __future__ import annotations

from typing import Any

from SpiderSegLib.corrections import Correction, ProjectFolder, Provenance, Saved, ShownPrediction, save
from SpiderSegLib.corrections.records import Clock
from SpiderSegLib.errors import SpiderSegError
from SpiderSegLib.linter import finding_counts, lint
from SpiderSegLib.mrml.annotation_session.case_saving import Verdict, conflictMessages
from SpiderSegLib.mrml.annotation_session.open_case import OpenCase
from SpiderSegLib.mrml.joint_editing import NODE_IDS, jointRecordOf
from SpiderSegLib.mrml.segmentations import onGridOf
from SpiderSegLib.mrml.volumes import geometryOf
from SpiderSegLib.volume import Volume


def savePartners(folder: ProjectFolder, case: OpenCase, saved: Saved, verdict: Verdict, clock: Clock) -> tuple[tuple[Saved, ...], tuple[str, ...]]:
    """Saves what is on screen on the grid of each partner that may be saved with it; returns their revisions, and why others were not.

    The minutes are those of the series itself: a partner has none.
    """
    done, messages = [], []
    for series, node in case.partnerNodes.items():
        try:
            reason = whyNotWith(case, node)
            if reason:
                messages.append(f"{series} was not saved with it: {reason}")
                continue
            partner = save(folder, _correction(case, series, node, saved, verdict), clock)
            case.partnerParents[series] = partner.revision.id
            done.append(partner)
            messages += conflictMessages(partner)
        except SpiderSegError as error:
            messages.append(f"{series} was not saved with it: {error}")
    return tuple(done), tuple(messages)


def whyNotWith(case: OpenCase, partnerNode: Any) -> str:
    """Why the segmentation may not be saved for a partner; '' when it may."""
    if partnerNode.GetScene() is None or case.volumeNode.GetScene() is None:
        return "its volume was deleted"
    record = jointRecordOf(case.segmentationNode)
    ids = None if record is None else record.get(NODE_IDS)
    if record is None or (ids is not None and not {case.volumeNode.GetID(), partnerNode.GetID()} <= set(ids)):
        return "it is not known whether the series lie on each other"
    if record.get("is_allowed") is True or "accepted" in record:
        return ""
    return "; ".join(str(reason) for reason in record.get("reasons", ())) or "nobody accepted it"


def _correction(case: OpenCase, series: str, node: Any, saved: Saved, verdict: Verdict) -> Correction:
    record, screen, behind = case.partnerRecords[series], case.screen(), case.predictions.behind

    def onPartner(labels: Any) -> Volume:
        moved = onGridOf(Volume(labels, geometryOf(case.volumeNode)), geometryOf(node), series)
        return Volume(moved.array, record.geometry, series)

    labelmap = onPartner(screen.labels)
    findings = lint(labelmap, record.geometry)
    if behind is None and saved.revision.prediction:
        # The prediction can't be read any more: all of the mask counts as the model's.
        behind = ShownPrediction(screen.labels, saved.revision.source_model, screen.naming)
    return Correction(
        series=series,
        labelmap=labelmap,
        annotator=saved.revision.annotator,
        status=verdict.status,
        parent=case.partnerParents.get(series, ""),
        shown=None if behind is None else ShownPrediction(onPartner(behind.labelmap).array, behind.model_id, behind.naming),
        naming=screen.naming,
        reason=verdict.reason,
        comment=verdict.comment or f"saved with {case.series}",
        findings=finding_counts(findings),
        worst_finding=findings[0].message if findings else "",
        is_imported=behind is None and saved.revision.provenance is not Provenance.MANUAL,
    )
