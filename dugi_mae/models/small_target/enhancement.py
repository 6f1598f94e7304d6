"""What makes a dim target stand out in a deep map: attention and local contrast."""

from __future__ import annotations

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn
from torch.nn import functional as F

from dugi_mae.models.layers.attention_block import AttentionBlock


def local_contrast(x: Tensor, window: int) -> Tensor:
    """Difference between each cell and the mean of the window around it.

    The mean is taken over the cells inside the map, so a constant map gives zero at
    its border too.

    Args:
        x: ``(B, C, H, W)``.
        window: Odd side of the window in cells.

    Returns:
        ``(B, C, H, W)``.
    """
    mean = F.avg_pool2d(x, window, 1, window // 2, count_include_pad=False)
    return x - mean


def top_hat(images: Tensor, radius: int) -> Tensor:
    """How far bright spots stand out, in units of what is usual in the image.

    The white top-hat with a square: the grey value minus its opening, which removes
    what is brighter than its surroundings and narrower than the square. Divided by its
    standard deviation over the image, as the classical detector's threshold is, and
    compressed by a logarithm.

    Args:
        images: ``(B, C, H, W)``, normalised; channels are averaged.
        radius: Half the side of the square; its side is ``2 * radius + 1`` pixels.

    Returns:
        ``(B, 1, H, W)``, at least 0; 0 in a constant image.
    """
    grey = images.mean(dim=1, keepdim=True)
    sides = (2 * radius + 1, 1), (1, 2 * radius + 1)
    opened = grey
    for _ in range(2):  # the erosion is a dilation of the negative
        opened = -opened
        for side in sides:
            opened = F.max_pool2d(opened, side, 1, tuple(n // 2 for n in side))
    spots = grey - opened
    # A thousandth of the usual deviation of an image: noise of 8 bits is not raised.
    spread = spots.std(dim=(2, 3), correction=0, keepdim=True).clamp(min=1e-3)
    return torch.log1p(spots / spread)


class FeatureEnhancement(nn.Module):
    """Attention over the whole map plus a branch of local contrasts.

    Attention says what the background of the scene looks like; the contrast of each
    cell with its surroundings keeps what differs from it. The sum of both leaves.

    Args:
        in_channels: Channels of the map that comes in.
        channels: Channels of the map that leaves.
        num_heads: Attention heads, a divisor of ``channels``.
        windows: Sides of the contrast windows in cells, odd.
        **conv: Settings of the convolutions, as in mmcv's ``ConvModule``.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        num_heads: int = 4,
        windows: tuple[int, ...] = (3, 5),
        **conv,
    ) -> None:
        super().__init__()
        self.windows = windows
        self.reduce = ConvModule(in_channels, channels, 1, **conv)
        self.attention = AttentionBlock(channels, num_heads, mlp_ratio=2.0)
        self.contrast = ConvModule(channels * len(windows), channels, 1, **conv)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C_in, H, W)`` -> ``(B, C, H, W)``."""
        x = self.reduce(x)
        contrasts = torch.cat([local_contrast(x, w) for w in self.windows], dim=1)
        tokens = self.attention(x.flatten(2).transpose(1, 2))
        attended = tokens.transpose(1, 2).unflatten(2, x.shape[-2:])
        return attended + self.contrast(contrasts)
