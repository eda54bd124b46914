"""The loss of the default recipe."""

from __future__ import annotations

import torch
from monai.losses import DiceCELoss
from torch import Tensor, nn

from SpiderSegLib.labels import Structure

#: Voxels added to overlap and sum, against 0/0.
SMOOTHING_VOXELS = 1.0


class SpineLoss(nn.Module):
    """Dice and cross-entropy over the classes, and a Dice of the vertebrae's posterior elements with a weight of its own.

    Dice is counted over the whole batch: a window that lacks a structure then neither divides by zero nor dominates.
    """

    def __init__(self, posterior_weight: float) -> None:
        super().__init__()
        self._classes = DiceCELoss(to_onehot_y=True, softmax=True, batch=True)
        self._posterior_weight = posterior_weight

    def forward(self, logits: Tensor, classes: Tensor, posterior_elements: Tensor) -> Tensor:
        """Loss of logits (batch, class, k, j, i) for classes int64 and posterior_elements bool (batch, 1, k, j, i)."""
        loss: Tensor = self._classes(logits, classes)
        if not self._posterior_weight or not posterior_elements.any():
            return loss
        return loss + self._posterior_weight * posterior_dice_loss(logits, classes, posterior_elements)


def posterior_dice_loss(logits: Tensor, classes: Tensor, posterior_elements: Tensor) -> Tensor:
    """1 - soft Dice between posterior elements and all vertebra probability outside the vertebral bodies."""
    vertebra = torch.softmax(logits, dim=1)[:, Structure.VERTEBRA : Structure.VERTEBRA + 1]
    bodies = (classes == Structure.VERTEBRA) & ~posterior_elements
    overlap = (vertebra * posterior_elements).sum()
    total = (vertebra * ~bodies).sum() + posterior_elements.sum()
    return 1 - (2 * overlap + SMOOTHING_VOXELS) / (total + SMOOTHING_VOXELS)
