"""Makes a dim target stand out in a deep map: attention and local contrast."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dugi_mae.models.layers.attention_block import AttentionBlock


class ConvNormAct(nn.Module):
    """Convolution, batch normalization and ReLU; keeps the size at stride 1.

    Parameters are named as in mmcv's ``ConvModule``.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1
    ) -> None:
        super().__init__()
        padding = kernel_size // 2
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, padding, bias=False
        )
        self.bn = nn.BatchNorm2d(out_channels)
        nn.init.kaiming_normal_(self.conv.weight, mode='fan_out', nonlinearity='relu')

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C_in, H, W)`` -> ``(B, C_out, H / stride, W / stride)``."""
        return F.relu(self.bn(self.conv(x)), inplace=True)


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
    """White top-hat of the images, relative to its standard deviation in each image.

    The grey value minus its opening by a square, which removes what is brighter than
    its surroundings and narrower than the square. It is divided by its standard
    deviation over the image, as in the threshold of the classical detector, and
    compressed by a logarithm.

    Args:
        images: ``(B, C, H, W)``, normalized; channels are averaged.
        radius: The side of the square is ``2 * radius + 1`` pixels.

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
    # A thousandth of an image's usual deviation: 8-bit noise is not amplified.
    spread = spots.std(dim=(2, 3), correction=0, keepdim=True).clamp(min=1e-3)
    return torch.log1p(spots / spread)


class FeatureEnhancement(nn.Module):
    """Sum of global attention and a branch of local contrasts.

    Attention models the background of the scene; the contrast of each cell with its
    surroundings keeps what differs from it.

    Args:
        in_channels: Input channels.
        channels: Output channels.
        num_heads: Attention heads, a divisor of ``channels``.
        windows: Sides of the contrast windows in cells, odd.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        num_heads: int = 4,
        windows: tuple[int, ...] = (3, 5),
    ) -> None:
        super().__init__()
        self.windows = windows
        self.reduce = ConvNormAct(in_channels, channels, 1)
        self.attention = AttentionBlock(channels, num_heads, mlp_ratio=2.0)
        self.contrast = ConvNormAct(channels * len(windows), channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C_in, H, W)`` -> ``(B, C, H, W)``."""
        x = self.reduce(x)
        contrasts = torch.cat([local_contrast(x, w) for w in self.windows], dim=1)
        tokens = self.attention(x.flatten(2).transpose(1, 2))
        attended = tokens.transpose(1, 2).unflatten(2, x.shape[-2:])
        return attended + self.contrast(contrasts)
