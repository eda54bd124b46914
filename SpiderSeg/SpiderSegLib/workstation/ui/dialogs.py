"""Dialogs: save, flag, export, level, what to do with unsaved work, and help. Each keeps the focus and closes with Esc, if it may be left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from trame.widgets import vuetify3

from SpiderSegLib.workstation.ui.controls import FOCUSED, button, icon
from SpiderSegLib.workstation.ui.elements import Js, act, element, text
from SpiderSegLib.workstation.ui.help_dialogs import about, keysAndMouse
from SpiderSegLib.workstation.ui.level_panel import SELECTED

CLOSE = Js("dialog = ''")

FORMATS = (
    ("dicomSeg", "DICOM SEG", "For viewers and archives. Needs a series that came as DICOM.", ".dcm"),
    ("segNrrd", "3D Slicer segmentation", "Names, colors and codes of every level.", ".seg.nrrd"),
    ("niftiGz", "NIfTI", "Integer labels in SPIDER values on the grid of the image.", ".nii.gz"),
    ("mha", "MetaImage", "Integer labels in SPIDER values, as the SPIDER data set has them.", ".mha"),
)


@contextmanager
def dialog(name: str, title: str, *, isShown: str = "", close: Js | None = CLOSE, width: int = 480) -> Iterator[None]:
    """Opens a dialog to fill; `close` is what Esc, the cross and a click beside it do, None for one that has to be answered."""
    shown = isShown or f"dialog === '{name}'"
    with (
        vuetify3.VDialog(
            model_value=(shown,),
            update_modelValue=f"$event ? null : {close}" if close else None,
            persistent=close is None,
            no_click_animation=True,
            max_width=width,
            scrollable=True,
            raw_attrs=[f'aria-labelledby="dialog-{name}"', 'content-class="dialog-content"'],
        ),
        element("div", classes="dialog", data_dialog=name),
    ):
        with element("div", classes="dialog-head"):
            element("h2", text(title), id=f"dialog-{name}")
            if close:
                button("Close", close, iconName="close", isIconOnly=True, tip="Close  Esc")
        yield


def build() -> None:
    """Adds all dialogs to the open element."""
    _save()
    _flag()
    _export()
    _level()
    _unsaved()
    _offered()
    with dialog("help", "Keys and mouse", width=1120):
        keysAndMouse()
    with dialog("about", "About SpiderSeg"):
        about()


def _comment() -> None:
    with element("label", classes="stacked"):
        element("span", "Comment", classes="control-label")
        element("textarea", classes="field", rows="3", v_model="comment", maxlength="2000", **FOCUSED)


def _save() -> None:
    with dialog("save", "Save a revision"):
        with element("div", classes="dialog-body"):
            element("p", "Saved as {{ annotator }}. Earlier revisions stay as they are.", classes="muted")
            _comment()
        with element("div", classes="dialog-actions"):
            button("Back", CLOSE)
            element("div", classes="grow")
            button("Save, in progress", Js(f"{CLOSE}; {act('save')}"), kind="plain", shortcut="save", can="save")
            button("Save as done", Js(f"{CLOSE}; {act('done')}"), kind="primary", shortcut="done", can="done")


def _flag() -> None:
    with dialog("flag", "Flag this case"):
        with element("div", classes="dialog-body"):
            element("p", "A flagged case is left out of training until somebody has decided.", classes="muted")
            with element("label", classes="stacked"):
                element("span", "What is wrong", classes="control-label")
                element("input", type="text", classes="field", v_model="flagReason", maxlength="500", **FOCUSED)
            with element("label", classes="stacked"):
                element("span", "Comment", classes="control-label")
                element("textarea", classes="field", rows="3", v_model="comment", maxlength="2000")
        with element("div", classes="dialog-actions"):
            button("Back", CLOSE)
            element("div", classes="grow")
            why = Js("(flagReason.trim() ? '' : 'Say in a few words what is wrong.')")
            button("Flag", Js(f"{CLOSE}; {act('flag')}"), kind="primary", why=why)


def _export() -> None:
    with dialog("export", "Export the segmentation"), element("div", classes="dialog-body"):
        with element("ul", classes="formats"):
            for name, words, detail, suffix in FORMATS:
                reason = Js(f"can.export || can.{name}")
                with (
                    element("li"),
                    element(
                        "button",
                        type="button",
                        classes="format",
                        aria_disabled=Js(f"{reason} ? 'true' : null"),
                        aria_description=Js(f"{reason} || null"),
                        data_why=Js(f"{reason} || null"),
                        on_click=Js(f"{CLOSE}; {act('export', name)}"),
                    ),
                ):
                    icon("tray-arrow-down")
                    with element("span", classes="format-words"):
                        element("span", text(words), classes="format-name")
                        element("span", text(detail), classes="muted")
                    element("span", text(suffix), classes="muted mono")
        element("p", "The browser saves the file where it saves downloads.", classes="muted")


def _level() -> None:
    with dialog("level", "Level of the selected segment"), element("div", classes="dialog-body"):
        with element("label", classes="stacked"):
            element("span", "Level", classes="control-label")
            with element(
                "select",
                classes="field",
                aria_label="Level",
                value=Js(f"({SELECTED} || {{ value: 0 }}).value"),
                on_change="trigger('act', ['setLevel', Number($event.target.value)])",
            ):
                element("option", "{{ one.name }}", v_for="one in levelValues", key=Js("one.value"), value=Js("one.value"))
        with element("form", classes="stacked", on_submit_prevent=Js(f"{act('renameLevel', Js('levelName'))}; {CLOSE}")):
            element("label", "Another name, for a transitional vertebra", classes="control-label", for_="level-name")
            with element("div", classes="button-row"):
                element("input", id="level-name", type="text", classes="field", v_model="levelName", maxlength="64")
                element(
                    "button",
                    "Rename",
                    type="submit",
                    classes="btn btn-plain",
                    aria_disabled=Js("can.renameLevel ? 'true' : null"),
                    data_why=Js("can.renameLevel || null"),
                )


def _unsaved() -> None:
    with dialog("unsaved", "Save the changes?", close=act("unsavedStay")):
        with element("div", classes="dialog-body"):
            element("p", "{{ unsavedText }}")
        with element("div", classes="dialog-actions"):
            button("Discard the changes", act("unsavedDiscard"))
            element("div", classes="grow")
            button("Keep for later", act("unsavedKeep"), kind="plain", tip="Offered when the case is opened again")
            button("Save", act("unsavedSave"), kind="primary", can="save", **FOCUSED)


def _offered() -> None:
    with dialog("offered", "Unsaved work was kept", isShown="!!offered", close=None):
        with element("div", classes="dialog-body"):
            element("p", "{{ offered ? offered.text : '' }}")
        with element("div", classes="dialog-actions"):
            button("Discard it", act("discardOffered"))
            element("div", classes="grow")
            button("Restore", act("restoreOffered"), kind="primary", **FOCUSED)
