"""Where the files that ship with SpiderSeg lie: in a checkout, in a Slicer installation and in a wheel."""

from __future__ import annotations

from pathlib import Path

from SpiderSegLib.errors import SpiderSegError

RESOURCES = "Resources"
MODEL_WEIGHTS = "model_weights"


def data_path(*parts: str) -> Path:
    """Path of a shipped file or folder, e.g. data_path("Resources", "SpiderLabels.csv").

    Looked for inside the package (wheel), beside the folder that holds the package (Slicer installation), and one above
    (checkout). Raises SpiderSegError when it is in none of them.
    """
    package = Path(__file__).resolve().parent
    candidates = [root.joinpath(*parts) for root in (package, package.parent, package.parent.parent)]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    places = ", ".join(str(candidate.parent) for candidate in candidates)
    raise SpiderSegError(f"{'/'.join(parts)} belongs to SpiderSeg but is in none of: {places}; install SpiderSeg again")
