"""DuGI-MAE: masking, backbone, guidance, neck and head put together."""

from __future__ import annotations

from typing import NamedTuple

import torch
from mmpretrain.models.selfsup.base import BaseSelfSupervisor
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from dugi_mae.errors import DuGIError
from dugi_mae.ops import TokenMask, grid_mask, patch_grid
from dugi_mae.utils.arguments import check_arguments
from dugi_mae.utils.registry import build_module

from .part_checks import check_parts, check_statistics


class Reconstruction(NamedTuple):
    """What a model makes of a batch of images, all in the units of its input.

    Attributes:
        images: ``(B, C, H, W)`` the input.
        prediction: ``(B, C, H, W)`` the decoder's pixels at every place.
        composite: ``(B, C, H, W)`` the input at visible, the prediction at masked
            places.
        visible: ``(B, 1, H, W)`` 1 = visible, 0 = masked.
        token_mask: The mask.
    """

    images: Tensor
    prediction: Tensor
    composite: Tensor
    visible: Tensor
    token_mask: TokenMask


@MODELS.register_module()
class DuGIMAE(BaseSelfSupervisor):
    """Masked autoencoder for infrared images, every part swappable.

    ``guidance=None`` with random masking is MCMAE, with grey-value masking InfMAE.

    Args:
        masking: images -> :class:`~dugi_mae.ops.TokenMask`.
        backbone: (images, mask) -> visible tokens.
        neck: (tokens, mask, grid, masked_only) -> predicted tokens, all or masked ones.
        head: (prediction, images, mask) -> loss.
        guidance: (tokens, images, mask) -> tokens, or ``None``.
        data_preprocessor: As in mmpretrain.
        init_cfg: mmengine's initialisation config.
    """

    @check_arguments
    def __init__(
        self,
        masking: dict | nn.Module,
        backbone: dict | nn.Module,
        neck: dict | nn.Module,
        head: dict | nn.Module,
        guidance: dict | nn.Module | None = None,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        if not isinstance(data_preprocessor, nn.Module):
            check_statistics(data_preprocessor or {})
            data_preprocessor = build_module(
                {'type': 'SelfSupDataPreprocessor', **(data_preprocessor or {})}
            )
        super().__init__(
            backbone=build_module(backbone),
            neck=build_module(neck),
            head=build_module(head),
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        self.masking = build_module(masking)
        self.guidance = build_module(guidance)
        check_parts(self)

    def extract_feat(self, inputs: Tensor) -> Tensor:
        """Visible tokens of the encoder, ``(B, C, H, W)`` -> ``(B, K, D)``."""
        return self.backbone(inputs, self.masking(inputs))

    def predict_tokens(
        self, images: Tensor, masked_only: bool = False
    ) -> tuple[Tensor, TokenMask]:
        """Predict every token's pixels, or only those that the loss looks at.

        Args:
            images: ``(B, C, H, W)``, normalised.
            masked_only: Leave out the visible tokens.

        Returns:
            ``(B, L, P * P * C)`` or ``(B, L - K, P * P * C)`` predictions in raster
            order, and the mask.
        """
        token_mask = self.masking(images)
        tokens = self.backbone(images, token_mask)
        if self.guidance is not None:
            tokens = self.guidance(tokens, images, token_mask)
        grid = patch_grid(images, self.head.patch_size)
        return self.neck(tokens, token_mask, grid, masked_only), token_mask

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None, **kwargs
    ) -> dict[str, Tensor]:
        """Masked-pixel loss of a batch, ``dict(loss=scalar)``."""
        images = _first_view(inputs)
        pred, token_mask = self.predict_tokens(images, masked_only=True)
        total = token_mask.mask.shape[1]
        masked = total - token_mask.ids_keep.shape[1]
        if pred.shape[1] not in (total, masked):
            raise DuGIError(
                f'model.neck predicts {pred.shape[1]} tokens, an image has {total}: '
                f'predict all {total} or the {masked} masked ones in raster order'
            )
        return dict(loss=self.head.loss(pred, images, token_mask.mask))

    @torch.no_grad()
    def reconstruct(self, images: Tensor) -> Reconstruction:
        """Reconstruct images as pictures can show them.

        Args:
            images: ``(B, C, H, W)``, normalised.
        """
        pred, token_mask = self.predict_tokens(images)
        grid = patch_grid(images, self.head.patch_size)
        pixels = self.head.to_pixels(pred.float(), images.float())
        prediction = self.head.unpatchify(pixels, grid)
        visible = grid_mask(token_mask, grid, self.head.patch_size)
        composite = images * visible + prediction * (1 - visible)
        return Reconstruction(images, prediction, composite, visible, token_mask)

    def predict(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None
    ) -> list[DataSample]:
        """Reconstruct a batch for evaluation.

        Returns:
            One sample an image with the fields ``image``, ``prediction`` ``(C, H, W)``
            and ``token_mask`` ``(rows, cols)``, 1 = masked.
        """
        images = _first_view(inputs)
        result = self.reconstruct(images)
        grid = patch_grid(images, self.head.patch_size)
        samples = data_samples or [DataSample() for _ in images]
        for i, sample in enumerate(samples):
            sample.set_field(images[i], 'image')
            sample.set_field(result.prediction[i], 'prediction')
            sample.set_field(result.token_mask.mask[i].reshape(grid), 'token_mask')
        return samples

    def forward(
        self,
        inputs: Tensor | list[Tensor],
        data_samples: list[DataSample] | None = None,
        mode: str = 'tensor',
    ) -> Tensor | dict[str, Tensor] | list[DataSample]:
        """Unified entry: ``mode`` is ``'tensor'``, ``'loss'`` or ``'predict'``."""
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.extract_feat(_first_view(inputs))
        return super().forward(inputs, data_samples, mode)


def _first_view(inputs: Tensor | list[Tensor]) -> Tensor:
    """Mmpretrain's preprocessor hands a list of views; this method needs one."""
    return inputs[0] if isinstance(inputs, (list, tuple)) else inputs
