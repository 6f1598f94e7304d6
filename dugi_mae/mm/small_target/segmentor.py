"""A segmentor whose heads see the image beside the features."""

from __future__ import annotations

from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from torch import Tensor, nn

from dugi_mae.errors import DuGIError
from dugi_mae.models.backbones import ConvViT
from dugi_mae.models.small_target import reflect_pad


@MODELS.register_module()
class SmallTargetSegmentor(EncoderDecoder):
    """mmseg's ``EncoderDecoder`` with the image as an additional, last feature.

    Without a backbone the image is all that the head sees. Test images of any size are
    continued as in a mirror to a multiple of 32.

    Args:
        decode_head: Config of the head, an ``IRSTDHead`` where there is a backbone. It
            gets the channels of our encoder.
        backbone: Config of the encoder, or ``None``.
        **kwargs: As in mmseg's ``EncoderDecoder``.

    Raises:
        DuGIError: If the head expects features of other widths.
    """

    def __init__(
        self, decode_head: dict, backbone: dict | None = None, **kwargs
    ) -> None:
        backbone = backbone or dict(type='torch.nn.Identity')
        super().__init__(backbone=backbone, decode_head=decode_head, **kwargs)

    def _init_decode_head(self, decode_head: dict) -> None:
        """Build the decode head for the features of the encoder."""
        if isinstance(self.backbone, ConvViT) and not self.with_neck:
            known = dict(
                in_channels=list(self.backbone.out_channels),
                image_channels=self.backbone.in_channels,
            )
            for key, value in known.items():
                if decode_head.get(key, value) != value:
                    raise DuGIError(
                        f'model.decode_head.{key}={decode_head[key]}, but the encoder '
                        f'has {value}: leave it out'
                    )
            decode_head = known | decode_head
        super()._init_decode_head(decode_head)

    def extract_feat(self, inputs: Tensor) -> list[Tensor]:
        """Extract the features of the backbone (and neck), then append the image.

        Args:
            inputs: Normalised images ``(B, C, H, W)``.
        """
        if isinstance(self.backbone, nn.Identity):
            return [inputs]
        return [*super().extract_feat(inputs), inputs]

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Compute the logits of images of any size, ``(B, K, H, W)``."""
        height, width = inputs.shape[-2:]
        inputs = reflect_pad(inputs)
        metas = [{**meta, 'img_shape': inputs.shape[-2:]} for meta in batch_img_metas]
        return super().encode_decode(inputs, metas)[..., :height, :width]
