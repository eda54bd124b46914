"""Buttons and form controls as the whole page uses them.

A button that is off stays in the tab order and carries the reason (`data-why`, from `can`): Resources/Workstation/tips.js shows it and keeps
the click away.
"""

from __future__ import annotations

from typing import Any

from trame_client.widgets.core import AbstractElement

from SpiderSegLib.workstation.ui.elements import Js, element, literal, text
from SpiderSegLib.workstation.ui.shortcuts import keysOf

#: Takes the focus when it comes into the page.
FOCUSED: dict[str, Any] = {"on_vue:mounted": "$event.el.focus()"}


def icon(name: str, **attributes: Any) -> AbstractElement:
    """A Material Design icon, silent for screen readers."""
    return element("i", classes=f"mdi mdi-{name}", aria_hidden="true", **attributes)


def button(
    label: str | Js,
    click: Js,
    *,
    iconName: str = "",
    isIconOnly: bool = False,
    shortcut: str = "",
    can: str = "",
    why: Js | None = None,
    tip: str | Js = "",
    kind: str = "quiet",
    **attributes: Any,
) -> AbstractElement:
    """A button. `shortcut` is a name in SHORTCUTS, `can` the key in `can` that says why not, `why` an expression that does.

    `kind` is 'primary', 'plain' or 'quiet'. The name people and screen readers get is `label`; an expression only beside an icon.
    """
    reason = why if why is not None else (Js(f"can[{literal(can)}]") if can else None)
    classes = " ".join(part for part in ("btn", f"btn-{kind}", "btn-icon" if isIconOnly else "", attributes.pop("classes", "")) if part)
    if reason is not None:
        attributes.update(aria_disabled=Js(f"{reason} ? 'true' : null"), data_why=Js(f"{reason} || null"), aria_description=Js(f"{reason} || null"))
    with element(
        "button",
        type="button",
        classes=classes,
        aria_label=label if isIconOnly else None,
        data_tip=tip or (label if isIconOnly else None),
        data_shortcut=keysOf(shortcut) or None,
        on_click=click,
        **attributes,
    ) as made:
        if iconName:
            icon(iconName)
        if not isIconOnly:
            element("span", text(label), classes="btn-text")
    return made


def choice(label: str, key: str, options: list[tuple[str, str]], can: str = "", **attributes: Any) -> AbstractElement:
    """A list of choices bound to a key of the state, with its label before it; off, with the reason, when `can` has one."""
    with element("label", classes="control", data_why=Js(f"can.{can} || null") if can else None, **attributes) as made:
        element("span", text(label), classes="control-label")
        with element("select", classes="field", v_model=key, aria_label=label, disabled=Js(f"!!can.{can}") if can else None):
            for value, words in options:
                element("option", text(words), value=value)
    return made


def switch(label: str, key: str, tip: str = "", can: str = "", **attributes: Any) -> AbstractElement:
    """A check box bound to a key of the state; off, with the reason, when `can` has one."""
    reason = Js(f"can.{can} || null") if can else None
    with element("label", classes="control control-switch", data_tip=tip or None, data_why=reason, **attributes) as made:
        element("input", type="checkbox", v_model=key, disabled=Js(f"!!can.{can}") if can else None)
        element("span", text(label))
    return made


def number(label: str, key: str, unit: str, lowest: float, highest: float, step: float, **attributes: Any) -> AbstractElement:
    """A number that is typed, with its unit; what lies outside the limits, or is no number, becomes the nearest limit."""
    with element("label", classes="control", **attributes) as made:
        element("span", text(label), classes="control-label")
        element(
            "input",
            type="number",
            classes="field field-number",
            value=Js(key),
            min=lowest,
            max=highest,
            step=step,
            aria_label=f"{label}, {unit}",
            on_change=f"{key} = Math.min({highest}, Math.max({lowest}, Number($event.target.value))); $event.target.value = {key}",
        )
        element("span", text(unit), classes="control-unit", aria_hidden="true")
    return made


def slider(label: str, key: str, lowest: float, highest: float, step: float, shown: str, **attributes: Any) -> AbstractElement:
    """A slider bound to a key of the state; `shown` is the expression of its value in words."""
    with element("label", classes="control", **attributes) as made:
        element("span", text(label), classes="control-label")
        element(
            "input",
            type="range",
            classes="slider",
            v_model_number=key,
            min=lowest,
            max=highest,
            step=step,
            aria_label=label,
            aria_valuetext=Js(shown),
        )
        element("span", f"{{{{ {shown} }}}}", classes="control-value", aria_hidden="true")
    return made


def segmented(label: str, options: list[tuple[str, str, Js, Js]], **attributes: Any) -> AbstractElement:
    """Buttons of which one is pressed: (words, tip, expression that is true when pressed, expression on a click)."""
    with element("div", classes="segmented", role="group", aria_label=label, **attributes) as made:
        for words, tip, isPressed, click in options:
            element("button", text(words), type="button", data_tip=tip or None, aria_pressed=Js(f"{isPressed} ? 'true' : 'false'"), on_click=click)
    return made
