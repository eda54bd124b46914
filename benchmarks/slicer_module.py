"""How fast the Slicer module answers: panel, segments, level shift, event loop during a run, result on screen. Prints a table.

    python benchmarks/slicer_module.py [--json FILE]

Needs the second environment of `setup_spiderseg.py test` (slicer-core >= 5.12, PySide6): the module runs in the test harness, on real
MRML classes and Qt widgets, with a real process and the bundled weights. 3D Slicer itself has more views and observers.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "Testing"), str(ROOT / "SpiderSeg")]

import harness  # noqa: E402
import numpy as np  # noqa: E402

#: A usual T2: 512 x 512 pixels, 20 slices; 14 labels.
SIZE_KJI = (20, 512, 512)
REPETITIONS = 9


def median_ms(action: Callable[[], Any], repetitions: int = REPETITIONS) -> float:
    """Median time of an action, in milliseconds."""
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds)


def fourteen_labels() -> np.ndarray[Any, Any]:
    """Seven blocks for vertebrae and seven for discs, uint8 SPIDER values."""
    labelmap = np.zeros(SIZE_KJI, dtype=np.uint8)
    for level in range(1, 8):
        top = 500 - 70 * level
        labelmap[3:17, top : top + 40, 200:260] = level
        labelmap[3:17, top + 40 : top + 52, 200:260] = 200 + level
    return labelmap


def measure() -> dict[str, float]:
    """Name of each figure -> milliseconds."""
    start = time.perf_counter()
    harness.start()
    figures = {"application (not ours)": 1000 * (time.perf_counter() - start)}
    start = time.perf_counter()
    module = harness.load_module(ROOT / "SpiderSeg" / "SpiderSeg.py")
    module.enter()
    harness.spin()
    figures["panel opens"] = 1000 * (time.perf_counter() - start)
    figures.update(_segments_and_levels())
    figures.update(_run(module))
    return figures


def _segments_and_levels() -> dict[str, float]:
    import slicer

    from SpiderSegLib.mrml.history import NoHistory
    from SpiderSegLib.mrml.levels import levelRows, shiftLevels
    from SpiderSegLib.mrml.segmentations import labelmapOf, newSegmentationNode
    from SpiderSegLib.mrml.volumes import newVolumeNode
    from SpiderSegLib.volume import Geometry, Volume

    geometry = Geometry(SIZE_KJI[::-1], (0.6, 0.6, 4.0), (10.0, 20.0, 30.0), (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0))
    volumeNode = newVolumeNode(slicer.mrmlScene, Volume(np.zeros(SIZE_KJI, np.int16), geometry, "t2"))
    labelmap = Volume(fourteen_labels(), geometry)
    nodes: list[Any] = []
    figures = {"labelmap -> 14 segments (512x512x20)": median_ms(lambda: nodes.append(newSegmentationNode(slicer.mrmlScene, labelmap, volumeNode)))}
    steps = [-1, 1] * REPETITIONS  # taken from the end: up, down, ...
    figures["level shift"] = median_ms(lambda: shiftLevels(nodes[0], steps.pop(), NoHistory()))
    figures["level table"] = median_ms(lambda: levelRows(nodes[0]))
    figures["segments -> labelmap"] = median_ms(lambda: labelmapOf(nodes[0], volumeNode))
    slicer.mrmlScene.Clear(0)
    return figures


def _run(module: Any) -> dict[str, float]:
    import slicer

    widget = slicer.modules.SpiderSegWidget
    widget.initializeParameterNode()
    sys.modules["SpiderSeg"].loadPhantom()
    harness.spin(0.2)
    panel = widget.panel
    start = time.perf_counter()
    harness.click(module.ui.applyButton)
    clicked = time.perf_counter()
    worker = panel.queue.running
    last_report = clicked
    with harness.EventLoopWatch() as watch:
        while panel.segmentationNode is None:
            assert not worker.state.isFinal, worker.message
            fraction = worker.fraction
            harness.spin()
            if worker.fraction > fraction:
                last_report = time.perf_counter()
        harness.spin(0.2)
    return {
        "Segment pressed -> button answers": 1000 * (clicked - start),
        "whole run of the phantom": 1000 * (time.perf_counter() - start),
        "longest stop of the event loop during the run and while the result loads": 1000 * watch.longest_gap_s,
        "last progress of the process -> result in the scene": 1000 * (time.perf_counter() - 0.2 - last_report),
    }


def main() -> None:
    """Prints the table; with --json writes it too."""
    parser = argparse.ArgumentParser(description="How fast the Slicer module answers.")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    figures = measure()
    for name, milliseconds in figures.items():
        print(f"{name:<76}{milliseconds:>9.0f} ms")
    if options.json is not None:
        record = {"processor": platform.processor() or platform.machine(), "milliseconds": figures}
        options.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
