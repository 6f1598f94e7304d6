"""The decoder that reconstructs the masked tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dugi_mae.errors import DuGIError
from dugi_mae.models.layers import (
    AttentionBlock,
    init_transformer_weights,
    resize_positions_on_load,
)
from dugi_mae.models.layers.attention_block import check_heads
from dugi_mae.ops import (
    TokenMask,
    gather_tokens,
    resize_pos_embed,
    restore_tokens,
    sincos_pos_embed,
)


class MaskedDecoder(nn.Module):
    """Transformer decoder over the full grid of tokens.

    Every visible token returns to its own place, a learned mask token stands at the
    others. Parameter names are those of the published checkpoints.

    Args:
        embed_dims: Width of the encoder's tokens.
        decoder_embed_dims: Width of the decoder.
        decoder_depth: Number of blocks.
        decoder_num_heads: Attention heads.
        mlp_ratio: Width of the MLPs over ``decoder_embed_dims``.
        patch_size: Side P of a token in pixels.
        out_channels: Channels C of the predicted image.
        img_size: Side of the square image the stored position embedding is made for.
        num_extra_tokens: Leading tokens without a place in the image (1 for a ViT's
            class token). They take part in the attention and are dropped at the end.
    """

    def __init__(
        self,
        embed_dims: int = 768,
        decoder_embed_dims: int = 512,
        decoder_depth: int = 2,
        decoder_num_heads: int = 16,
        mlp_ratio: float = 4.0,
        patch_size: int = 16,
        out_channels: int = 3,
        img_size: int = 224,
        num_extra_tokens: int = 0,
    ) -> None:
        super().__init__()
        if img_size < patch_size:
            raise DuGIError(
                f'img_size={img_size} is smaller than patch_size={patch_size}: make '
                'it a multiple'
            )
        dim = decoder_embed_dims
        check_heads(dim, decoder_num_heads, 'decoder_num_heads')
        self.num_extra_tokens = num_extra_tokens
        self.pos_grid = (img_size // patch_size, img_size // patch_size)
        self.decoder_embed = nn.Linear(embed_dims, dim)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.decoder_pos_embed = nn.Parameter(
            sincos_pos_embed(self.pos_grid, dim), requires_grad=False
        )
        self.decoder_blocks = nn.ModuleList(
            AttentionBlock(dim, decoder_num_heads, mlp_ratio)
            for _ in range(decoder_depth)
        )
        self.decoder_norm = nn.LayerNorm(dim, eps=1e-6)
        self.decoder_pred = nn.Linear(dim, patch_size**2 * out_channels)
        self.apply(init_transformer_weights)
        nn.init.normal_(self.mask_token, std=0.02)
        resize_positions_on_load(self, 'decoder_pos_embed')

    def forward(
        self,
        tokens: Tensor,
        token_mask: TokenMask,
        grid: tuple[int, int],
        masked_only: bool = False,
    ) -> Tensor:
        """Predict the pixels of every token, or of the masked ones.

        Args:
            tokens: ``(B, E + K, D)``: ``num_extra_tokens`` E, then the visible tokens
                in the order of ``token_mask.ids_keep``.
            token_mask: Which of the L tokens are visible.
            grid: Rows and columns of tokens, ``L = rows * cols``.
            masked_only: Leave out what only the visible tokens need: their queries and
                MLP in the last block, and their pixels.

        Returns:
            ``(B, L, P * P * C)`` in raster order; ``(B, L - K, P * P * C)``, the same
            values, with ``masked_only``.
        """
        x = self.decoder_embed(tokens)
        extra, visible = x.tensor_split([self.num_extra_tokens], dim=1)
        places = restore_tokens(visible, self.mask_token, token_mask)
        places = places + resize_pos_embed(self.decoder_pos_embed, self.pos_grid, grid)
        x = torch.cat([extra, places], dim=1)
        for block in self.decoder_blocks[:-1]:
            x = block(x)
        ids = token_mask.ids_masked + self.num_extra_tokens if masked_only else None
        if self.decoder_blocks:
            x = self.decoder_blocks[-1](x, ids=ids)
        elif masked_only:
            x = gather_tokens(x, ids)
        if not masked_only:
            x = x[:, self.num_extra_tokens :]
        return self.decoder_pred(self.decoder_norm(x))
