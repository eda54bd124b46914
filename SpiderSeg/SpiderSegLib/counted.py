"""Numbers with their nouns, for messages."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """'1 patient', '2 patients'; a noun that ends in s has but one form: '1 series', '2 series'."""
    return f"{number} {noun}{'' if number == 1 or noun.endswith('s') else 's'}"
