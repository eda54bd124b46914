"""The page of the workstation as it leaves Python: what its templates read, name and load. How it behaves is tested in a real browser."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path

import pytest

pytest.importorskip("trame_slicer")

import trame_vuetify
from trame.app import get_server
from trame_client.ui.core import AbstractLayout

from SpiderSegLib.paths import RESOURCES, data_path
from SpiderSegLib.workstation.ui import assets, page, state, theme, view_frame
from SpiderSegLib.workstation.ui.elements import Js, act, element, text
from SpiderSegLib.workstation.ui.shortcuts import SHORTCUTS

OWN_FILES = data_path(RESOURCES, "Workstation")

#: Keys that no element carries: Resources/Workstation/keys.js handles them.
HANDLED_BY_SCRIPT = {"noTool", "brush", "scroll", "scrollFar"}

#: What an expression may name besides keys of the state: the language, trame's own, and the variables of loops and functions.
LANGUAGE = {"true", "false", "null", "Math", "Number", "Boolean", "window", "trigger", "props", "one", "index", "row", "key"}
LOOPS = {"level", "message", "file"}

#: Keys of literal objects: they look like names.
OBJECT_KEYS = {"selected", "low", "empty", "hidden", "current", "background", "width", "error", "warning", "note", "info", "success", "name", "value"}

#: Smallest contrast of text on its ground in WCAG 2, level AA.
SMALLEST_CONTRAST = 4.5


class Grid:
    """Stands where the LayoutManager's grid goes."""

    def initialize_layout_grid(self, layout):
        element("div")


@dataclass
class Found:
    """An element with the words in it; `label` is the one it stands in, or None."""

    tag: str
    attributes: dict[str, str | None]
    label: Found | None
    words: list[str] = field(default_factory=list)

    @property
    def isNamed(self) -> bool:
        return bool({"aria-label", ":aria-label", "id"} & set(self.attributes))


class Elements(HTMLParser):
    """All elements of a template, and all its expressions."""

    def __init__(self, template: str) -> None:
        super().__init__()
        self.found: list[Found] = []
        self.expressions: list[str] = []
        self._open: list[Found] = []
        self.feed(template)

    def handle_starttag(self, tag, attrs):
        label = next((one for one in self._open if one.tag == "label"), None)
        found = Found(tag, dict(attrs), label)
        self._open.append(found)
        self.found.append(found)
        self.expressions += [value for key, value in attrs if value and (key[0] in ":@" or key.startswith("v-"))]

    def handle_endtag(self, tag):
        self._open.pop()

    def handle_data(self, data):
        for one in self._open if data.strip() else ():
            one.words.append(data.strip())
        self.expressions += re.findall(r"{{(.*?)}}", data, re.DOTALL)


@pytest.fixture(scope="module")
def server():
    server = get_server("test_workstation_ui", client_type="vue3")
    page.build(server, Grid())
    for tag in state.VIEW_TAGS:
        with AbstractLayout(server, element("div", server=server), template_name=tag):
            element("div")
            view_frame.populate(server, tag, None)
    return server


@pytest.fixture(scope="module")
def templates(server):
    names = ("main", "top_bar", "case_page", "views", "pages", "overlays", "error", *state.VIEW_TAGS)
    return {name: server.state[f"trame__template_{name}"] for name in names}


@pytest.fixture(scope="module")
def elements(templates):
    return [found for template in templates.values() for found in Elements(template).found]


def test_a_server_starts_with_every_key_of_the_page(server):
    for key, value in state.defaults().items():
        assert server.state[key] == value


def test_two_servers_share_no_value():
    first, second = state.defaults(), state.defaults()
    first["opened"]["folder"] = "changed"
    assert second["opened"]["folder"] == ""


def test_expressions_name_nothing_but_keys_of_the_state(templates):
    known = {*state.defaults(), *LANGUAGE, *LOOPS, *OBJECT_KEYS}
    for name, template in templates.items():
        for expression in Elements(template).expressions:
            bare = re.sub(r"'(?:\\.|[^'])*'", "''", expression)
            named = set(re.findall(r"(?<![\w.$?])(?:\$event|[A-Za-z_]\w*)", bare)) - {"$event", "in"}
            assert named <= known, (name, expression, named - known)


def test_no_key_of_the_state_is_a_word_of_javascript():
    words = {"case", "class", "default", "delete", "do", "export", "for", "function", "if", "in", "new", "return", "switch", "this", "var", "with"}
    assert not words & set(state.defaults())


def test_every_icon_is_in_the_font(templates):
    css = (Path(trame_vuetify.__file__).parent / "module" / "v3-serve" / "css" / "mdi.css").read_text(encoding="utf-8")
    icons = set(re.findall(r"mdi-[a-z0-9-]+", " ".join(templates.values())))
    assert len(icons) > 50
    assert [icon for icon in sorted(icons) if f".{icon}:before" not in css and f".{icon}::before" not in css] == []


def test_every_button_and_field_has_a_name(elements):
    for one in elements:
        if one.tag == "button":
            assert one.isNamed or one.words, one
        if one.tag in ("input", "select", "textarea"):
            assert one.isNamed or (one.label is not None and one.label.words), one


def test_every_key_is_carried_by_an_element_and_means_one_thing(templates):
    carried = set(re.findall(r'data-shortcut="([^"]*)"', " ".join(templates.values())))
    for name, shortcut in SHORTCUTS.items():
        assert (" ".join(shortcut.keys) in carried) != (name in HANDLED_BY_SCRIPT), name
    for (one, first), (other, second) in combinations(SHORTCUTS.items(), 2):
        assert not set(first.keys) & set(second.keys), (one, other)


def test_pages_load_nothing_from_elsewhere(templates):
    own = [path.read_text(encoding="utf-8") for path in OWN_FILES.rglob("*.*")]
    for found in re.findall(r"https?://[^\s'\"<)]+", " ".join([*templates.values(), *own])):
        assert found == "http://www.w3.org/2000/svg"


def test_every_file_of_the_page_is_loaded_and_is_there():
    assert {path.name for path in OWN_FILES.iterdir() if path.is_file()} == {*assets.STYLES, *assets.SCRIPTS}
    for folder in assets.module()["serve"].values():
        assert Path(folder).is_dir()


@pytest.mark.parametrize("name", ["text", "muted", "accent", "warning", "error", "success"])
@pytest.mark.parametrize("ground", ["background", "surface", "raised", "field"])
def test_text_stands_out_from_its_ground(name, ground):
    assert contrast(theme.COLORS[name], theme.COLORS[ground]) >= SMALLEST_CONTRAST


def test_words_on_the_accent_stand_out_from_it():
    assert contrast(theme.COLORS["on-accent"], theme.COLORS["accent"]) >= SMALLEST_CONTRAST


def test_frames_of_fields_stand_out_from_the_panels():
    assert contrast(theme.COLORS["edge"], theme.COLORS["surface"]) >= 3


def test_an_action_is_asked_for_with_its_arguments():
    assert act("shift", -1) == "trigger('act', ['shift', -1])"
    assert act("openCase", Js("row.series")) == "trigger('act', ['openCase', row.series])"
    assert act("tool", "it's") == "trigger('act', ['tool', 'it\\'s'])"


def test_words_are_no_markup_and_no_expression():
    assert text("a < b {{ c }}") == "a &lt; b &#123;&#123; c }}"


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
