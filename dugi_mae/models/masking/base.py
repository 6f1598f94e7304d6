"""The interface of every masking."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dugi_mae.errors import DuGIError
from dugi_mae.models.layers import TokenEmbed
from dugi_mae.ops import TokenMask


class BaseMasking(nn.Module, ABC):
    """Chooses the visible tokens of a batch of images, without gradient.

    Args:
        mask_ratio: Share of the tokens to mask, strictly between 0 and 1.
        patch_size: Side of a token in pixels.
    """

    def __init__(self, mask_ratio: float = 0.75, patch_size: int = 16) -> None:
        super().__init__()
        if not 0 < mask_ratio < 1:
            raise DuGIError(
                f'mask_ratio={mask_ratio} would keep every token or none: choose a '
                'ratio between 0 and 1, such as 0.75'
            )
        self.mask_ratio = mask_ratio
        self.patch_size = patch_size

    @abstractmethod
    def choose(self, images: Tensor) -> TokenMask:
        """Choose the visible tokens of ``(B, C, H, W)`` images."""

    @torch.no_grad()
    def forward(self, images: Tensor) -> TokenMask:
        """Choose the visible tokens.

        Args:
            images: ``(B, C, H, W)``, H and W multiples of ``patch_size``.

        Returns:
            The mask of the ``L = H / patch_size * W / patch_size`` tokens.

        Raises:
            DuGIError: If the image is not made of whole patches, or so small that the
                mask ratio keeps no or every token.
        """
        return self.choose(images)


class EmbeddingMasking(BaseMasking):
    """A masking that may score tokens by a frozen patch embedding.

    Args:
        mask_ratio: Share of the tokens to mask.
        patch_size: Side of a token in pixels.
        embed_dims: Channels of the embedding; ``None`` builds none.
        in_channels: Channels of the image.
    """

    def __init__(
        self,
        mask_ratio: float = 0.75,
        patch_size: int = 16,
        embed_dims: int | None = None,
        in_channels: int = 3,
    ) -> None:
        super().__init__(mask_ratio, patch_size)
        if embed_dims is None:
            return
        # Named as in the published checkpoints, where it is stored and never trained.
        self.patch_embed = TokenEmbed(in_channels, embed_dims, patch_size)
        self.patch_embed.requires_grad_(False)

    def embed(self, images: Tensor) -> Tensor:
        """``(B, C, H, W)`` -> ``(B, L, embed_dims)``, in fp32 whatever the model is."""
        proj = self.patch_embed.proj
        # As a convolution, like the released code: tokens with all but equal scores
        # are ordered by its rounding. cuDNN would round to TF32.
        with (
            torch.autocast(images.device.type, enabled=False),
            torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
        ):
            weight, bias = proj.weight.float(), proj.bias.float()
            maps = F.conv2d(images.float(), weight, bias, proj.stride)
            return maps.flatten(2).transpose(1, 2)
