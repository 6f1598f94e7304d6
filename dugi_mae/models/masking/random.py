"""Random masking, MAE's and MCMAE's."""

from __future__ import annotations

import torch
from torch import Tensor

from dugi_mae.ops import TokenMask, keep_by_score, patch_grid

from .base import BaseMasking


class RandomMasking(BaseMasking):
    """Keep tokens drawn uniformly without replacement.

    Args:
        mask_ratio: Share of the tokens to mask.
        patch_size: Side of a token in pixels.
    """

    def choose(self, images: Tensor) -> TokenMask:
        """Choose the visible tokens of ``(B, C, H, W)`` images."""
        rows, cols = patch_grid(images, self.patch_size)
        noise = torch.rand(len(images), rows * cols, device=images.device)
        return keep_by_score(noise, self.mask_ratio)
