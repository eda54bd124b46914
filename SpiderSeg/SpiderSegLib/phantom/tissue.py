"""Signal of each tissue in each sequence, relative to subcutaneous fat in T1 and T2 before the coil's sensitivity.

Marrow, disc, fluid and muscle keep the ratios seen in turbo spin echo series at 1.5 and 3 T.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TissueSignals:
    """Signal of each tissue, 1 = subcutaneous fat (fluid in the STIR-like sequence)."""

    fat: float
    marrow: float
    cortex: float
    nucleus: float
    annulus: float
    fluid: float
    cord: float
    root: float
    muscle: float
    ligament: float
    vein: float
    vessel: float
    bowel: float
    bowel_content: float
    organ: float
    skin: float


SIGNALS = {
    "T1": TissueSignals(1.0, 0.74, 0.07, 0.42, 0.36, 0.19, 0.34, 0.29, 0.30, 0.10, 0.36, 0.08, 0.36, 0.22, 0.42, 0.45),
    "T2": TissueSignals(1.0, 0.72, 0.06, 0.60, 0.11, 1.2, 0.62, 0.42, 0.20, 0.08, 0.88, 0.06, 0.30, 0.12, 0.33, 0.40),
    "STIR": TissueSignals(0.10, 0.17, 0.04, 0.50, 0.12, 1.10, 0.50, 0.40, 0.22, 0.06, 0.60, 0.10, 0.42, 0.25, 0.35, 0.25),
}
