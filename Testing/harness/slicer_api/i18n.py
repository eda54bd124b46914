"""slicer.i18n: translation functions; without a translation file both give the text back, as an English Slicer does."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication


def translate(context: str, text: str) -> str:
    """The text in the user's language, looked up in a named context."""
    return QCoreApplication.translate(context, text)


def tr(text: str) -> str:
    """The text in the user's language; in Slicer the context is the calling module."""
    if not isinstance(text, str):
        raise TypeError(f"tr() translates a literal string, not a {type(text).__name__}")
    return text
