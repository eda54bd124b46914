"""The resampling of the original procedure: every series to one orientation, and one size or spacing.

`recipe` does it to an image, `dataset` to a data set, with a manifest.
"""

from SpiderSegLib.resampling.dataset import MANIFEST_NAME, FailedCase, ResampledSet, resample_dataset
from SpiderSegLib.resampling.recipe import ORIGINAL_RECIPE, ResamplingConfig, resample_image, resample_volume

__all__ = [
    "MANIFEST_NAME",
    "ORIGINAL_RECIPE",
    "FailedCase",
    "ResampledSet",
    "ResamplingConfig",
    "resample_dataset",
    "resample_image",
    "resample_volume",
]
