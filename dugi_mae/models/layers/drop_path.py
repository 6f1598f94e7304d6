"""Stochastic depth."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """Drop a residual branch for whole samples in training, and scale up the others.

    Args:
        drop_prob: Probability of dropping, 0 to below 1.
    """

    def __init__(self, drop_prob: float = 0.0) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        """``(B, ...)`` -> ``(B, ...)``."""
        if not self.training or not self.drop_prob:
            return x
        keep = 1 - self.drop_prob
        shape = (len(x), *[1] * (x.dim() - 1))
        drawn = torch.rand(shape, dtype=x.dtype, device=x.device)
        return x.div(keep) * (keep + drawn).floor()
