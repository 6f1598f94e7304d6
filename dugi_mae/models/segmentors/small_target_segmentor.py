"""A segmentor whose heads see the image beside the features."""

from __future__ import annotations

from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class SmallTargetSegmentor(EncoderDecoder):
    """mmseg's ``EncoderDecoder`` that hands its heads the image as last feature.

    Heads reach it with ``in_index=-1``; the index of every other feature stays, so any
    mmseg backbone and head works here as it does in ``EncoderDecoder``.
    """

    def extract_feat(self, inputs: Tensor) -> list[Tensor]:
        """Features of the backbone (and neck), then the image.

        Args:
            inputs: Normalised images ``(B, C, H, W)``.
        """
        return [*super().extract_feat(inputs), inputs]
