"""Whether the lowest vertebra found is the lowest one there is, so that its number can be given a name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.instances.levels import SMALLEST_LOWEST_BODY_SHARE, TYPICAL_DISC_HEIGHT_MM, Levels, tilt_deg

#: Tilt of the lowest disc, downward to anterior, in the sagittal plane. The 67 reference L5/S1 discs have 18-55 degrees, L4/L5 5-28, L3/L4 -9..13
#: and all above less than 5.
SMALLEST_LUMBOSACRAL_TILT_DEG = 12.0

#: Depth below the lowest disc's centre in which the sacrum is looked at: past the disc's lower half, within the height of S1.
BELOW_DISC_MM = (8.0, 20.0)

#: Half width of that region: S1 is at least 30 mm wide and deep.
BELOW_HALF_WIDTH_MM = 10.0

#: Median intensity below the disc over that of the lowest vertebrae's bodies. Marrow of S1 lies within a factor of 1.6 of L5's in the real series.
SACRUM_TO_BODY_INTENSITY = (0.4, 2.5)

#: Bodies whose intensity is compared.
COMPARED_BODIES = 2

#: A lowest disc below this share of the usual size may be a false one in the sacrum or the bowel.
SMALLEST_LOWEST_DISC_SHARE = 0.2

#: Fewer voxels say nothing.
FEWEST_VOXELS = 20


def sacrum_to_body_intensity(
    image: NDArray[np.floating], levels: Levels, level_of_bone: NDArray[np.uint8], spacing_mm: NDArray[np.float64]
) -> float | None:
    """Median intensity below the lowest disc over that of the lowest bodies, both on the working grid; None where it can't be measured."""
    bodies = image[levels.tube & (level_of_bone > 0) & (level_of_bone <= COMPARED_BODIES)]
    lowest = levels.separators[0]
    voxels = np.stack(np.meshgrid(*(np.arange(size) for size in image.shape), indexing="ij"), axis=-1) * spacing_mm
    height = lowest.height_above_mm(voxels)
    radial = np.linalg.norm(voxels - lowest.centre_mm - height[..., None] * lowest.normal, axis=-1)
    below = image[(height <= -BELOW_DISC_MM[0]) & (height >= -BELOW_DISC_MM[1]) & (radial <= BELOW_HALF_WIDTH_MM)]
    if min(len(bodies), len(below)) < FEWEST_VOXELS or np.median(bodies) <= 0:
        return None
    return float(np.median(below) / np.median(bodies))


def reasons_unidentified(levels: Levels, room_below_mm: float, lower_border_mm: float, intensity_ratio: float | None) -> tuple[str, ...]:
    """Why the lowest vertebra can't be taken for the lowest lumbar one, in plain words; empty when it can."""
    reasons = []
    if room_below_mm < lower_border_mm:
        reasons.append(f"the lowest vertebra lies {max(room_below_mm, 0):.0f} mm from the lower border of the field of view")
    if not levels.separators[0].is_disc:
        reasons.append("no disc was found below the lowest vertebra")
        return tuple(reasons)
    tilt = tilt_deg(levels.separators[0])
    if tilt < SMALLEST_LUMBOSACRAL_TILT_DEG:
        reasons.append(f"the lowest disc is tilted by {tilt:.0f} degrees only, so that what lies below it does not look like the sacrum")
    share = _lowest_disc_share(levels)
    if share < SMALLEST_LOWEST_DISC_SHARE:
        reasons.append(f"the lowest disc has {100 * share:.0f} % of the usual size, so that it may be no disc")
    if levels.left_out_mm >= SMALLEST_LOWEST_BODY_SHARE * (levels.level_height_mm - TYPICAL_DISC_HEIGHT_MM):
        reasons.append("bone as high as a vertebra lies below the lowest disc; it was taken for the sacrum")
    low, high = SACRUM_TO_BODY_INTENSITY
    if intensity_ratio is not None and not low <= intensity_ratio <= high:
        reasons.append(f"the intensity below the lowest disc is {intensity_ratio:.1f} times that of the vertebrae, unlike the sacrum's marrow")
    return tuple(reasons)


def _lowest_disc_share(levels: Levels) -> float:
    """Size of the lowest disc over the upper quartile of the others found, which a few false ones don't lower; 1 without others."""
    sizes = np.bincount(levels.disc_number[levels.pieces].ravel(), minlength=2)[1:]
    others = sizes[1:][sizes[1:] > 0]
    return float(sizes[0] / np.percentile(others, 75)) if len(others) else 1.0
