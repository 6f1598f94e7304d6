"""U-Net-like decoder for infrared small-target detection (IRSTD)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dugi_mae.errors import DuGIError, check_range

from .enhancement import ConvNormAct, FeatureEnhancement, top_hat


def upsample(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear resize of ``(B, C, H, W)`` to ``size``."""
    return F.interpolate(x, tuple(size), mode='bilinear', align_corners=False)


class UpBlock(nn.Module):
    """Upsample to the size of a skip connection, concatenate it and convolve twice.

    Args:
        in_channels: Channels of the coarse map.
        skip_channels: Channels of the skip connection, 0 for none.
        channels: Output channels.
    """

    def __init__(self, in_channels: int, skip_channels: int, channels: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            ConvNormAct(in_channels + skip_channels, channels, 3),
            ConvNormAct(channels, channels, 3),
        )

    def forward(self, x: Tensor, size: Sequence[int], skip: Tensor | None) -> Tensor:
        """``(B, C_in, h, w)`` -> ``(B, C, H, W)`` with ``size = (H, W)``."""
        x = upsample(x, size)
        return self.convs(x if skip is None else torch.cat([x, skip], dim=1))


class SmallTargetDecoder(nn.Module):
    """Decodes an encoder's four maps, and the image itself, to one logit a pixel.

    F4 and F3 pass through :class:`FeatureEnhancement`; F2 and F1 are skip connections;
    two more steps restore full resolution, where a light stem on the image itself
    supplies the detail that maps of stride 4 have lost. Our own design after the
    outline of the IRSTD transformer (Liu et al., TIP 2023), of which no more is public.

    Args:
        in_channels: Channels of F1, F2, F3, F4 and, for the stem, of the image.
        channels: Width at full resolution; 2, 4 and 8 times that at stride 2, at stride
            4 and from stride 8 on.
        num_heads: Attention heads of the enhancement.
        top_hat_radius: Feed the stem :func:`top_hat` of the image with this radius as
            an additional channel; ``None`` does not.
        side_outputs: Whether to add side outputs at strides 8, 4 and 2.

    Raises:
        DuGIError: If the number of inputs is not 4 or 5, or ``top_hat_radius`` has no
            stem to feed.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int = 16,
        num_heads: int = 4,
        top_hat_radius: int | None = None,
        side_outputs: bool = False,
    ) -> None:
        super().__init__()
        if len(in_channels) not in (4, 5):
            raise DuGIError(
                f'in_channels={list(in_channels)} of the small-target decoder: give '
                'the channels of F1, F2, F3, F4 and, for the stem, of the image'
            )
        if top_hat_radius is not None:
            check_range('top_hat_radius', top_hat_radius, 1, 100)
            if len(in_channels) == 4:
                raise DuGIError(
                    f'top_hat_radius={top_hat_radius} without a stem: add the channels '
                    'of the image as fifth entry of in_channels, or leave it out'
                )
        self.top_hat_radius = top_hat_radius
        c1, c2, c4, c8 = (channels * k for k in (1, 2, 4, 8))
        f1, f2, f3, f4, *image = in_channels
        self.enhance4 = FeatureEnhancement(f4, c8, num_heads)
        self.enhance3 = FeatureEnhancement(f3, c8, num_heads)
        self.lateral2 = ConvNormAct(f2, c4, 1)
        self.lateral1 = ConvNormAct(f1, c4, 1)
        if image:
            seen = image[0] + (top_hat_radius is not None)
            convs = ConvNormAct(seen, c1, 3), ConvNormAct(c1, c2, 3, stride=2)
            self.stem = nn.ModuleList(convs)
        self.up16 = UpBlock(c8, c8, c8)
        self.up8 = UpBlock(c8, c4, c8)
        self.up4 = UpBlock(c8, c4, c4)
        self.up2 = UpBlock(c4, c2 if image else 0, c2)
        self.up1 = UpBlock(c2, c1 if image else 0, c1)
        sides = (c8, c4, c2) if side_outputs else ()
        self.side_seg = nn.ModuleList(nn.Conv2d(c, 1, 1) for c in sides)
        self.conv_seg = nn.Conv2d(c1, 1, 1)
        # Every pixel starts at a probability of 0.01, as targets are rare.
        for conv in (self.conv_seg, *self.side_seg):
            nn.init.normal_(conv.weight, std=0.01)
            nn.init.constant_(conv.bias, -4.6)

    def decode(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Compute the decoder's maps at strides 8, 4, 2 and 1.

        Args:
            features: F1, F2, F3, F4 and, with a stem, the image ``(B, C, H, W)``.
        """
        f1, f2, f3, f4, *image = features
        if image:
            pixels = image[0]
            size1 = pixels.shape[-2:]
            if self.top_hat_radius is not None:
                pixels = torch.cat([pixels, top_hat(pixels, self.top_hat_radius)], 1)
            skip1 = self.stem[0](pixels)
            skip2 = self.stem[1](skip1)
            size2 = skip2.shape[-2:]
        else:
            skip1 = skip2 = None
            size2, size1 = ([n * k for n in f1.shape[-2:]] for k in (2, 4))
        x = self.enhance4(f4)
        x = self.up16(x, f3.shape[-2:], self.enhance3(f3))
        x8 = self.up8(x, f2.shape[-2:], self.lateral2(f2))
        x4 = self.up4(x8, f1.shape[-2:], self.lateral1(f1))
        x2 = self.up2(x4, size2, skip2)
        return [x8, x4, x2, self.up1(x2, size1, skip1)]

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Compute the logits.

        Args:
            features: F1, F2, F3, F4 and, with a stem, the image ``(B, C, H, W)``.

        Returns:
            ``(B, 1, H, W)``; without a stem H and W are 4 times those of F1.
        """
        return self.conv_seg(self.decode(features)[-1])
