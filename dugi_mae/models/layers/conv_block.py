"""The convolutional token mixer of ConvViT's first two stages."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from .attention_block import Mlp
from .drop_path import DropPath
from .norm import LayerNorm2d
from .patch_conv import PatchConv

TokenMixer = Callable[[nn.Module, Tensor], Tensor]


class ConvBlock(nn.Module):
    """Pre-norm residual block that mixes tokens by a depthwise 5x5 convolution.

    ``x += conv2(attn(mask * conv1(norm1(x))))``, ``x += mlp(norm2(x))``: the names are
    those of the published MCMAE checkpoints, where ``attn`` is the depthwise
    convolution.

    Args:
        dim: Channels C.
        mlp_ratio: Width of the MLP over C.
        drop_path: Probability of dropping a residual branch.
    """

    def __init__(self, dim: int, mlp_ratio: float = 4.0, drop_path: float = 0.0):
        super().__init__()
        self.norm1 = LayerNorm2d(dim, eps=1e-5)
        self.conv1 = PatchConv(dim, dim)
        self.attn = nn.Conv2d(dim, dim, 5, padding=2, groups=dim)
        self.conv2 = PatchConv(dim, dim)
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()
        self.norm2 = LayerNorm2d(dim, eps=1e-5)
        self.mlp = Mlp(dim, int(dim * mlp_ratio), PatchConv)

    def forward(self, x: Tensor, mixer: TokenMixer | None = None) -> Tensor:
        """Mix the tokens of a map.

        Args:
            x: ``(B, C, H, W)``.
            mixer: Called as ``mixer(attn, y)`` in place of ``attn(y)``: keeps masked
                places out of the depthwise convolution. ``None`` sees everything.

        Returns:
            ``(B, C, H, W)``.
        """
        y = self.conv1(self.norm1(x))
        y = self.attn(y) if mixer is None else mixer(self.attn, y)
        x = x + self.drop_path(self.conv2(y))
        return x + self.drop_path(self.mlp(self.norm2(x)))
