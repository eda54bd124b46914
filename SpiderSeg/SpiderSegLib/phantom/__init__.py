"""A synthetic sagittal MR series of the lumbar spine with its true SPIDER labelmap, for demonstrations and self-tests.

The anatomy is a set of implicit shapes in LPS millimetres, so any grid can be asked for and gets the same spine.
Never used to train shipped weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from SpiderSegLib.errors import InputError
from SpiderSegLib.phantom.column import VARIANTS, build_column
from SpiderSegLib.phantom.painting import Scene
from SpiderSegLib.phantom.render import render
from SpiderSegLib.phantom.shapes import Array, Texture
from SpiderSegLib.phantom.tissue import SIGNALS
from SpiderSegLib.volume import Geometry, Volume

__all__ = ["SAGITTAL_DIRECTION", "Phantom", "PhantomConfig", "default_geometry", "make_phantom"]

#: SPIDER's sagittal storage: i to posterior, j to inferior, k to the right.
SAGITTAL_DIRECTION = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)

#: Middle of the default field of view: from T10 to S4, from the abdomen to behind the skin.
FIELD_CENTER_LPS_MM = (0.0, -24.0, -14.0)

#: Integer value of signal 1, subcutaneous fat next to the coil.
SIGNAL_SCALE = 1000.0

#: Distance over which the sensitivity of the spine coil falls to 1/e, and its reach up and down (Gaussian).
COIL_DEPTH_MM = 180.0
COIL_HALF_LENGTH_MM = 210.0

#: Point spread within a slice, standard deviation in pixels.
POINT_SPREAD_PIXELS = 0.45

_SCAN_TIMES_MS = {"T1": ("550", "9.5"), "T2": ("3500", "102"), "STIR": ("4200", "58")}


@dataclass(frozen=True)
class PhantomConfig:
    """What to make: the contrast, the number of lumbar vertebrae, the noise and the seed of texture and noise.

    sequence: "T1", "T2" or "STIR". variant: "normal" (5 lumbar vertebrae), "lumbarized" (6) or "four_lumbar" (4); labels always
    count from the lowest. noise: standard deviation of the Gaussian noise in each channel, relative to fat at the coil.
    Raises InputError for anything else, and for noise outside 0..1 or a negative seed.
    """

    sequence: str = "T2"
    variant: str = "normal"
    noise: float = 0.012
    seed: int = 0

    def __post_init__(self) -> None:
        if self.sequence not in SIGNALS:
            raise InputError(f"expected a sequence of {', '.join(SIGNALS)}, found {self.sequence!r}")
        if self.variant not in VARIANTS:
            raise InputError(f"expected a variant of {', '.join(VARIANTS)}, found {self.variant!r}")
        if not 0 <= self.noise <= 1:
            raise InputError(f"expected noise from 0 to 1, found {self.noise}")
        if self.seed < 0:
            raise InputError(f"expected a seed of 0 or more, found {self.seed}")

    @property
    def lumbar_count(self) -> int:
        """Number of lumbar vertebrae; the next one up bears ribs."""
        return build_column(self.variant).lumbar_count


@dataclass(frozen=True)
class Phantom:
    """The series (int16) and its true SPIDER labelmap (uint8) on the same grid."""

    volume: Volume
    labelmap: Volume


def default_geometry(
    size_ijk: tuple[int, int, int] = (320, 352, 15),
    spacing_ijk_mm: tuple[float, float, float] = (0.9, 0.9, 4.0),
    direction: tuple[float, ...] = SAGITTAL_DIRECTION,
    center_lps_mm: tuple[float, float, float] = FIELD_CENTER_LPS_MM,
) -> Geometry:
    """A grid around the lumbar spine: `center_lps_mm` is the middle of the field of view, L3 of the normal variant lies near (0, 0, 0)."""
    half = (np.asarray(size_ijk) - 1) / 2 * np.asarray(spacing_ijk_mm)
    origin = np.asarray(center_lps_mm) - np.asarray(direction, dtype=float).reshape(3, 3) @ half
    return Geometry(size_ijk, spacing_ijk_mm, (float(origin[0]), float(origin[1]), float(origin[2])), direction)


def make_phantom(config: PhantomConfig | None = None, geometry: Geometry | None = None) -> Phantom:
    """The phantom of a configuration on a grid (default: T2, five lumbar vertebrae, default_geometry()).

    The same arguments give bit-identical arrays. A vertebra whose body the field of view cuts carries 100 + its number; the
    left-right borders don't count.
    """
    config = config or PhantomConfig()
    geometry = geometry or default_geometry()
    texture_rng, noise_rng = (np.random.default_rng(s) for s in np.random.SeedSequence(config.seed).spawn(2))
    signal, depth, labels = render(Scene(config.variant, SIGNALS[config.sequence], Texture(texture_rng)), geometry)
    received = _spread(signal, geometry) * _sensitivity(depth, geometry)
    noisy = _rician(received, config.noise, noise_rng)
    array = np.clip(np.rint(noisy * np.float32(SIGNAL_SCALE)), 0, np.iinfo(np.int16).max).astype(np.int16)
    name = f"phantom_{config.variant}_{config.sequence.lower()}"
    return Phantom(Volume(array, geometry, name, _header(config, geometry)), Volume(labels, geometry, name))


def _spread(signal: Array, geometry: Geometry) -> Array:
    """Point spread along the two axes within a slice."""
    for axis in range(3):
        if axis != geometry.slice_axis_kji and signal.shape[axis] > 1:
            signal = gaussian_filter1d(signal, POINT_SPREAD_PIXELS, axis=axis, mode="nearest", truncate=3.0)
    return signal


def _sensitivity(depth: Array, geometry: Geometry) -> Array:
    """Spine coil: strongest at the skin of the back, falling off with depth and towards the ends of the coil."""
    k, j, i = np.meshgrid(*[np.arange(n) for n in geometry.shape_kji], indexing="ij", sparse=True)
    row = geometry.affine_lps[2]
    height = (row[0] * i + row[1] * j + row[2] * k + row[3]).astype(np.float32)
    along = np.exp(np.float32(-0.5 / COIL_HALF_LENGTH_MM**2) * (height - np.float32(FIELD_CENTER_LPS_MM[2])) ** 2)
    return np.asarray(np.exp(np.maximum(depth, 0) * np.float32(-1 / COIL_DEPTH_MM)) * along, dtype=np.float32)


def _rician(signal: Array, noise: float, rng: np.random.Generator) -> Array:
    """Magnitude of the signal with independent Gaussian noise in the real and the imaginary channel."""
    real = signal + np.float32(noise) * rng.standard_normal(signal.shape, dtype=np.float32)
    imaginary = np.float32(noise) * rng.standard_normal(signal.shape, dtype=np.float32)
    return np.asarray(np.sqrt(real * real + imaginary * imaginary), dtype=np.float32)


def _header(config: PhantomConfig, geometry: Geometry) -> dict[str, str]:
    repetition, echo = _SCAN_TIMES_MS[config.sequence]
    return {
        "Modality": "MR",
        "BodyPartExamined": "LSPINE",
        "SeriesDescription": f"SAG {config.sequence} TSE phantom",
        "RepetitionTime": repetition,
        "EchoTime": echo,
        "SliceThickness": f"{geometry.spacing_kji_mm[geometry.slice_axis_kji]:g}",
        "PatientID": f"phantom-{config.variant}",
    }
