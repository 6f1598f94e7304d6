"""Patch embeddings: strided convolutions between the stages."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from dugi_mae.ops import gather_patches

from .norm import LayerNorm2d
from .patch_conv import PatchConv
from .state_dict import fold_channels_on_load


class ConvPatchEmbed(nn.Module):
    """Strided convolution, LayerNorm over channels and GELU (ConvViT stage entry).

    Args:
        in_channels: Channels of the input map.
        embed_dims: Channels of the output map.
        patch_size: Kernel size and stride: patches do not overlap.
    """

    def __init__(self, in_channels: int, embed_dims: int, patch_size: int) -> None:
        super().__init__()
        self.proj = PatchConv(in_channels, embed_dims, patch_size)
        self.norm = LayerNorm2d(embed_dims, eps=1e-5)
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` -> ``(B, D, H / patch_size, W / patch_size)``."""
        return self.act(self.norm(self.proj(x)))


class TokenEmbed(nn.Module):
    """Linear embedding of whole tokens of an image, as in a plain ViT.

    The weights are stored as the strided convolution of the published checkpoints.

    Args:
        in_channels: Channels of the image.
        embed_dims: D.
        patch_size: Side of a token in pixels.
    """

    def __init__(self, in_channels: int, embed_dims: int, patch_size: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, embed_dims, patch_size, patch_size)
        fold_channels_on_load(self.proj)

    def forward(self, images: Tensor, ids: Tensor | None = None) -> Tensor:
        """Embed all tokens, or those that are wanted.

        Args:
            images: ``(B, C, H, W)``, H and W multiples of the patch size.
            ids: ``(B, K)`` raster indices; ``None`` embeds all L tokens.

        Returns:
            ``(B, L, D)`` in raster order, or ``(B, K, D)`` in the order of ``ids``.
        """
        if ids is None:
            return self.proj(images).flatten(2).transpose(1, 2)
        pixels = gather_patches(images, ids, self.proj.kernel_size[0]).flatten(2)
        return F.linear(pixels, self.proj.weight.flatten(1), self.proj.bias)
