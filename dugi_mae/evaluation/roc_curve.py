"""The ROC curve of a set of score maps, from a histogram that does not grow."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy import ndarray
from scipy import special

from dugi_mae.errors import DuGIError

#: Steps of the score in the ROC curve; closer scores are ties. They are even in the
#: logit, within this range on both sides of 0: a trained network gives nearly all of
#: the background less than 0.001, where even steps of probability see ties alone.
SCORE_BINS, LOGIT_RANGE = 1024, 16.0


def score_histogram(score: ndarray, label: ndarray, valid: ndarray) -> ndarray:
    """Count the pixels of an image by truth and score.

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
    # Written so that nan fails, too.
    if not ((score >= 0) & (score <= 1)).all():
        raise DuGIError(
            'score has values outside 0..1: give probabilities, such as the sigmoid of '
            'logits'
        )
    logits = np.clip(special.logit(score), -LOGIT_RANGE, LOGIT_RANGE)
    bins = ((logits / LOGIT_RANGE + 1) / 2 * SCORE_BINS).astype(np.int64)
    bins = np.minimum(bins, SCORE_BINS - 1)
    flat = bins + SCORE_BINS * label[valid]
    counts = np.bincount(flat, minlength=2 * SCORE_BINS)
    return counts.reshape(2, SCORE_BINS).astype(np.int32)


class RocCurve(NamedTuple):
    """Pixel-level ROC curve of a set, from the strictest threshold to the laxest.

    Attributes:
        thresholds: ``(SCORE_BINS + 1,)``; pixels of at least this score are targets. At
            the first there are none.
        tpr: Share of the target pixels, ``nan`` where there are none.
        fpr: Share of the other pixels, likewise.
    """

    thresholds: ndarray
    tpr: ndarray
    fpr: ndarray

    @classmethod
    def from_histogram(cls, histogram: ndarray) -> RocCurve:
        """The curve of what :func:`score_histogram` counted, summed over a set."""
        # Strictest first: how many pixels score at least each bin's lower edge.
        counts = histogram[:, ::-1].cumsum(axis=1)
        fpr, tpr = (
            np.append(0, row) / (row[-1] if row[-1] else math.nan) for row in counts
        )
        logits = np.linspace(LOGIT_RANGE, -LOGIT_RANGE, SCORE_BINS + 1)
        thresholds = special.expit(logits)
        thresholds[-1] = 0
        return cls(thresholds, tpr, fpr)

    @property
    def auc(self) -> float:
        """Area under the curve; tied scores count half."""
        return float((self.tpr[1:] + self.tpr[:-1]) @ np.diff(self.fpr) / 2)
