"""The masked autoencoder: masking, backbone, guidance, decoder and loss together."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from dugi_mae.errors import DuGIError
from dugi_mae.models.image_input import ImageInput
from dugi_mae.ops import TokenMask, grid_mask, patch_grid, unpatchify


class Reconstruction(NamedTuple):
    """A reconstructed batch of images, all in the units of the model's input.

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


def derive_sizes(backbone: nn.Module) -> dict[str, dict[str, int]]:
    """Arguments of the other parts that follow from the backbone.

    Args:
        backbone: With any of ``embed_dims``, ``in_channels``, ``patch_size`` and
            ``num_extra_tokens``; what it does not tell is left out.

    Returns:
        By part (``masking``, ``guidance``, ``neck``, ``head``) what must be equal to
        the backbone's.
    """
    names = ('embed_dims', 'in_channels', 'patch_size', 'num_extra_tokens')
    known = {n: getattr(backbone, n) for n in names if hasattr(backbone, n)}

    def pick(*wanted: str) -> dict[str, int]:
        return {name: known[name] for name in wanted if name in known}

    neck = pick('embed_dims', 'patch_size', 'num_extra_tokens')
    if 'in_channels' in known:
        neck['out_channels'] = known['in_channels']
    return dict(
        masking=pick('in_channels', 'patch_size'),
        guidance=pick(*names),
        neck=neck,
        head=pick('in_channels', 'patch_size'),
    )


class MaskedAutoencoder(ImageInput):
    """Masked autoencoder for infrared images, every part swappable.

    ``guidance=None`` with random masking is MCMAE, with grey-value masking InfMAE.

    Args:
        masking: images -> :class:`~dugi_mae.ops.TokenMask`.
        backbone: (images, mask) -> visible tokens.
        neck: (tokens, mask, grid, masked_only) -> predicted tokens, all or masked ones.
        head: (prediction, images, mask) -> loss.
        guidance: (tokens, images, mask) -> tokens, or ``None``.
    """

    def __init__(
        self,
        masking: nn.Module,
        backbone: nn.Module,
        neck: nn.Module,
        head: nn.Module,
        guidance: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = head
        self.masking = masking
        self.guidance = guidance
        self.in_channels = getattr(backbone, 'in_channels', self.in_channels)

    def predict_tokens(
        self, images: Tensor, masked_only: bool = False
    ) -> tuple[Tensor, TokenMask]:
        """Predict every token's pixels, or only those that the loss looks at.

        Args:
            images: ``(B, C, H, W)``, normalized.
            masked_only: Leave out the visible tokens.

        Returns:
            ``(B, L, P * P * C)`` or ``(B, L - K, P * P * C)`` predictions in raster
            order, and the mask.

        Raises:
            DuGIError: If the images have another number of channels or are not made of
                complete patches.
        """
        self.check_images(images)
        token_mask = self.masking(images)
        tokens = self.backbone(images, token_mask)
        if self.guidance is not None:
            tokens = self.guidance(tokens, images, token_mask)
        grid = patch_grid(images, self.head.patch_size)
        return self.neck(tokens, token_mask, grid, masked_only), token_mask

    def forward(self, images: Tensor) -> Tensor:
        """Mean loss on the masked tokens of ``(B, C, H, W)`` images, a scalar."""
        pred, token_mask = self.predict_tokens(images, masked_only=True)
        total = token_mask.mask.shape[1]
        masked = total - token_mask.ids_keep.shape[1]
        if pred.shape[1] not in (total, masked):
            raise DuGIError(
                f'model.neck predicts {pred.shape[1]} tokens, an image has {total}: '
                f'predict all {total} or the {masked} masked ones in raster order'
            )
        return self.head.loss(pred, images, token_mask.mask)

    @torch.no_grad()
    def reconstruct(self, images: Tensor) -> Reconstruction:
        """Reconstruct images as pictures can show them.

        Args:
            images: ``(B, C, H, W)``, normalized.
        """
        pred, token_mask = self.predict_tokens(images)
        grid = patch_grid(images, self.head.patch_size)
        pixels = self.head.to_pixels(pred.float(), images.float())
        prediction = unpatchify(pixels, grid, self.head.patch_size)
        visible = grid_mask(token_mask, grid, self.head.patch_size)
        composite = images * visible + prediction * (1 - visible)
        return Reconstruction(images, prediction, composite, visible, token_mask)
