"""The report of one case: a page to print, with the picture, the levels and how far they can be trusted, who corrected what, and the findings.

`case` is what is reported, `levels` measures its rows, `sagittal_slice` and `figure` are the picture, `wording` the sentences, `document`
the page they go on, `as_html` puts all of it together.
"""

from SpiderSegLib.case_report.as_html import report_html
from SpiderSegLib.case_report.case import CaseReport

__all__ = ["CaseReport", "report_html"]
