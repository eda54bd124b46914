"""The whole page, in templates of their own: what changes in one is not drawn anew in the others.

`build` is the entry. The views come from the LayoutManager, whose grid is a template too, so a new layout leaves the panels as they are.
"""

from __future__ import annotations

from typing import Any

from trame.ui.vuetify3 import VAppLayout
from trame.widgets import client
from trame_client.ui.core import AbstractLayout

from SpiderSegLib.workstation.ui import assets, case_list, dialogs, notices, side_panel, start_page, state, theme, tool_options, tool_rail, top_bar
from SpiderSegLib.workstation.ui.elements import element


def build(server: Any, layoutManager: Any) -> None:
    """Makes the page of `server`; keys of the state that are not set yet get their start value."""
    for key, value in state.defaults().items():
        server.state.setdefault(key, value)
    with VAppLayout(server, vuetify_config=theme.vuetifyConfig()):
        server.enable_module(assets.module())
        for name in ("top_bar", "case_page", "pages", "overlays"):
            client.ServerTemplate(name=name)
    with _template(server, "top_bar", "top-bar-slot"):
        top_bar.build()
    with _template(server, "case_page", "case-page-slot"):
        _casePage()
    with _template(server, "views", "views-grid") as views:
        layoutManager.initialize_layout_grid(views)
    with _template(server, "pages", "pages-slot"):
        start_page.build()
        case_list.build()
        with element("div", classes="page-busy", v_if="mode !== 'case' && busy"):
            notices.busyCover()
    with _template(server, "overlays", "overlays-slot"):
        dialogs.build()
        notices.messages()
    # What trame's client puts in place of the page when the connection is lost; Resources/Workstation/web/ covers it with words.
    with _template(server, "error", "page-gone"):
        pass


def _template(server: Any, name: str, classes: str) -> AbstractLayout:
    return AbstractLayout(server, element("div", server=server, classes=classes), template_name=name)


def _casePage() -> None:
    with element("div", classes="case-page", v_if="mode === 'case' && currentCase"):
        tool_rail.build()
        with element("main", classes="work-area", aria_label="Views"):
            tool_options.build()
            with element("div", classes="views", data_views=True):
                client.ServerTemplate(name="views")
                notices.busyCover()
        side_panel.build()
