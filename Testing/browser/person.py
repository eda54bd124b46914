"""What a person does with a page and sees on it: by accessible names, real mouse and key events, waiting for what is to be seen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import expect

from browser.slice_view import SliceView

if TYPE_CHECKING:
    from playwright.sync_api import Download, Locator, Page

    from browser.watch import Watch
    from SpiderSegLib.volume import Geometry

Name = str | re.Pattern[str]

FOCUSED_NAME_JS = """
() => {
  const element = document.activeElement;
  return element.ariaLabel || element.labels?.[0]?.innerText || element.title || element.innerText?.trim() || element.tagName;
}
"""


class Person:
    """Somebody before one page. `name`s are accessible names: a text is the whole name, a pattern may be part of it."""

    def __init__(self, page: Page, watch: Watch) -> None:
        self.page = page
        self.watch = watch

    def find(self, role: str, name: Name | None = None, within: Locator | None = None) -> Locator:
        """What has this role and name, on the page or in a part of it."""
        options: dict[str, Any] = {} if name is None else {"name": name, "exact": isinstance(name, str)}
        return (within or self.page).get_by_role(role, **options)  # type: ignore[arg-type]

    def sees(self, role: str, name: Name | None = None, within: Locator | None = None) -> Locator:
        """Waits until it is to be seen."""
        found = self.find(role, name, within).first
        expect(found).to_be_visible()
        return found

    def sees_no(self, role: str, name: Name | None = None, within: Locator | None = None) -> None:
        """Waits until it is to be seen nowhere."""
        expect(self.find(role, name, within).locator("visible=true")).to_have_count(0)

    def reads(self, text: Name) -> Locator:
        """Waits until a text is to be seen."""
        found = self.page.get_by_text(text).locator("visible=true").first
        expect(found).to_be_visible()
        return found

    def click(self, name: Name, role: str = "button", **options: Any) -> None:
        """Waits until it can be clicked, and clicks it."""
        found = self.find(role, name)
        expect(found).to_be_enabled()
        found.click(**options)

    def type_into(self, label: Name, text: str) -> None:
        """Replaces the text of a field, key by key, and leaves the field."""
        field = self.page.get_by_label(label, exact=isinstance(label, str))
        field.click()
        field.press("ControlOrMeta+a")
        field.press_sequentially(text)
        field.press("Tab")

    def press(self, *keys: str) -> None:
        """Keys one after the other, with modifiers as 'Control+z'; whatever has the focus gets them."""
        for key in keys:
            self.page.keyboard.press(key)

    def upload(self, button: Name, files: Iterable[Path]) -> None:
        """Chooses files in the browser's dialog."""
        with self.page.expect_file_chooser() as chooser:
            self.click(button)
        chooser.value.set_files(list(files))

    @contextmanager
    def downloads(self, folder: Path) -> Iterator[list[Path]]:
        """What is downloaded in the block lies in the folder afterwards, under the name that the page gave it; the list has its path."""
        paths: list[Path] = []
        with self.page.expect_download() as waiting:
            yield paths
        download: Download = waiting.value
        paths.append(folder / download.suggested_filename)
        download.save_as(paths[0])

    def focused(self) -> str:
        """Accessible name of what has the focus, as far as it has one of its own: aria-label, label, title or text."""
        name: str = self.page.evaluate(FOCUSED_NAME_JS)
        return name

    def another_tab(self) -> Person:
        """The same person at another tab of the same browser, with the same address in it."""
        page = self.page.context.new_page()
        page.goto(self.page.url)
        return Person(page, self.watch)

    def view(self, name: str, geometry: Geometry) -> SliceView:
        """The slice view with this name (Sagittal, Axial, Coronal), fitted to a series of this geometry."""
        return SliceView(self.page, name, geometry)

    def picture(self, path: Path) -> None:
        """The page as a PNG."""
        self.page.screenshot(path=path)

    def picture_or_reason(self, path: Path) -> str:
        """For a report: where the picture lies, or why there is none."""
        try:
            self.picture(path)
        except PlaywrightError as error:
            return f"no picture: {error}"
        return f"{self.page.url}: {path}"
