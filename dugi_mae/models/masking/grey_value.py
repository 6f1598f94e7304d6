"""Grey-value masking: InfMAE's evenly spread choice over the brightness ranks."""

from __future__ import annotations

import torch
from torch import Tensor

from dugi_mae.errors import check_choice
from dugi_mae.ops import TokenMask, make_token_mask, num_visible, patch_grid, patchify

from .base import EmbeddingMasking


class GreyValueMasking(EmbeddingMasking):
    """Sort tokens by their mean and keep ranks ``floor(i * L / K)``. Deterministic.

    At a mask ratio of 0.75 this is every fourth token of the brightness order.

    Args:
        mask_ratio: Share of the tokens to mask.
        score: ``'pixel'`` sorts by the mean intensity, ``'embedding'`` by the mean
            over the channels of a frozen patch embedding (what InfMAE's checkpoints
            were trained with).
        keep_order: Order of ``ids_keep``: ``'raster'``, or ``'score'`` for that of the
            brightness (InfMAE's code).
        patch_size: Side of a token in pixels.
        embed_dims: Channels of the embedding.
        in_channels: Channels of the image, for the embedding.
    """

    def __init__(
        self,
        mask_ratio: float = 0.75,
        score: str = 'pixel',
        keep_order: str = 'raster',
        patch_size: int = 16,
        embed_dims: int = 768,
        in_channels: int = 3,
    ) -> None:
        check_choice('score', score, ('pixel', 'embedding'))
        check_choice('keep_order', keep_order, ('raster', 'score'))
        width = embed_dims if score == 'embedding' else None
        super().__init__(mask_ratio, patch_size, width, in_channels)
        self.score = score
        self.keep_order = keep_order

    def choose(self, images: Tensor) -> TokenMask:
        """Choose the visible tokens of ``(B, C, H, W)`` images."""
        rows, cols = patch_grid(images, self.patch_size)
        num_tokens = rows * cols
        keep = num_visible(num_tokens, self.mask_ratio)
        if self.score == 'embedding':
            brightness = self.embed(images).mean(dim=-1)
        else:
            brightness = patchify(images.float(), self.patch_size).mean(dim=-1)
        order = brightness.argsort(dim=1, stable=True)
        ranks = torch.arange(keep, device=images.device) * num_tokens // keep
        ids_keep = order[:, ranks]
        if self.keep_order == 'raster':
            ids_keep = ids_keep.sort(dim=1).values
        return make_token_mask(ids_keep, num_tokens)
