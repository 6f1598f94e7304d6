"""Head for infrared small-target detection (IRSTD): a mask at full resolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional as F

from dugi_mae.errors import DuGIError, check_range
from dugi_mae.models.small_target.enhancement import FeatureEnhancement, top_hat
from dugi_mae.models.layers.sizes import SIZES, check_sizes
from dugi_mae.utils.arguments import check_arguments

#: Every logit starts at a probability of 0.01, as targets are rare.
START_SILENT = dict(
    type='Normal',
    std=0.01,
    bias=-4.6,
    override=[dict(name='conv_seg'), dict(name='side_seg')],
)


def upsample(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear resize of ``(B, C, H, W)`` to ``size``."""
    return F.interpolate(x, tuple(size), mode='bilinear', align_corners=False)


class UpBlock(nn.Module):
    """Resize to a skip's size, join with it, and convolve twice.

    Args:
        in_channels: Channels of the coarse map.
        skip_channels: Channels of the skip, 0 if there is none.
        channels: Channels that leave.
        **conv: Settings of the convolutions, as in mmcv's ``ConvModule``.
    """

    def __init__(
        self, in_channels: int, skip_channels: int, channels: int, **conv
    ) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            ConvModule(in_channels + skip_channels, channels, 3, padding=1, **conv),
            ConvModule(channels, channels, 3, padding=1, **conv),
        )

    def forward(self, x: Tensor, size: Sequence[int], skip: Tensor | None) -> Tensor:
        """``(B, C_in, h, w)`` -> ``(B, C, H, W)`` with ``size = (H, W)``."""
        x = upsample(x, size)
        return self.convs(x if skip is None else torch.cat([x, skip], dim=1))


@MODELS.register_module()
class IRSTDHead(BaseDecodeHead):
    """U-Net-like decoder for targets of a few pixels, with one logit a pixel.

    F4 and F3 go through :class:`FeatureEnhancement`; F2 and F1 join as they are; two
    more steps restore full resolution, where a light stem on the image itself gives
    back the detail that a map of stride 4 has lost. Our own design after the outline
    of the IRSTD transformer (Liu et al., TIP 2023), of which no more is public.

    Args:
        in_channels: Channels of F1, F2, F3, F4 and, for the stem, of the image.
        in_index: Which of the segmentor's features they are. The image is the last
            one that :class:`SmallTargetSegmentor` hands over; with four entries there
            is no stem and any segmentor will do.
        channels: Width at full resolution; twice, 4 times and 8 times that at strides
            2, 4 and from 8 on.
        num_heads: Attention heads of the enhancement.
        top_hat_radius: Half the side, in pixels, of the square in which bright spots
            are looked for, :func:`top_hat`; the stem gets the result as one channel
            more. ``None`` leaves it out.
        deep_supervision: Weight of the mean loss of side outputs at strides 8, 4 and
            2; 0 leaves them out.
        init_cfg: ``None`` starts every pixel at a probability of 0.01.
        **kwargs: As in mmseg's ``BaseDecodeHead``. ``num_classes``, ``out_channels``
            and ``threshold`` default to 2, 1 and 0.5.

    Raises:
        DuGIError: If the number of inputs is not 4 or 5, the model is not binary, or
            ``top_hat_radius`` has no stem to go to.
    """

    @check_arguments(others_of=BaseDecodeHead)
    def __init__(
        self,
        in_channels: Sequence[int],
        in_index: Sequence[int] = (0, 1, 2, 3, -1),
        channels: int = 16,
        num_heads: int = 4,
        top_hat_radius: int | None = None,
        deep_supervision: float = 0.0,
        init_cfg: dict | None = None,
        **kwargs,
    ) -> None:
        if len(in_channels) not in (4, 5):
            raise DuGIError(
                f'IRSTDHead got in_channels={list(in_channels)}: give the channels of '
                'F1, F2, F3, F4 and, for the full-resolution stem, of the image'
            )
        if len(in_index) < len(in_channels):
            raise DuGIError(
                f'IRSTDHead got in_index={list(in_index)} for {len(in_channels)} '
                'in_channels: give one index each, -1 for the image'
            )
        check_sizes(channels=channels)
        for number in in_channels:
            check_range('in_channels', number, *SIZES['channels'])
        check_range('deep_supervision', deep_supervision, 0, 1000)
        if top_hat_radius is not None:
            check_range('top_hat_radius', top_hat_radius, 1, 100)
            if len(in_channels) == 4:
                raise DuGIError(
                    f'top_hat_radius={top_hat_radius} without a stem: add the channels '
                    'of the image as fifth entry of in_channels, or leave it out'
                )
        for key, default in (('num_classes', 2), ('out_channels', 1)):
            if kwargs.setdefault(key, default) != default:
                raise DuGIError(
                    f'IRSTDHead got {key}={kwargs[key]}: it gives one logit for target '
                    f'against background, leave {key} out'
                )
        kwargs.setdefault('threshold', 0.5)
        kwargs.setdefault('dropout_ratio', 0.0)
        kwargs.setdefault('norm_cfg', dict(type='BN', requires_grad=True))
        super().__init__(
            in_channels=list(in_channels),
            in_index=list(in_index)[: len(in_channels)],
            channels=channels,
            input_transform='multiple_select',
            init_cfg=init_cfg or START_SILENT,
            **kwargs,
        )
        self.deep_supervision = deep_supervision
        self.top_hat_radius = top_hat_radius
        conv = {key: getattr(self, key) for key in ('conv_cfg', 'norm_cfg', 'act_cfg')}
        c1, c2, c4, c8 = (channels * k for k in (1, 2, 4, 8))
        f1, f2, f3, f4 = in_channels[:4]
        self.enhance4 = FeatureEnhancement(f4, c8, num_heads, **conv)
        self.enhance3 = FeatureEnhancement(f3, c8, num_heads, **conv)
        self.lateral2 = ConvModule(f2, c4, 1, **conv)
        self.lateral1 = ConvModule(f1, c4, 1, **conv)
        self.stem = None
        if len(in_channels) == 5:
            seen = in_channels[4] + (top_hat_radius is not None)
            self.stem = nn.ModuleList(
                [
                    ConvModule(seen, c1, 3, padding=1, **conv),
                    ConvModule(c1, c2, 3, stride=2, padding=1, **conv),
                ]
            )
        has_stem = self.stem is not None
        self.up16 = UpBlock(c8, c8, c8, **conv)
        self.up8 = UpBlock(c8, c4, c8, **conv)
        self.up4 = UpBlock(c8, c4, c4, **conv)
        self.up2 = UpBlock(c4, c2 if has_stem else 0, c2, **conv)
        self.up1 = UpBlock(c2, c1 if has_stem else 0, c1, **conv)
        self.side_seg = nn.ModuleList(
            nn.Conv2d(c, 1, 1) for c in (c8, c4, c2) if deep_supervision
        )

    def decode(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Maps of the decoder at strides 8, 4, 2 and 1, from the features."""
        f1, f2, f3, f4, *image = self._transform_inputs(inputs)
        if image:
            seen = image[0]
            size1 = seen.shape[-2:]
            if self.top_hat_radius is not None:
                seen = torch.cat([seen, top_hat(seen, self.top_hat_radius)], dim=1)
            skip1 = self.stem[0](seen)
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

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Logits at the size of the input.

        Args:
            inputs: The segmentor's features; those of ``in_index`` are used.

        Returns:
            ``(B, 1, H, W)``; without a stem H and W are 4 times those of F1.
        """
        return self.cls_seg(self.decode(inputs)[-1])

    def loss(self, inputs: Sequence[Tensor], batch_data_samples, train_cfg) -> dict:
        """Loss of the output and, with deep supervision, of the side outputs."""
        *sides, last = self.decode(inputs)
        losses = self.loss_by_feat(self.cls_seg(last), batch_data_samples)
        for stride, conv, x in zip((8, 4, 2), self.side_seg, sides, strict=False):
            side = self.loss_by_feat(conv(x), batch_data_samples)
            weight = self.deep_supervision / len(self.side_seg)
            losses |= {
                f'stride{stride}.{key}': weight * value
                for key, value in side.items()
                if 'loss' in key
            }
        return losses
