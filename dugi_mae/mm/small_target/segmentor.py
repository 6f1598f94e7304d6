"""A segmentor whose heads see the image beside the features."""

from __future__ import annotations

from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from torch import Tensor

from dugi_mae.errors import DuGIError
from dugi_mae.models.backbones import ConvViT


@MODELS.register_module()
class SmallTargetSegmentor(EncoderDecoder):
    """mmseg's ``EncoderDecoder`` that hands its heads the image as last feature.

    Heads reach it with ``in_index=-1``; the index of every other feature stays, so any
    mmseg backbone and head works here as it does in ``EncoderDecoder``.

    Raises:
        DuGIError: If the decode head expects other features than our encoder gives.
    """

    def _init_decode_head(self, decode_head: dict) -> None:
        """Build the decode head, and compare what it expects with what there is."""
        super()._init_decode_head(decode_head)
        head = self.decode_head
        if self.with_neck or not isinstance(self.backbone, ConvViT):
            return
        given = (*self.backbone.out_channels, self.backbone.in_channels)
        indices, wanted = (
            value if isinstance(value, (list, tuple)) else [value]
            for value in (head.in_index, head.in_channels)
        )
        known = range(-len(given), len(given))
        if any(index not in known for index in indices):
            raise DuGIError(
                f'model.decode_head.in_index={indices}: there are {len(given)} '
                f'features, the image is the last one; choose from 0 to '
                f'{len(given) - 1}, or -1 for the image'
            )
        found = [given[index] for index in indices]
        # Maps that are concatenated have one number, their sum.
        if list(wanted) not in (found, [sum(found)]):
            raise DuGIError(
                f'model.decode_head.in_channels={list(wanted)} does not go with '
                f'in_index={list(indices)}: backbone.out_indices and the image give '
                f'features of {given} channels; set model.decode_head.in_channels='
                f'{found}'
            )

    def extract_feat(self, inputs: Tensor) -> list[Tensor]:
        """Features of the backbone (and neck), then the image.

        Args:
            inputs: Normalised images ``(B, C, H, W)``.
        """
        return [*super().extract_feat(inputs), inputs]
