"""HTML elements with every attribute a page needs (ARIA and data- ones too), and expressions that the browser evaluates over the state."""

from __future__ import annotations

import html
import json
from typing import Any

from trame_client.widgets.core import AbstractElement


class Js(str):
    """An expression over the state, evaluated in the browser; written with single quotes."""

    __slots__ = ()


def element(name: str, *children: Any, server: Any = None, **attributes: Any) -> AbstractElement:
    """Adds an element to the open one; `with element(..):` opens it.

    A `Js` value is bound, any other one stands there as it is; True gives the bare attribute, None and False none. `classes` is class,
    `on_click_stop` is @click.stop, `v_model_number` is v-model.number, `aria_label` is aria-label. Children that are text may hold {{ }}.
    Only the root of a template names its `server`.
    """
    raw = [_attribute(key, value) for key, value in attributes.items() if value is not None and value is not False]
    return AbstractElement(name, list(children), raw_attrs=raw, trame_server=server)


def _attribute(key: str, value: Any) -> str:
    if key.startswith("on_"):
        event, *modifiers = key[3:].split("_")
        # A function in any case: Vue takes an expression such as "(a.some((one) => ..))" for one, and would run it when it draws.
        return f'@{".".join([event, *modifiers])}="($event) => {{ {_quoted(value)} }}"'
    if key.startswith("v_"):
        directive, *modifiers = key[2:].replace("else_if", "else-if").split("_")
        text = ".".join([f"v-{directive}", *modifiers])
        return text if value is True else f'{text}="{_quoted(value)}"'
    name = "class" if key == "classes" else key.rstrip("_").replace("_", "-")
    if value is True:
        return name
    return f':{name}="{_quoted(value)}"' if isinstance(value, Js) else f'{name}="{html.escape(str(value))}"'


def _quoted(expression: str) -> str:
    return expression.replace('"', "&quot;")


def literal(value: Any) -> str:
    """A value as an expression; text in single quotes, an expression as it is."""
    if isinstance(value, Js):
        return str(value)
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return json.dumps(value)


def act(name: str, *arguments: Any) -> Js:
    """Expression that asks for an action."""
    return Js(f"trigger('act', [{', '.join(literal(argument) for argument in (name, *arguments))}])")


def text(value: str) -> str:
    """Words as they are: a child that the template neither reads as markup nor as an expression."""
    return html.escape(value, quote=False).replace("{{", "&#123;&#123;")
