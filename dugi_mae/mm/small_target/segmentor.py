"""A segmentor whose heads see the image beside the features."""

from __future__ import annotations

from collections.abc import Sequence

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
        if 'in_index' in decode_head and isinstance(self.backbone, ConvViT):
            if not self.with_neck:
                in_channels = self._in_channels(**decode_head)
                decode_head = {**decode_head, 'in_channels': in_channels}
        super()._init_decode_head(decode_head)

    def _in_channels(
        self,
        in_index: int | Sequence[int],
        in_channels: int | Sequence[int] | None = None,
        **kwargs,
    ) -> int | list[int]:
        """Channels of the features at ``in_index``, compared with those given."""
        widths = [*self.backbone.out_channels, self.backbone.in_channels]
        many = not isinstance(in_index, int)
        try:
            found = [widths[i] for i in in_index] if many else widths[in_index]
        except IndexError:
            raise DuGIError(
                f'model.decode_head.in_index={in_index}: there are {len(widths)} '
                f'features, the image is the last one; choose from 0 to '
                f'{len(widths) - 1}, or -1 for the image'
            ) from None
        given = list(in_channels) if many and in_channels else in_channels
        if given not in (None, found):
            raise DuGIError(
                f'model.decode_head.in_channels={given} does not match in_index='
                f'{in_index}: the encoder and the image have {found} channels; leave '
                'in_channels out'
            )
        return found

    def extract_feat(self, inputs: Tensor) -> list[Tensor]:
        """Extract the features of the backbone (and neck), then append the image.

        Args:
            inputs: Normalised images ``(B, C, H, W)``.
        """
        return [*super().extract_feat(inputs), inputs]
