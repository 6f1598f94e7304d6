"""The small-target decoder as a decode head of mmseg."""

from __future__ import annotations

from collections.abc import Sequence

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor

from dugi_mae.errors import DuGIError, check_range
from dugi_mae.models.small_target import SmallTargetDecoder

#: Arguments of mmseg's head that the decoder fixes, and other defaults than mmseg's.
FIXED = dict(
    num_classes=2,
    out_channels=1,
    conv_cfg=None,
    norm_cfg=dict(type='BN', requires_grad=True),
    act_cfg=dict(type='ReLU'),
)
DEFAULTS = dict(threshold=0.5, dropout_ratio=0.0, init_cfg=None)


@MODELS.register_module()
class IRSTDHead(BaseDecodeHead):
    """:class:`~dugi_mae.models.small_target.SmallTargetDecoder` for mmseg.

    Args:
        in_channels: Channels of F1, F2, F3, F4 and, for the stem, of the image.
        in_index: Their indices among the segmentor's features. The image is the last
            feature of :class:`SmallTargetSegmentor`; with four entries there is no stem
            and any segmentor will do.
        channels: See the decoder.
        num_heads: See the decoder.
        top_hat_radius: See the decoder.
        deep_supervision: Weight of the mean loss of side outputs at strides 8, 4 and
            2; 0 leaves them out.
        **kwargs: As in mmseg's ``BaseDecodeHead``; ``init_cfg=None`` starts every pixel
            at a probability of 0.01.

    Raises:
        DuGIError: If the model is not binary, and as in the decoder.
    """

    decode = SmallTargetDecoder.decode

    def __init__(
        self,
        in_channels: Sequence[int],
        in_index: Sequence[int],
        channels: int = 16,
        num_heads: int = 4,
        top_hat_radius: int | None = None,
        deep_supervision: float = 0.0,
        **kwargs,
    ) -> None:
        check_range('deep_supervision', deep_supervision, 0, 1000)
        if len(in_index) != len(in_channels):
            raise DuGIError(
                f'IRSTDHead got in_index={list(in_index)} for in_channels='
                f'{list(in_channels)}: give one index each, -1 for the image'
            )
        for key, value in FIXED.items():
            if kwargs.get(key, value) != value:
                raise DuGIError(
                    f'IRSTDHead got {key}={kwargs[key]}: it predicts one logit, target '
                    f'against background, and fixes its layers; leave {key} out'
                )
        super().__init__(
            in_channels=list(in_channels),
            in_index=list(in_index),
            channels=channels,
            input_transform='multiple_select',
            **DEFAULTS | FIXED | kwargs,
        )
        self.deep_supervision = deep_supervision
        self.top_hat_radius = top_hat_radius
        decoder = SmallTargetDecoder(
            in_channels, channels, num_heads, top_hat_radius, deep_supervision > 0
        )
        # In the head itself: parameters have no prefix of the decoder's.
        for name, layer in decoder.named_children():
            self.add_module(name, layer)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Compute the logits at the size of the input.

        Args:
            inputs: The segmentor's features; those of ``in_index`` are used.

        Returns:
            ``(B, 1, H, W)``; without a stem H and W are 4 times those of F1.
        """
        return self.cls_seg(self.decode(self._transform_inputs(inputs))[-1])

    def loss(self, inputs: Sequence[Tensor], batch_data_samples, train_cfg) -> dict:
        """Compute the loss, with deep supervision also those of the side outputs."""
        *sides, last = self.decode(self._transform_inputs(inputs))
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
