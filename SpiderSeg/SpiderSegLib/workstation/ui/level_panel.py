"""The table of levels and what is done to them: number, confirm, correct."""

from __future__ import annotations

from SpiderSegLib.workstation.ui.controls import button, icon, segmented
from SpiderSegLib.workstation.ui.elements import Js, act, element

#: Action, words, tip, icon, and whether it is a tool that waits for clicks in a view.
CORRECTIONS = (
    ("merge", "Merge", "Merge the selected levels into one", "call-merge", False),
    ("split", "Split", "Split a level: click once on each part", "call-split", True),
    ("redraw", "Redraw", "Draw the selected level anew with the model", "refresh", False),
    ("addVertebra", "Vertebra", "Add a vertebra: click in its middle", "plus-box-outline", True),
    ("addDisc", "Disc", "Add a disc: click in its middle", "minus-box-outline", True),
    ("revert", "Revert", "Take the selected level back to the prediction", "backup-restore", False),
    ("removeIslands", "Islands", "Remove pieces that are apart from the selected level", "blur", False),
    ("fillHoles", "Holes", "Fill the holes of the selected level", "circle-slice-8", False),
    ("smoothLevel", "Smooth", "Smooth the edge of the selected level", "waves", False),
)

#: Expression of the selected level, undefined when there is none.
SELECTED = "levels.find((one) => one.id === selected[0])"


def build() -> None:
    """Adds the section to the open element."""
    with element("section", classes="panel-section", id="panel-levels", role="tabpanel", aria_labelledby="tab-levels", v_if="panelTab === 'levels'"):
        _empty()
        with element("template", v_if="levels.length"):
            _numbering()
            _table()
            _corrections()


def _empty() -> None:
    with element("div", classes="empty", v_if="!levels.length"):
        icon("format-list-numbered")
        element("h2", "{{ run ? 'Segmenting' : 'No levels yet' }}")
        element("p", "The levels appear here when the run is done. The images can be looked at meanwhile.", v_if="run")
        element("p", "{{ levelState.text }}", v_else=True)
        button(
            "Begin with an empty one",
            act("startEmpty"),
            iconName="plus",
            kind="plain",
            can="startEmpty",
            v_if="!run && !currentCase?.hasSegmentation",
        )
        button(
            "Add a segment",
            act("addSegment"),
            iconName="plus",
            kind="plain",
            can="addSegment",
            v_if="!run && currentCase?.hasSegmentation",
        )


def _numbering() -> None:
    with element("div", classes="numbering"):
        with element("p", classes="level-state", role="status"):
            element("span", "{{ levelState.text }}")
            element("span", "{{ levelState.problem }}", classes="problem", v_if="levelState.problem")
        with element("div", classes="button-row"):
            button(
                "Shift up",
                act("shift", 1),
                iconName="arrow-up",
                isIconOnly=True,
                shortcut="shiftUp",
                can="shiftUp",
                kind="plain",
                tip="Shift all levels up: L5 becomes L4",
            )
            button(
                "Shift down",
                act("shift", -1),
                iconName="arrow-down",
                isIconOnly=True,
                shortcut="shiftDown",
                can="shiftDown",
                kind="plain",
                tip="Shift all levels down: L4 becomes L5",
            )
            button(
                "Confirm",
                act("confirm"),
                iconName="check",
                shortcut="confirm",
                can="confirm",
                kind="plain",
                tip="I have counted: the levels are right",
                aria_pressed=Js("levelState.isConfirmed ? 'true' : 'false'"),
            )
            button(
                "Partial",
                act("partial"),
                iconName="crop",
                isIconOnly=True,
                shortcut="partial",
                can="partial",
                kind="plain",
                tip="The selected vertebra is cut by the field of view",
            )
            button(
                "Unidentified",
                act("unidentified"),
                iconName="help",
                isIconOnly=True,
                can="unidentified",
                kind="plain",
                tip="The bottom of the column is not in view: names are numbers",
            )
            element("div", classes="grow")
            segmented(
                "Lumbar vertebrae",
                [(str(n), f"{n} lumbar vertebrae", Js(f"levelState.lumbarCount === {n}"), act("lumbarCount", n)) for n in (4, 5, 6)],
            )


def _table() -> None:
    with (
        element("div", classes="table-scroll"),
        element("table", classes="levels", role="grid", aria_label="Levels", aria_multiselectable="true", data_rows="levels"),
    ):
        with element("thead"), element("tr"):
            for words, classes in (("Level", ""), ("State", ""), ("Sure", "right"), ("Volume", "right")):
                element("th", words, scope="col", classes=classes or None)
            with element("th", scope="col"):
                element("span", "Shown", classes="sr-only")
        with (
            element("tbody"),
            element(
                "tr",
                v_for="(level, index) in levels",
                key=Js("level.id"),
                role="row",
                data_row=True,
                tabindex=Js("(selected.length && levels.some((one) => one.id === selected[0]) ? level.id === selected[0] : index === 0) ? 0 : -1"),
                aria_label=Js("level.name"),
                aria_selected=Js("selected.includes(level.id) ? 'true' : 'false'"),
                aria_description=Js(
                    "[level.fullName, level.isLow ? 'the model is unsure' : '', level.isEmpty ? 'empty' : ''].filter(Boolean).join(', ')"
                ),
                classes=Js("{ selected: selected.includes(level.id), low: level.isLow, empty: level.isEmpty, hidden: !level.isVisible }"),
                data_tip=Js("level.fullName"),
                on_click="trigger('act', ['selectLevel', level.id, $event.shiftKey || $event.ctrlKey || $event.metaKey])",
            ),
        ):
            _cells()


def _cells() -> None:
    with element("td", role="gridcell", classes="level-name"):
        element("span", classes="swatch", style=Js("{ background: level.color }"), aria_hidden="true")
        element("span", "{{ level.isPartial ? level.name.replace(' (partial)', '') : level.name }}")
        element("span", "cut", classes="tag", v_if="level.isPartial", data_tip="Cut by the field of view")
    with element("td", role="gridcell", classes="muted", data_tip=Js("level.state")):
        element("span", "{{ level.isEmpty ? 'empty' : level.state }}")
    with element("td", role="gridcell", classes="right tabular"):
        with element("span", v_if="level.isLow", classes="unsure", data_tip="The model is unsure here: look at this level first"):
            icon("alert")
            element("span", "{{ level.confidence }}")
        element("span", "{{ level.confidence }}", v_else=True)
    element("td", "{{ level.volume }}", role="gridcell", classes="right tabular muted")
    with (
        element("td", role="gridcell", classes="right"),
        element(
            "button",
            type="button",
            tabindex="-1",
            classes="eye",
            aria_label=Js("(level.isVisible ? 'Hide ' : 'Show ') + level.name"),
            data_tip=Js("level.isVisible ? 'Hide' : 'Show'"),
            on_click_stop=act("toggleVisible", Js("level.id")),
        ),
    ):
        element("i", classes=Js("'mdi ' + (level.isVisible ? 'mdi-eye-outline' : 'mdi-eye-off-outline')"), aria_hidden="true")


def _corrections() -> None:
    with element("div", classes="corrections"):
        with element("div", classes="button-row"):
            button(
                "Next uncertain",
                act("nextUncertain"),
                iconName="target",
                shortcut="nextUncertain",
                can="nextUncertain",
                kind="plain",
                tip="To the level the model is least sure of",
            )
            element("div", classes="grow")
            button(
                "Show only the selected level",
                act("isolate"),
                iconName="eye-circle-outline",
                isIconOnly=True,
                can="isolate",
                aria_pressed=Js("isIsolated ? 'true' : 'false'"),
            )
            button(
                "Name or number of the segment",
                Js(f"levelName = ({SELECTED} || {{ name: '' }}).name; dialog = 'level'"),
                iconName="pencil-outline",
                isIconOnly=True,
                can="setLevel",
            )
            button("Add an empty segment", act("addSegment"), iconName="plus", isIconOnly=True, can="addSegment")
            button("Delete the segment", act("deleteSegment"), iconName="trash-can-outline", isIconOnly=True, can="deleteSegment")
        with element("div", classes="correction-grid", role="group", aria_label="Corrections"):
            for action, words, tip, iconName, isTool in CORRECTIONS:
                button(
                    words,
                    act(action),
                    iconName=iconName,
                    shortcut=action,
                    can=action,
                    tip=tip,
                    aria_pressed=Js(f"tool === '{action}' ? 'true' : 'false'") if isTool else None,
                )
