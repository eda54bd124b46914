"""How far two labelmaps of one series agree: two annotators, two revisions, or a person and a model. Neither is the truth.

Every measure is symmetric: with A and B exchanged the numbers stay, and what is only in A is only in B. `measure` compares two labelmaps,
`shift` finds a numbering that is off by a constant, `files` goes through files and folders, `as_table` and `as_json` turn results into
text, `slices` and `picture` show where A and B differ.
"""

from SpiderSegLib.agreement.as_json import agreement_object, agreement_set_object
from SpiderSegLib.agreement.as_table import agreement_set_table, agreement_table
from SpiderSegLib.agreement.files import AgreementSet, FailedPair, SeriesAgreement, agree_files, agree_folders
from SpiderSegLib.agreement.measure import agree
from SpiderSegLib.agreement.picture import draw_agreement
from SpiderSegLib.agreement.result import Agreement, LevelRow, StructureAgreement
from SpiderSegLib.agreement.shift import LevelShift

__all__ = [
    "Agreement",
    "AgreementSet",
    "FailedPair",
    "LevelRow",
    "LevelShift",
    "SeriesAgreement",
    "StructureAgreement",
    "agree",
    "agree_files",
    "agree_folders",
    "agreement_object",
    "agreement_set_object",
    "agreement_set_table",
    "agreement_table",
    "draw_agreement",
]
