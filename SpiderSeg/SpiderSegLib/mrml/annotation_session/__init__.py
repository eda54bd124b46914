"""The annotation loop on nodes, without a window: what the module's panel, a browser and tests drive.

`session` is the whole, `desk` the one case that is open at a time. `open_case` is a series in the scene, `starting_point` what it is opened
with, `on_screen` what would be saved, `predictions_shown` which prediction was seen; `case_saving` and `partner_saving` make revisions of it,
`edit_keeper` and `unsaved_edits` keep what is not saved yet; `conflicts`, `conflict_view` and `settling` are what two people made of one series.
"""

from SpiderSegLib.mrml.annotation_session.activity_timer import IDLE_S, ActivityTimer
from SpiderSegLib.mrml.annotation_session.case_saving import SaveResult
from SpiderSegLib.mrml.annotation_session.conflicts import Comparison, Conflict
from SpiderSegLib.mrml.annotation_session.open_case import OpenCase
from SpiderSegLib.mrml.annotation_session.session import AnnotationSession
from SpiderSegLib.mrml.annotation_session.unsaved import UnsavedChanges

__all__ = ["IDLE_S", "ActivityTimer", "AnnotationSession", "Comparison", "Conflict", "OpenCase", "SaveResult", "UnsavedChanges"]
