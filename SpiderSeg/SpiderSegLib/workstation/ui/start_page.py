"""Where one begins: what this is, a place to drop files, and the series of the opened folder."""

from __future__ import annotations

from SpiderSegLib.level_names import RESEARCH_USE
from SpiderSegLib.workstation.ui.assets import LOGO
from SpiderSegLib.workstation.ui.controls import button, icon
from SpiderSegLib.workstation.ui.elements import Js, act, element

RESEARCH_USE_TEXT = f"{RESEARCH_USE}. Not a medical device."
STAYS_HERE = "Everything stays on this computer: nothing is sent anywhere."


def build() -> None:
    """Adds the page to the open element."""
    with element("main", classes="page start-page", v_if="mode === 'start'"), element("div", classes="start-column"):
        with element("div", classes="start-head"):
            element("img", src=LOGO, alt="", width="56", height="56")
            element("h1", "SpiderSeg")
            element("p", "Finds and names the vertebrae, discs and spinal canal in lumbar-spine MR, and lets you correct them.", classes="lead")
        _openContent()
        with element("ul", classes="assurances"):
            for iconName, words in (("shield-lock-outline", STAYS_HERE), ("flask-outline", RESEARCH_USE_TEXT)):
                with element("li"):
                    icon(iconName)
                    element("span", words)


def _openContent() -> None:
    """What opens a series: the drop zone and the list."""
    _dropZone()
    with element("section", classes="series-list", v_if="opened.folder || opened.files.length", aria_label="Series in the opened folder"):
        with element("div", classes="series-head"):
            element("h2", "Series in the opened folder")
            with element("span", classes="muted folder", data_tip=Js("opened.folder")):
                element("bdi", "{{ opened.folder }}")
        with (
            element("ul", v_if="opened.files.length", data_rows="series"),
            element("li", v_for="file in opened.files", key=Js("file.name")),
            element("button", type="button", data_row=True, classes="series-row", on_click=act("openSeries", Js("file.name"))),
        ):
            icon("file-image-outline")
            element("span", "{{ file.name }}", classes="series-name")
            element("span", "{{ file.detail }}", classes="muted")
            icon("chevron-right")
        element("p", "This folder holds no series that can be read: no DICOM, .mha, .nii.gz or .nrrd.", v_else=True, classes="muted")


def _dropZone() -> None:
    with element(
        "div",
        classes="drop-zone",
        data_drop=True,
        data_url=Js("uploadUrl"),
        aria_busy=Js("upload && !upload.error && !upload.series ? 'true' : 'false'"),
    ):
        with element("template", v_if="upload && !upload.error && !upload.series"):
            element("p", "{{ upload.percent < 100 ? 'Copying ' + upload.name : 'Reading ' + upload.name }} ..", role="status", classes="drop-title")
            element("progress", max="100", value=Js("upload.percent"), aria_label="Upload")
            button("Cancel", Js("window.SpiderSeg.cancelUpload()"), kind="plain")
        with element("template", v_else_if="upload && upload.series"):
            element("p", "Which of these series?", classes="drop-title")
            with (
                element("ul", classes="uploaded", data_rows="uploaded"),
                element("li", v_for="one in upload.series", key=Js("one.key")),
                element("button", type="button", data_row=True, classes="series-row", on_click="window.SpiderSeg.openUploaded(one.key)"),
            ):
                icon("file-image-outline")
                element("span", "{{ one.name }}", classes="series-name")
                element("span", "{{ one.detail }}", classes="muted")
                icon("chevron-right")
            button("Other files", Js("upload = null"), kind="quiet")
        with element("template", v_else=True):
            icon("tray-arrow-up")
            element("p", "Drop a series here: DICOM files or a folder, .mha, .nii.gz, .nrrd", classes="drop-title")
            with element("div", classes="button-row"):
                button(
                    "Choose files",
                    Js("window.SpiderSeg.chooseFiles(false)"),
                    kind="primary",
                    why=Js("(uploadUrl ? '' : 'SpiderSeg is still starting.')"),
                )
                button(
                    "Choose a folder",
                    Js("window.SpiderSeg.chooseFiles(true)"),
                    kind="plain",
                    why=Js("(uploadUrl ? '' : 'SpiderSeg is still starting.')"),
                )
            element("p", "{{ upload ? upload.error : '' }}", role="alert", classes="drop-error")
