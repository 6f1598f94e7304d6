"""The ROC curve of a set of score maps, from a histogram of fixed size."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from dugi_mae.errors import DuGIError

#: Bins of the score in the ROC curve; scores in one bin are ties. They are equally wide
#: in the logit, within this range on both sides of 0: a trained network gives nearly
#: all of the background less than 0.001, which is one bin of equal probabilities.
SCORE_BINS, LOGIT_RANGE = 1024, 16.0


def score_histogram(score: ndarray, label: ndarray, valid: ndarray) -> ndarray:
    """Count the pixels of an image by label and score.

    Args:
        score: ``(H, W)`` in 0..1.
        label: ``(H, W)`` boolean.
        valid: ``(H, W)`` boolean, the pixels that count.

    Returns:
        ``(2, SCORE_BINS)`` int32.

    Raises:
        DuGIError: If a score is not in 0..1.
    """
    score = np.asarray(score, dtype=np.float64)[valid]
    # This way round nan fails, too.
    if not ((score >= 0) & (score <= 1)).all():
        raise DuGIError(
            'score has values outside 0..1: give probabilities, such as the sigmoid of '
            'logits'
        )
    with np.errstate(divide='ignore'):
        logits = np.clip(np.log(score / (1 - score)), -LOGIT_RANGE, LOGIT_RANGE)
    bins = ((logits / LOGIT_RANGE + 1) / 2 * SCORE_BINS).astype(np.int64)
    bins = np.minimum(bins, SCORE_BINS - 1)
    flat = bins + SCORE_BINS * label[valid]
    counts = np.bincount(flat, minlength=2 * SCORE_BINS)
    return counts.reshape(2, SCORE_BINS).astype(np.int32)


class RocCurve(NamedTuple):
    """Pixel-level ROC curve of a set, from the highest threshold to the lowest.

    Attributes:
        thresholds: ``(SCORE_BINS + 1,)``; pixels of at least this score are targets;
            no pixel reaches the first.
        tpr: True-positive rate of pixels, ``nan`` without target pixels.
        fpr: False-positive rate of pixels, ``nan`` without background.
    """

    thresholds: ndarray
    tpr: ndarray
    fpr: ndarray

    @classmethod
    def from_histogram(cls, histogram: ndarray) -> RocCurve:
        """Build the curve from :func:`score_histogram`, summed over a set."""
        # Highest first: how many pixels score at least each bin's lower edge.
        counts = histogram[:, ::-1].cumsum(axis=1)
        fpr, tpr = (
            np.append(0, row) / (row[-1] if row[-1] else math.nan) for row in counts
        )
        logits = np.linspace(LOGIT_RANGE, -LOGIT_RANGE, SCORE_BINS + 1)
        thresholds = 1 / (1 + np.exp(-logits))
        thresholds[-1] = 0
        return cls(thresholds, tpr, fpr)

    @property
    def auc(self) -> float:
        """Area under the curve; tied scores count half."""
        return float((self.tpr[1:] + self.tpr[:-1]) @ np.diff(self.fpr) / 2)
