"""`spiderseg bundle`: packs a training checkpoint into a MONAI bundle."""

from __future__ import annotations

import logging
from pathlib import Path

logger = logging.getLogger(__name__)


def bundle(checkpoint: Path, out: Path) -> int:
    """Writes the checkpoint as a bundle folder that `--weights OUT` and `python -m monai.bundle run` use.

    Raises WeightsError and OutputError as the functions it calls.
    """
    from SpiderSegLib.bundle import write_bundle
    from SpiderSegLib.network import load_checkpoint

    loaded = load_checkpoint(checkpoint)
    write_bundle(loaded, out)
    logger.info("%s: %s", out, loaded.provenance.model_id)
    return 0
