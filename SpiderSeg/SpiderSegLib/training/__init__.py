"""Training: `loop` is the one loop; a recipe says what it trains on and with which loss; `state` is what resuming needs.

`config` and `recipe` are the default recipe, with `windows` and `losses`; `reference` is the original report's. `processes` joins
several processes into one run, `journal` keeps the metrics, `curves` draws them.
"""

from SpiderSegLib.training.config import TrainingConfig
from SpiderSegLib.training.loop import train
from SpiderSegLib.training.recipe import DefaultRecipe
from SpiderSegLib.training.reference import ReferenceConfig, ReferenceRecipe

__all__ = ["DefaultRecipe", "ReferenceConfig", "ReferenceRecipe", "TrainingConfig", "train"]
