"""Scores the painting: pixel loss on the masked tokens."""

from __future__ import annotations

import math

import torch
from mmpretrain.models.heads import MAEPretrainHead
from mmpretrain.registry import MODELS
from torch import Tensor

from dugi_mae.errors import DuGIError
from dugi_mae.models.layers.sizes import check_sizes
from dugi_mae.ops import gather_tokens, patchify, unpatchify
from dugi_mae.utils.arguments import check_arguments
from dugi_mae.utils.registry import build_module


@MODELS.register_module()
class DuGIPretrainHead(MAEPretrainHead):
    """MAE's head for any grid, any channel count and masked-only predictions.

    Args:
        loss: Config of the loss; ``None`` is the mean squared error.
        norm_pix: Normalise every target token to zero mean and unit variance (off in
            the paper).
        patch_size: Side P of a token in pixels.
        in_channels: Channels C of the image.
    """

    @check_arguments
    def __init__(
        self,
        loss: dict | None = None,
        norm_pix: bool = False,
        patch_size: int = 16,
        in_channels: int = 3,
    ) -> None:
        check_sizes(patch_size=patch_size, in_channels=in_channels)
        pixel_loss = dict(type='mmpretrain.PixelReconstructionLoss', criterion='L2')
        super().__init__(pixel_loss, norm_pix, patch_size, in_channels)
        if loss:
            self.loss_module = build_module(loss)

    def patchify(self, imgs: Tensor) -> Tensor:
        """``(B, C, H, W)`` -> ``(B, L, P * P * C)``, non-square images too."""
        if imgs.shape[1] != self.in_channels:
            raise DuGIError(
                f'images with {imgs.shape[1]} channels met a head with '
                f'in_channels={self.in_channels}: set head.in_channels and '
                'neck.out_channels to the number of channels of the images'
            )
        return patchify(imgs, self.patch_size)

    def unpatchify(self, x: Tensor, grid: tuple[int, int] | None = None) -> Tensor:
        """``(B, L, P * P * C)`` -> ``(B, C, H, W)``.

        Args:
            x: Tokens of pixels.
            grid: Rows and columns; ``None`` takes a square.
        """
        if grid is None:
            side = math.isqrt(x.shape[1])
            if side**2 != x.shape[1]:
                raise DuGIError(
                    f'{x.shape[1]} tokens fill no square: give grid=(rows, columns)'
                )
            grid = (side, side)
        return unpatchify(x, grid, self.patch_size)

    def loss(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Mean loss over the masked tokens.

        Args:
            pred: ``(B, L, P * P * C)``, or ``(B, L - K, P * P * C)`` with the masked
                tokens only, in raster order.
            target: ``(B, C, H, W)`` images.
            mask: ``(B, L)``, 1 = masked.

        Returns:
            A scalar, equal for both forms of ``pred``.
        """
        if pred.shape[1] == mask.shape[1]:
            return super().loss(pred, target, mask)
        # Shapes alone: how many are masked is on the GPU, and asking would wait for it.
        if len(pred) != len(mask) or pred.shape[1] > mask.shape[1]:
            raise DuGIError(
                f'prediction of shape {tuple(pred.shape)} does not go with a mask for '
                f'{len(mask)} images of {mask.shape[1]} tokens: predict all tokens or '
                'the masked ones'
            )
        ids = mask.argsort(dim=1, descending=True, stable=True)[:, : pred.shape[1]]
        tokens = gather_tokens(self.construct_target(target), ids)
        return self.loss_module(pred, tokens, torch.ones_like(pred[..., 0]))

    def to_pixels(self, pred: Tensor, target: Tensor) -> Tensor:
        """Undo the normalisation of the target.

        Args:
            pred: ``(B, L, P * P * C)`` predictions.
            target: ``(B, C, H, W)`` images whose token statistics ``norm_pix`` used.

        Returns:
            ``(B, L, P * P * C)`` in the units of ``target``.
        """
        if not self.norm_pix:
            return pred
        tokens = self.patchify(target)
        mean = tokens.mean(dim=-1, keepdim=True)
        var = tokens.var(dim=-1, keepdim=True)
        return pred * (var + 1e-6).sqrt() + mean
