"""The page of an open case as a person reads it: levels with their volumes and colors, slices, messages."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from playwright.sync_api import expect

from browser.phantoms import GRID, inside
from browser.served import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from browser.person import Person
    from browser.slice_view import Color, Point, SliceView

#: Red, green and blue of a gray pixel differ less than this after JPEG, those of a tinted one more.
LEAST_TINT = 14.0

#: Cosine of the angle between a level's hue and the hue that is seen.
SAME_HUE = 0.9

#: In front of the column of the phantom: image, and no level.
FREE: Point = (0.0, 60.0, 3.25)


def is_gray(color: Color) -> bool:
    """Whether no level is seen there."""
    return float(np.linalg.norm(_tint(color))) < LEAST_TINT


def is_tint_of(level: Color) -> Callable[[Color], bool]:
    """Whether the color of a level is seen over the image."""

    def is_right(color: Color) -> bool:
        seen, own = _tint(color), _tint(level)
        size = float(np.linalg.norm(seen))
        return size >= LEAST_TINT and float(seen @ own) / (size * float(np.linalg.norm(own))) > SAME_HUE

    return is_right


def _tint(color: Color) -> np.ndarray:
    values = np.array(color, float)
    return values - values.mean()


class CasePage:
    """A person before an open case whose series has the phantoms' grid."""

    def __init__(self, person: Person, image: Path | None = None) -> None:
        """image: the file of the open series, where a test reads it."""
        self.person = person
        self.image = image
        self.page = person.page

    def sagittal(self) -> SliceView:
        return self.person.view("Sagittal", GRID)

    # Levels

    def level(self, name: str) -> Locator:
        """The row of a level, assumed ('L4?') or confirmed."""
        return self.person.sees("row", re.compile(rf"^{re.escape(name).replace('/', '.')}\??$"))

    def select(self, *names: str) -> None:
        """Clicks on a level, and with Ctrl on further ones; then fits the views, which went there."""
        for index, name in enumerate(names):
            self.level(name).click(modifiers=["Control"] if index else [])
            expect(self.level(name)).to_have_attribute("aria-selected", "true")
        self.fit()

    def fit(self) -> None:
        """Fits the views and waits until the sagittal one shows the untouched levels at both ends where they are."""
        self.person.click("Fit the views")
        for name, value in (("L5/S1", 201), ("T11", 7), ("T12", 6)):
            self.sees_level(name, inside(value))

    def names(self) -> list[str]:
        """Names of the levels, from top to bottom of the table."""
        rows = self.person.find("grid", "Levels").locator("tbody tr")
        return [row.get_attribute("aria-label") or "" for row in rows.all()]

    def volume_ml(self, name: str) -> float:
        return float(self.level(name).get_by_role("gridcell").nth(3).inner_text().removesuffix(" ml"))

    def color_of(self, name: str) -> Color:
        style = self.level(name).locator(".swatch").evaluate("(element) => getComputedStyle(element).backgroundColor")
        red, green, blue = (int(part) for part in re.findall(r"\d+", style)[:3])
        return red, green, blue

    def sees_level(self, name: str, ras: Point, view: str = "Sagittal") -> None:
        """Waits until the color of a level is seen at a place."""
        self.person.view(view, GRID).waits_for_color(ras, is_tint_of(self.color_of(name)), f"the color of {name}")

    def sees_no_level(self, ras: Point, view: str = "Sagittal") -> None:
        """Waits until the bare image is seen at a place."""
        self.person.view(view, GRID).waits_for_color(ras, is_gray, "the bare image")

    # Slices

    def slice_of(self, view: str) -> int:
        """Number of the slice that a view shows, from 0."""
        return int(self.person.find("slider", f"{view} slice").input_value())

    def window_of(self, view: str) -> tuple[float, float]:
        """Window and level of a view, as it is written in it."""
        text = (
            self.page.locator(".layout-grid-item").filter(has=self.page.get_by_label(f"{view} view", exact=True)).locator(".view-window").inner_text()
        )
        window, level = re.findall(r"-?\d+", text)
        return float(window), float(level)

    # Words

    def is_told(self, words: str | re.Pattern[str]) -> None:
        """Waits for a message at the bottom, and closes it."""
        self.person.reads(words)
        self.person.click("Close the message")

    def waits_for(self, predicate: Callable[[], object], what: str) -> None:
        """Looks until something that is read from the page is right."""
        wait_until(predicate, what)

    def waits_for_volume(self, name: str, is_right: Callable[[float], bool], what: str) -> float:
        """Looks until the volume in the level table is right."""
        self.waits_for(lambda: is_right(self.volume_ml(name)), f"{name} {what}")
        return self.volume_ml(name)
