"""What a data set holds, and what in it will hurt training or scoring.

`series` measures one case, `findings` names what is wrong with one, `cohort` with the set as a whole, `report` turns both into a
table, CSV and JSON, `picture` into one page.
"""

from SpiderSegLib.inspection.cohort import Inspection, inspect_cases
from SpiderSegLib.inspection.findings import ADVICE, Finding, FindingKind, Severity
from SpiderSegLib.inspection.picture import draw_inspection
from SpiderSegLib.inspection.report import csv_text, json_text, table_text
from SpiderSegLib.inspection.series import Intensities, LabelStatistics, SeriesStatistics, inspect_case

__all__ = [
    "ADVICE",
    "Finding",
    "FindingKind",
    "Inspection",
    "Intensities",
    "LabelStatistics",
    "SeriesStatistics",
    "Severity",
    "csv_text",
    "draw_inspection",
    "inspect_case",
    "inspect_cases",
    "json_text",
    "table_text",
]
