"""Patch embeddings: strided convolutions between the stages."""

from __future__ import annotations

from torch import Tensor, nn

from .norm import LayerNorm2d


class ConvPatchEmbed(nn.Module):
    """Strided convolution, LayerNorm over channels and GELU (ConvViT stage entry).

    Args:
        in_channels: Channels of the input map.
        embed_dims: Channels of the output map.
        patch_size: Kernel size and stride: patches do not overlap.
    """

    def __init__(self, in_channels: int, embed_dims: int, patch_size: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, embed_dims, patch_size, patch_size)
        self.norm = LayerNorm2d(embed_dims, eps=1e-5)
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` -> ``(B, D, H / patch_size, W / patch_size)``."""
        return self.act(self.norm(self.proj(x)))


class TokenEmbed(nn.Module):
    """Linear embedding of whole tokens, one convolution as in a plain ViT.

    Args:
        in_channels: Channels of the image.
        embed_dims: D.
        patch_size: Side of a token in pixels.
    """

    def __init__(self, in_channels: int, embed_dims: int, patch_size: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, embed_dims, patch_size, patch_size)

    def forward(self, images: Tensor) -> Tensor:
        """``(B, C, H, W)`` -> ``(B, L, D)`` in raster order."""
        return self.proj(images).flatten(2).transpose(1, 2)
