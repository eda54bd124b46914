"""What is wrong with a labelmap in SPIDER values, found without its image: on save in the module, and over data sets.

Needs numpy and scipy only. `findings` names the rules, `column_view` cuts the labels out, `value_rules`, `numbering_rules`, `piece_rules`,
`canal_rules` and `size_rules` look (the last with `measures` against `anatomy`), `report` turns the findings of many series into text.
"""

from SpiderSegLib.linter.findings import MEANING_AND_ADVICE, Finding, Rule, Severity, counts_text, finding_counts, in_order, is_at_least
from SpiderSegLib.linter.linting import lint

__all__ = ["MEANING_AND_ADVICE", "Finding", "Rule", "Severity", "counts_text", "finding_counts", "in_order", "is_at_least", "lint"]
