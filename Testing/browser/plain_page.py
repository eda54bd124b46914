"""A page in the workstation's own server that does wrong on request, for the tests of what watches over pages: `python plain_page.py`."""

from __future__ import annotations

import logging
from typing import Any

import vtk
from trame.app import get_server
from trame.ui.html import DivLayout
from trame.widgets import html

from SpiderSegLib.workstation.web.server import Routes, Serving

ELSEWHERE = "https://fonts.example.org/a.woff2"


class PlainPage:
    """A field, a greeting, and a button for every kind of fault."""

    def __init__(self) -> None:
        self.server = get_server("plain_page", client_type="vue3")
        self.server.state.update({"name": "nobody", "greeting": ""})
        with DivLayout(self.server):
            html.Input(v_model=("name",), raw_attrs=['aria-label="Name"'])
            html.P("{{ greeting }}")
            for name, click in self._buttons().items():
                html.Button(name, click=click)

    def onStart(self, routes: Routes) -> None:
        logging.getLogger("plain page").info("starts")

    def onStop(self) -> None:
        logging.getLogger("plain page").info("ends")

    def _buttons(self) -> dict[str, Any]:
        return {
            "Greet": self._greet,
            "Fail": self._fail,
            "Warn": lambda: vtk.vtkImageReslice().Update(),
            "Complain": "window.console.warn('something is odd')",
            "Throw": "window.setTimeout(() => { throw new Error('out of a script') })",
            "Ask elsewhere": f"window.fetch('{ELSEWHERE}').catch(() => null)",
            "Ask for nothing": "window.fetch('/no_such_thing')",
        }

    def _greet(self) -> None:
        self.server.state.greeting = f"Hello {self.server.state.name}"

    def _fail(self) -> None:
        raise RuntimeError("as in a slot of the application")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    Serving(PlainPage()).run()
