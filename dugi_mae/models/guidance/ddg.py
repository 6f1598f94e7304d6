"""Dual-Domain Guidance (DDG): frequency tokens enrich the encoder's output."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dugi_mae.errors import check_range
from dugi_mae.models.layers import (
    FrequencyInjectionBlock,
    GuidanceRefinementBlock,
    init_transformer_weights,
)
from dugi_mae.ops import TokenMask

from .afdm import AdaptiveFrequencyModulation


class DualDomainGuidance(nn.Module):
    """Bridge between encoder and decoder that brings in the frequency domain.

    The first block injects the frequency tokens into keys and values, the later ones
    let the encoder's tokens attend to themselves plus the guidance found so far
    (paper, Eq. 5). It plugs unchanged into MAE, MCMAE and InfMAE.

    Args:
        embed_dims: D, the encoder's last width.
        num_heads: Attention heads, the encoder's.
        depth: Number of blocks.
        mlp_ratio: Width of the MLPs over D.
        num_extra_tokens: Leading tokens of the encoder without a place in the image
            (1 for a ViT's class token). They pass unchanged.
        patch_size: Side of a token in pixels.
        in_channels: Channels of the image.
        **afdm: Arguments of :class:`AdaptiveFrequencyModulation` (``mode``, ``align``,
            ``source``, start values).
    """

    def __init__(
        self,
        embed_dims: int = 768,
        num_heads: int = 12,
        depth: int = 3,
        mlp_ratio: float = 4.0,
        num_extra_tokens: int = 0,
        patch_size: int = 16,
        in_channels: int = 3,
        **afdm,
    ) -> None:
        super().__init__()
        check_range('depth', depth, 1, 1000)
        self.num_extra_tokens = num_extra_tokens
        self.afdm = AdaptiveFrequencyModulation(
            embed_dims, patch_size=patch_size, in_channels=in_channels, **afdm
        )
        self.inject = FrequencyInjectionBlock(embed_dims, num_heads, mlp_ratio)
        self.refine = nn.ModuleList(
            GuidanceRefinementBlock(embed_dims, num_heads, mlp_ratio)
            for _ in range(depth - 1)
        )
        self.inject.apply(init_transformer_weights)
        self.refine.apply(init_transformer_weights)

    def forward(self, tokens: Tensor, images: Tensor, token_mask: TokenMask) -> Tensor:
        """Guide the visible tokens.

        Args:
            tokens: ``(B, E + K, D)``: ``num_extra_tokens`` E, then the visible tokens.
            images: ``(B, C, H, W)``.
            token_mask: Which tokens are visible.

        Returns:
            ``(B, E + K, D)``, the last block's output behind the extra tokens.
        """
        extra, visible = tokens.tensor_split([self.num_extra_tokens], dim=1)
        guided = self.inject(visible, self.afdm(visible, images, token_mask))
        for block in self.refine:
            guided = block(visible, guided)
        return torch.cat([extra, guided], dim=1)
