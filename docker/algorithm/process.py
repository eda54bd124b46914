"""Entry point of the challenge's algorithm container: one series in, one labelmap of the same name out, nothing else.

Grand Challenge mounts /input and /output and cuts the network. Errors become one line on stderr and exit code 1.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from SpiderSegLib.atomic import make_folder
from SpiderSegLib.errors import InputError, SpiderSegError
from SpiderSegLib.inference import Predictor
from SpiderSegLib.io import read_volume, write_volume
from SpiderSegLib.pipeline import segment
from SpiderSegLib.weights import load_weights

INPUT, OUTPUT = Path("images", "sagittal-spine-mri"), Path("images", "sagittal-spine-mr-segmentation")

logger = logging.getLogger("process")


def process(input_root: Path, output_root: Path, weights: str | None, device: str) -> Path:
    """Segments the one .mha file of the input interface and returns the path of the labelmap (uint8, SPIDER values, same grid).

    Raises InputError when there is not exactly one.
    """
    folder = input_root / INPUT
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() == ".mha")
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise InputError(f"{folder}: expected exactly one .mha file, found {names}")
    result = segment(read_volume(found[0]), Predictor(load_weights(weights), device))
    for warning in result.warnings:
        logger.warning("%s", warning)
    target = output_root / OUTPUT / found[0].name
    make_folder(target.parent)
    write_volume(target, result.labelmap, like=found[0])
    logger.info("%s: %d vertebrae and discs, %s", target, len(result.levels), result.plan)
    return target


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, default=Path("/input"))
    parser.add_argument("--output", type=Path, default=Path("/output"))
    parser.add_argument("--weights", help="as in spiderseg predict; the bundled model if not given")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    try:
        process(options.input, options.output, options.weights, options.device)
    except SpiderSegError as error:
        logger.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
