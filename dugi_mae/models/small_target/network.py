"""A U-Net at full resolution for targets of a few pixels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dugi_mae.errors import DuGIError
from dugi_mae.models.image_input import ImageInput

#: What test images are padded to: the coarsest stride, that of an encoder's F4.
MULTIPLE = 32


def conv_norm(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """A 3x3 convolution and batch normalization."""
    conv = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels))


def resize(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear resize of ``(B, C, h, w)`` to the size of another map."""
    return F.interpolate(x, like.shape[-2:], mode='bilinear', align_corners=False)


def reflect_pad(images: Tensor) -> Tensor:
    """Continue images as in a mirror, to the right and below, to a multiple of 32.

    Args:
        images: ``(B, C, H, W)``, of any size.
    """
    for dim in (2, 3):
        size = images.shape[dim]
        place = torch.arange(-size % MULTIPLE + size, device=images.device)
        period = max(2 * (size - 1), 1)
        place = (size - 1) - ((size - 1) - place % period).abs()
        images = images.index_select(dim, place)
    return images


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a 1x1 convolution.

    Args:
        in_channels: Input channels.
        channels: Output channels.
        stride: Of the first convolution.
    """

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = conv_norm(in_channels, channels, stride)
        self.conv2 = conv_norm(channels, channels)
        self.skip, self.stride = nn.Conv2d(in_channels, channels, 1), stride

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C_in, H, W)`` -> ``(B, C, H / stride, W / stride)``."""
        # Not a strided convolution: oneDNN's backward pass corrupts the heap in
        # channels-last unless the channels are a multiple of 8 (torch 2.11).
        skip = self.skip(x[..., :: self.stride, :: self.stride])
        return F.relu(self.conv2(F.relu(self.conv1(x))) + skip)


class SceneContext(nn.Module):
    """Scales and shifts each channel by what the whole map holds.

    Args:
        channels: Of the map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(2 * channels, channels),
            nn.ReLU(),
            nn.Linear(channels, 2 * channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` -> the same shape."""
        pooled = torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)
        gate, bias = self.mlp(pooled)[..., None, None].chunk(2, dim=1)
        return x * (1 + gate.tanh()) + bias


class Adapter(nn.Module):
    """Adds an encoder's map to a level; at the start it adds nothing.

    Args:
        in_channels: Channels of the encoder's map.
        channels: Channels of the level.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels, affine=False)
        self.conv = nn.Conv2d(in_channels, channels, 1)
        nn.init.zeros_(self.conv.weight)
        nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor, feature: Tensor) -> Tensor:
        """``(B, C, H, W)`` and ``(B, C_in, h, w)`` -> ``(B, C, H, W)``."""
        return x + resize(self.conv(self.norm(feature)), x)


class SmallTargetNet(ImageInput):
    """Image to one logit a pixel; an encoder's maps may join.

    The image is encoded at strides 1 to 16, its coarsest map is scaled by what the
    whole scene holds, and decoded back to full resolution. Of an encoder, F1, F2 and F3
    are added at strides 4, 8 and 16 and F4 at 16 too, by adapters that start at zero:
    at first the network is what it would be without them.

    Args:
        feature_channels: Channels of an encoder's F1 to F4; empty for none.
        widths: Channels at strides 1, 2, 4, 8 and 16.
        in_channels: Channels of the image.

    Raises:
        DuGIError: If there are neither 0 nor 4 ``feature_channels``, or not 5 widths.

    Example:
        >>> import torch
        >>> net = SmallTargetNet().eval()
        >>> net.predict(torch.rand(1, 1, 60, 90)).shape
        torch.Size([1, 1, 60, 90])
    """

    def __init__(
        self,
        feature_channels: Sequence[int] = (),
        widths: Sequence[int] = (8, 16, 32, 64, 128),
        in_channels: int = 1,
    ) -> None:
        super().__init__()
        right = len(feature_channels) in (0, 4) and len(widths) == 5
        if not right or min(widths) < 1:
            raise DuGIError(
                f'feature_channels={list(feature_channels)}, widths={list(widths)}: '
                'give the channels of F1 to F4 or none, and five widths'
            )
        self.in_channels = in_channels
        self.stem = conv_norm(in_channels, widths[0])
        finer = (widths[0], *widths)
        self.levels = nn.ModuleList(
            ResidualBlock(i, o, 1 + (n > 0))
            for n, (i, o) in enumerate(zip(finer, widths, strict=False))
        )
        # F1, F2, F3 and F4 join the levels of strides 4, 8, 16 and 16.
        joined = (2, 3, 4, 4)[: len(feature_channels)]
        self.adapters = nn.ModuleList(
            Adapter(c, widths[level])
            for c, level in zip(feature_channels, joined, strict=True)
        )
        self.context = SceneContext(widths[-1])
        pairs = list(pairwise(widths))
        self.laterals = nn.ModuleList(nn.Conv2d(o, i, 1) for i, o in pairs)
        self.decoders = nn.ModuleList(ResidualBlock(2 * i, i) for i, _ in pairs)
        self.conv_seg = nn.Conv2d(widths[0], 1, 1)
        # A probability of 0.01 at the start, as targets are rare.
        nn.init.constant_(self.conv_seg.bias, -4.6)
        # A third faster on a CPU; maps take the layout of the weights.
        for weight in self.parameters():
            if weight.ndim == 4:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)

    def forward(self, images: Tensor, features: Sequence[Tensor] = ()) -> Tensor:
        """Compute the logits.

        Args:
            images: ``(B, C, H, W)``, normalized.
            features: F1 to F4 of the same images, if the network has adapters.

        Returns:
            ``(B, 1, H, W)``.
        """
        x, maps = F.relu(self.stem(images)), []
        for number, level in enumerate(self.levels):
            x = level(x)
            if self.adapters and number >= 2:
                x = self.adapters[number - 2](x, features[number - 2])
            maps.append(x)
        if self.adapters:
            x = self.adapters[3](x, features[3])
        x = self.context(x)
        for number in (3, 2, 1, 0):
            skip = maps[number]
            x = resize(self.laterals[number](x), skip)
            x = self.decoders[number](torch.cat([x, skip], dim=1))
        return self.conv_seg(x)

    @torch.no_grad()
    def predict(self, images: Tensor) -> Tensor:
        """Probabilities of images of any size, for a network without an encoder.

        Args:
            images: ``(B, C, H, W)``, normalized: :meth:`prepare` makes them of arrays.

        Returns:
            ``(B, 1, H, W)``.
        """
        height, width = images.shape[-2:]
        return self(reflect_pad(images))[..., :height, :width].sigmoid()
