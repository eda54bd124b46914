"""A slice view of the workstation: mouse events at places of the patient, and the colors that are seen there.

Where a place is in the view follows from Slicer's way of fitting a volume: its box in the middle, as large as it can be. After zooming
or panning the view has to be fitted again before it is asked.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import expect

from SpiderSegLib.volume import Geometry

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: The whole frame, one value a CSS pixel, from above.
BRIGHT_JS = """
(image) => {
  const canvas = document.createElement('canvas');
  canvas.width = image.clientWidth;
  canvas.height = image.clientHeight;
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
  let text = '';
  for (let at = 1; at < data.length; at += 4) text += String.fromCharCode(data[at]);
  return [canvas.width, canvas.height, btoa(text)];
}
"""

Point = tuple[float, float, float]
Color = tuple[int, int, int]

#: RAS directions to the right and up on the screen, in radiological convention.
SAGITTAL = ((0, -1, 0), (0, 0, 1))
AXES = {"Sagittal": SAGITTAL, "Sagittal, other series": SAGITTAL, "Axial": ((-1, 0, 0), (0, 1, 0)), "Coronal": ((-1, 0, 0), (0, 0, 1))}

#: Mouse events between two points of a stroke.
STROKE_STEPS = 8

IMAGE = "img.image-display-area"

NEXT_FRAME_JS = "() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))"

#: RGB of a pixel of the frame shown, from the upper left corner of the image as it is on the screen; null while there is none.
PIXEL_JS = """
(image, [x, y]) => {
  if (!image.naturalWidth || !image.complete) return null;
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  const context = canvas.getContext('2d');
  const scale = image.naturalWidth / image.clientWidth;
  context.drawImage(image, -Math.floor(x * scale), -Math.floor(y * scale));
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
}
"""


class SliceView:
    """The view that a person calls 'Sagittal view'."""

    def __init__(self, page: Page, name: str, geometry: Geometry) -> None:
        self._page = page
        self._axes = np.array(AXES[name], float)
        self._geometry = geometry
        self._mouse = (0.0, 0.0)
        self.element = page.get_by_label(f"{name} view", exact=True)
        self.image = self.element.locator(IMAGE)
        expect(self.image).to_be_visible()

    def at(self, ras: Point) -> tuple[float, float]:
        """Where a place is on the page, in CSS pixels; AssertionError outside the view."""
        box = self.image.bounding_box()
        assert box is not None
        corners = _corners_ras(self._geometry) @ self._axes.T
        mm_per_pixel = max(np.ptp(corners, axis=0) / (box["width"], box["height"]))
        right, up = (self._axes @ ras - (corners.max(axis=0) + corners.min(axis=0)) / 2) / mm_per_pixel
        x, y = box["width"] / 2 + right, box["height"] / 2 - up
        if not (0 <= x < box["width"] and 0 <= y < box["height"]):
            raise AssertionError(f"{ras} lies outside the view")
        return box["x"] + x, box["y"] + y

    def hover(self, ras: Point) -> None:
        self._mouse = self.at(ras)
        self._page.mouse.move(*self._mouse)
        self._page.evaluate(NEXT_FRAME_JS)

    def click(self, ras: Point) -> None:
        self._page.mouse.click(*self.at(ras))

    def stroke(self, points: Sequence[Point], button: str = "left") -> None:
        """Presses the mouse at the first point, moves it along all others and lets go at the last."""
        self.hover(points[0])
        self._page.mouse.down(button=button)  # type: ignore[arg-type]
        for point in points[1:]:
            self._move(point)
        self._page.mouse.up(button=button)  # type: ignore[arg-type]

    def _move(self, point: Point) -> None:
        """As a hand does: of events that come within one frame, the page passes on the last one only."""
        (x0, y0), (x1, y1) = self._mouse, self.at(point)
        for step in range(1, STROKE_STEPS + 1):
            share = step / STROKE_STEPS
            self._page.mouse.move(x0 + share * (x1 - x0), y0 + share * (y1 - y0))
            self._page.evaluate(NEXT_FRAME_JS)
        self._mouse = (x1, y1)

    def wheel(self, steps: int, ras: Point | None = None) -> None:
        """Turns the wheel over the view, towards the person for steps above 0; one event a step."""
        if ras is None:
            self.element.hover()
        else:
            self.hover(ras)
        for _ in range(abs(steps)):
            self._page.mouse.wheel(0, 100 if steps > 0 else -100)

    def color(self, ras: Point) -> Color:
        """The color that is seen at a place."""
        self._waits_for_a_frame()
        box = self.image.bounding_box()
        assert box is not None
        x, y = self.at(ras)
        red, green, blue = self.image.evaluate(PIXEL_JS, [x - box["x"], y - box["y"]])
        return red, green, blue

    def bright(self) -> NDArray[np.uint8]:
        """How bright the frame is, one value a CSS pixel: (rows from above, columns)."""
        self._waits_for_a_frame()
        width, height, text = self.image.evaluate(BRIGHT_JS)
        return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width)

    def waits_for_the_image(self) -> None:
        """Waits until the view shows more than its background."""
        self.waits_for_color(self.middle(), lambda color: max(color) > 0, "an image")

    def middle(self) -> Point:
        """RAS place of the middle of the series."""
        right, anterior, superior = (float(value) for value in _corners_ras(self._geometry).mean(axis=0))
        return right, anterior, superior

    def frame(self) -> str:
        """What tells one frame shown from the next."""
        return self.image.get_attribute("src") or ""

    def waits_for_another_frame(self, than: str) -> str:
        """Waits until another frame is shown than this one."""
        expect(self.image).not_to_have_attribute("src", than)
        self._waits_for_a_frame()
        return self.frame()

    def waits_for_color(self, ras: Point, is_right: Callable[[Color], bool], what: str) -> Color:
        """Waits, frame by frame, until the color at a place is right."""
        while True:
            frame = self.frame()
            color = self.color(ras)
            if is_right(color):
                return color
            try:
                self.waits_for_another_frame(frame)
            except AssertionError as error:
                raise AssertionError(f"no frame with {what} at {ras}: it is {color}") from error

    def _waits_for_a_frame(self) -> None:
        expect(self.image).to_have_js_property("complete", True)


def _corners_ras(geometry: Geometry) -> NDArray[np.float64]:
    """The outer corners of the grid's box: (8, 3)."""
    size = np.array(geometry.size_ijk)
    unit = np.stack(np.meshgrid((0, 1), (0, 1), (0, 1)), axis=-1).reshape(8, 3)
    ijk = np.concatenate([unit * size - 0.5, np.ones((8, 1))], axis=1)
    corners: NDArray[np.float64] = (ijk @ geometry.affine_ras.T)[:, :3]
    return corners
