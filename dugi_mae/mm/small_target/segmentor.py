"""A segmentor whose heads see the image beside the features."""

from __future__ import annotations

from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from torch import Tensor

from dugi_mae.errors import DuGIError
from dugi_mae.models.backbones import ConvViT


@MODELS.register_module()
class SmallTargetSegmentor(EncoderDecoder):
    """mmseg's ``EncoderDecoder`` with the image as an additional, last feature.

    Heads select it with ``in_index=-1``; the indices of all other features stay, so any
    mmseg backbone and head works here as it does in ``EncoderDecoder``.

    A decode head without ``in_channels`` gets those of our encoder and of the image.

    Raises:
        DuGIError: If the decode head expects features of other widths.
    """

    def _init_decode_head(self, decode_head: dict) -> None:
        """Build the decode head for the features of the encoder and the image."""
        index = decode_head.get('in_index')
        if isinstance(self.backbone, ConvViT) and index is not None:
            if not self.with_neck:
                given = decode_head.get('in_channels')
                given = list(given) if isinstance(given, tuple) else given
                found = self._channels(index)
                if given is not None and given != found:
                    raise DuGIError(
                        f'model.decode_head.in_channels={given}, but the encoder and '
                        f'the image have {found} channels at in_index={index}: leave '
                        'model.decode_head.in_channels out'
                    )
                decode_head = {**decode_head, 'in_channels': found}
        super()._init_decode_head(decode_head)

    def _channels(self, index: int | list[int]) -> int | list[int]:
        """Channels of the features at an index or several."""
        if isinstance(index, (list, tuple)):
            return [self._channels(i) for i in index]
        channels = [*self.backbone.out_channels, self.backbone.in_channels]
        if not -len(channels) <= index < len(channels):
            raise DuGIError(
                f'model.decode_head.in_index={index}: there are {len(channels)} '
                'features, the image is the last one; choose from 0 to '
                f'{len(channels) - 1}, or -1 for the image'
            )
        return channels[index]

    def extract_feat(self, inputs: Tensor) -> list[Tensor]:
        """Extract the features of the backbone (and neck), then append the image.

        Args:
            inputs: Normalised images ``(B, C, H, W)``.
        """
        return [*super().extract_feat(inputs), inputs]
