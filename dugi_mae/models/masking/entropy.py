"""Entropy-based masking: the paper's deterministic choice of tokens."""

from __future__ import annotations

from torch import Tensor

from dugi_mae.errors import DuGIError, check_choice, check_range
from dugi_mae.ops import (
    TokenMask,
    keep_by_score,
    patch_grid,
    softmax_entropy,
    token_entropy,
)

from .base import EmbeddingMasking

ESTIMATORS = ('histogram', 'softmax')


class EntropyMasking(EmbeddingMasking):
    """Keep the tokens of highest entropy (paper, Eq. 1 and 2). Deterministic.

    Args:
        mask_ratio: Share of the tokens to mask.
        estimator: ``'histogram'``: Shannon entropy in bits of each token's intensity
            histogram (the paper's). ``'softmax'``: entropy of a softmax over the
            channels of a frozen patch embedding (the released code's).
        keep: ``'highest'`` entropy tokens (the paper's) or the ``'lowest'`` (the
            released code's).
        keep_order: Order of ``ids_keep``: ``'raster'``, or ``'score'`` for that of the
            sort (the released code's).
        patch_size: Side of a token in pixels.
        num_bins: Intensity levels J of the histogram.
        value_range: ``(lo, hi)`` of the histogram in the units of the model's input;
            ``None`` takes each image's own minimum and maximum.
        embed_dims: Channels of the embedding of ``'softmax'``.
        in_channels: Channels of the image, for the embedding.
    """

    def __init__(
        self,
        mask_ratio: float = 0.75,
        estimator: str = 'histogram',
        keep: str = 'highest',
        keep_order: str = 'raster',
        patch_size: int = 16,
        num_bins: int = 256,
        value_range: tuple[float, float] | None = None,
        embed_dims: int = 768,
        in_channels: int = 3,
    ) -> None:
        check_choice('estimator', estimator, ESTIMATORS)
        check_choice('keep', keep, ('highest', 'lowest'))
        check_choice('keep_order', keep_order, ('raster', 'score'))
        check_range('num_bins', num_bins, 2, 2**16)
        if value_range is not None and not value_range[0] < value_range[1]:
            raise DuGIError(
                f'value_range={tuple(value_range)}: give (low, high), such as (-3, 3)'
            )
        width = embed_dims if estimator == 'softmax' else None
        super().__init__(mask_ratio, patch_size, width, in_channels)
        self.estimator = estimator
        self.keep = keep
        self.keep_order = keep_order
        self.num_bins = num_bins
        self.value_range = value_range

    def score(self, images: Tensor) -> Tensor:
        """Entropy of every token, ``(B, C, H, W)`` -> ``(B, L)``."""
        if self.estimator == 'softmax':
            patch_grid(images, self.patch_size)
            return softmax_entropy(self.embed(images))
        return token_entropy(images, self.patch_size, self.num_bins, self.value_range)

    def choose(self, images: Tensor) -> TokenMask:
        """Choose the visible tokens of ``(B, C, H, W)`` images."""
        return keep_by_score(
            self.score(images), self.mask_ratio, self.keep, self.keep_order
        )
