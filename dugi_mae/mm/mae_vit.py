"""mmpretrain's plain MAE ViT, seeing the tokens our maskings choose."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from mmpretrain.models.selfsup.mae import MAEViT
from mmpretrain.registry import MODELS
from torch import Tensor

from dugi_mae.ops import (
    TokenMask,
    check_mask,
    gather_tokens,
    patch_grid,
    resize_pos_embed,
)


@MODELS.register_module()
class MaskedMAEViT(MAEViT):
    """Plain ViT for masked pre-training with an outside :class:`TokenMask`.

    The stock ``MAEViT`` masks randomly by itself and would ignore ours.

    Args:
        *args: As for mmpretrain's ``MAEViT``; ``mask_ratio`` has no effect.
        in_channels: Channels of the image, an argument that the stock class lacks.
        **kwargs: As for mmpretrain's ``MAEViT``.
    """

    #: The class token stands before the visible tokens.
    num_extra_tokens = 1

    def __init__(self, *args, in_channels: int = 3, **kwargs) -> None:
        patch_cfg = dict(in_channels=in_channels) | kwargs.pop('patch_cfg', {})
        super().__init__(*args, patch_cfg=patch_cfg, **kwargs)

    @property
    def patch_size(self) -> int:
        """Side of a token in pixels."""
        return self.patch_embed.projection.kernel_size[0]

    @property
    def in_channels(self) -> int:
        """Channels of the image."""
        return self.patch_embed.projection.in_channels

    @property
    def num_heads(self) -> int:
        """Attention heads of a layer."""
        return self.arch_settings['num_heads']

    def init_weights(self) -> None:
        """Draw fresh weights, or load those of a ``Pretrained`` config.

        The stock method overwrites loaded position embeddings, patch embedding and
        class token with fresh ones.
        """
        if isinstance(self.init_cfg, dict) and 'checkpoint' in self.init_cfg:
            BaseModule.init_weights(self)
        else:
            super().init_weights()

    def forward(self, images: Tensor, token_mask: TokenMask) -> Tensor:
        """Encode the visible tokens.

        Args:
            images: ``(B, C, H, W)``, H and W multiples of the patch size.
            token_mask: Which tokens are visible.

        Returns:
            ``(B, 1 + K, D)``: the class token, then the visible tokens in the order of
            ``token_mask.ids_keep``.

        Raises:
            DuGIError: If the mask was made for other images.
        """
        grid = patch_grid(images, self.patch_size)
        check_mask(token_mask, len(images), grid)
        cls_position, position = self.pos_embed[:, :1], self.pos_embed[:, 1:]
        position = resize_pos_embed(position, tuple(self.patch_resolution), grid)
        tokens = self.patch_embed(images)[0] + position
        tokens = gather_tokens(tokens, token_mask.ids_keep)
        cls_token = (self.cls_token + cls_position).expand(len(images), -1, -1)
        tokens = torch.cat([cls_token, tokens], dim=1)
        for layer in self.layers:
            tokens = layer(tokens)
        return self.norm1(tokens)
