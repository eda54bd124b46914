"""One series from intensities to numbered levels: the main job, the same for command line, Slicer and browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from SpiderSegLib.inference import DevicePlan, Predictor
from SpiderSegLib.instances import InstanceResult, LevelInstance, number_instances
from SpiderSegLib.io import check_intensities
from SpiderSegLib.labels import FOREGROUND, LevelState, Structure
from SpiderSegLib.level_names import LevelNaming, full_name, short_name
from SpiderSegLib.network import Checkpoint
from SpiderSegLib.preprocessing import PreparedVolume, prepare
from SpiderSegLib.sequence import Sequence, SequenceGuess, guess_from_image, guess_sequence
from SpiderSegLib.stages import Stage, StageClock
from SpiderSegLib.uncertainty import level_confidences, nearest_on_grid
from SpiderSegLib.volume import Volume, left_right_axis_kji

#: A lumbar series shows at least so many vertebrae and discs; fewer mean another body part, a scout, or a failure.
FEWEST_EXPECTED_VERTEBRAE, FEWEST_EXPECTED_DISCS = 3, 2

#: MR magnitudes are not negative; CT stores air as -1000.
CT_AIR = -500


@dataclass(frozen=True)
class LevelRow:
    """One line of the level table: `name` is the short one that stands beside its state, `full_name` the one that stands alone."""

    instance: LevelInstance
    name: str
    full_name: str
    confidence: float


@dataclass(frozen=True)
class Segmentation:
    """All that one run found.

    labelmap is uint8 in SPIDER values on the input's grid; probabilities (class, k, j, i) float32 stay on the working grid
    described by `prepared`, and so does disagreement (k, j, i) of the mirrored runs, None without them.
    """

    volume: Volume
    labelmap: Volume
    levels: tuple[LevelRow, ...]
    state: LevelState
    state_reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    sequence: SequenceGuess
    checkpoint: Checkpoint
    plan: DevicePlan
    prepared: PreparedVolume
    probabilities: NDArray[np.float32]
    is_mirrored: bool
    seconds: dict[str, float] = field(default_factory=dict)
    disagreement: NDArray[np.float32] | None = None

    @property
    def working_labelmap(self) -> NDArray[np.uint8]:
        """The labelmap (k, j, i) on the working grid, nearest values."""
        return _on_working_grid(self.labelmap.array, self.prepared)

    @property
    def naming(self) -> LevelNaming:
        """How its levels are named: five lumbar vertebrae, never confirmed by the program itself."""
        return LevelNaming(self.state)

    def probability_volume(self, structure: Structure) -> Volume:
        """The probability of a structure on the input's grid, float32."""
        return self.volume.with_array(self.prepared.restore(self.probabilities[structure]))


def segment(volume: Volume, predictor: Predictor, clock: StageClock | None = None) -> Segmentation:
    """Segments and numbers a series.

    Raises ImageReadError for intensities that can't be segmented, Cancelled on request. A series without a lumbar spine gives few
    or no levels and a warning, never an error.
    """
    clock = clock or StageClock()
    check_intensities(volume)
    with clock.stage(Stage.PREPROCESS):
        prepared = prepare(volume, predictor.checkpoint.preprocessing)
    with clock.stage(Stage.NETWORK):
        prediction = predictor.predict(prepared.array, lambda share: clock.report(Stage.NETWORK, share), clock.is_cancelled)
    with clock.stage(Stage.RESAMPLE):
        classes = prepared.restore_classes(prediction.probabilities)
    with clock.stage(Stage.NUMBER):
        numbered = number_instances(classes, volume.geometry, image=volume.array)
        confidences = _confidences(numbered, prepared, prediction.probabilities, prediction.disagreement)
    sequence = _sequence(volume, classes)
    return Segmentation(
        volume=volume,
        labelmap=volume.with_array(numbered.labelmap),
        levels=_rows(numbered, confidences),
        state=numbered.state,
        state_reasons=numbered.reasons,
        warnings=(*_warnings(volume, numbered, sequence), *numbered.warnings),
        sequence=sequence,
        checkpoint=predictor.checkpoint,
        plan=prediction.plan,
        prepared=prepared,
        probabilities=prediction.probabilities,
        is_mirrored=prediction.disagreement is not None,
        seconds=clock.seconds,
        disagreement=prediction.disagreement,
    )


def _rows(numbered: InstanceResult, confidences: dict[int, float]) -> tuple[LevelRow, ...]:
    naming = LevelNaming(numbered.state)
    return tuple(
        LevelRow(level, short_name(level.value, naming), full_name(level.value, naming), confidences.get(level.value, 0.0))
        for level in numbered.instances
    )


def _confidences(
    numbered: InstanceResult, prepared: PreparedVolume, probabilities: NDArray[np.float32], disagreement: NDArray[np.float32] | None
) -> dict[int, float]:
    return level_confidences(_on_working_grid(numbered.labelmap, prepared), probabilities, disagreement)


def _on_working_grid(labelmap: NDArray[np.uint8], prepared: PreparedVolume) -> NDArray[np.uint8]:
    return nearest_on_grid(prepared.reorientation.apply(labelmap), prepared.array.shape)


def _sequence(volume: Volume, classes: NDArray[np.uint8]) -> SequenceGuess:
    spacing = volume.geometry.spacing_kji_mm[volume.geometry.slice_axis_kji]
    guess = guess_sequence(volume.header, volume.name, spacing)
    return guess if guess.sequence is not Sequence.UNKNOWN else guess_from_image(volume.array, classes, spacing)


def _warnings(volume: Volume, numbered: InstanceResult, sequence: SequenceGuess) -> Iterator[str]:
    geometry = volume.geometry
    if geometry.slice_axis_kji != left_right_axis_kji(geometry.orientation):
        yield f"the series is not sagittal (orientation {geometry.orientation}): SpiderSeg is trained on sagittal series, check the result with care"
    if np.percentile(volume.array, 5) < CT_AIR:
        yield "intensities are as low as those of air in CT: SpiderSeg is made for MR"
    found = [level.structure for level in numbered.instances]
    vertebrae, discs = found.count(Structure.VERTEBRA), found.count(Structure.DISC)
    missing = [structure.name.lower() for structure in FOREGROUND if structure not in found]
    if vertebrae < FEWEST_EXPECTED_VERTEBRAE or discs < FEWEST_EXPECTED_DISCS:
        yield (
            f"{vertebrae} vertebra(e) and {discs} disc(s) found, at least {FEWEST_EXPECTED_VERTEBRAE} and {FEWEST_EXPECTED_DISCS} expected: "
            "is this a sagittal MR series of the lumbar spine?"
        )
    elif missing:
        yield f"no {' and no '.join(missing)} found"
    if sequence.sequence is Sequence.UNKNOWN:
        yield "the sequence could not be recognized: T1, T2, T2-SPACE and STIR are supported"
