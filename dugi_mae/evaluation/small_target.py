"""Scores of small-target masks as the field computes them: IoU, nIoU, Pd, Fa, AUC."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from dugi_mae.errors import DuGIError, check_choice
from dugi_mae.evaluation.roc_curve import SCORE_BINS, RocCurve, score_histogram
from dugi_mae.evaluation.target_matching import match_targets

#: How false alarms are separated from hits, see :func:`count_image`.
FA_MATCHES = ('component', 'area')
#: IoU of an image without target and response, see :class:`SmallTargetTotals`.
EMPTY_IOUS = dict(skip=None, one=1.0, zero=0.0)


@dataclass(frozen=True)
class ImageCounts:
    """Counts of one image, from which the scores of a set are computed.

    Attributes:
        intersection: Pixels predicted and true.
        predicted: Pixels predicted.
        labelled: Pixels of true targets.
        pixels: Pixels that count.
        targets: Number of true targets.
        hits: Number of detected targets.
        false_pixels: Pixels of false alarms.
        histogram: ``(2, SCORE_BINS)`` pixels by label and score; zeros without scores.
    """

    intersection: int
    predicted: int
    labelled: int
    pixels: int
    targets: int
    hits: int
    false_pixels: int
    histogram: ndarray


def _as_mask(name: str, array: ndarray) -> ndarray:
    """A mask as ``(H, W)`` boolean; of integers all but 0 are target."""
    array = np.asarray(array)
    if array.ndim != 2 or not (array.dtype == bool or array.dtype.kind in 'iu'):
        raise DuGIError(
            f'{name} is {array.dtype} of shape {array.shape}: give a boolean (H, W) '
            'array, such as probability > 0.5'
        )
    return array != 0


def count_image(
    prediction: ndarray,
    label: ndarray,
    score: ndarray | None = None,
    valid: ndarray | None = None,
    distance: float = 3.0,
    fa_match: str = 'component',
) -> ImageCounts:
    """Count an image for the scores of a set.

    Args:
        prediction: ``(H, W)`` boolean.
        label: ``(H, W)`` boolean.
        score: ``(H, W)`` probabilities, for the ROC curve.
        valid: ``(H, W)`` boolean, the pixels that count; all by default.
        distance: See :func:`match_targets`.
        fa_match: ``'component'``: false alarms are the components without a match.
            ``'area'``: and whose area differs from that of all with a match, as in the
            evaluation codes of DNANet and MSHNet, which underestimate Fa.

    Raises:
        DuGIError: If sizes differ, a mask is not binary or a score not in 0..1.
    """
    check_choice('fa_match', fa_match, FA_MATCHES)
    prediction, label = _as_mask('prediction', prediction), _as_mask('label', label)
    valid = np.ones_like(label) if valid is None else _as_mask('valid', valid)
    others = {'prediction': prediction, 'valid': valid, 'score': score}
    for name, array in others.items():
        if array is not None and np.shape(array) != label.shape:
            raise DuGIError(
                f'{name} has the shape {np.shape(array)}, label {label.shape}: '
                'evaluate both at the resolution of the image'
            )
    prediction, label = prediction & valid, label & valid
    match = match_targets(prediction, label, distance)
    areas = match.predicted.areas
    false = areas[match.false_alarms - 1]
    if fa_match == 'area':
        false = false[~np.isin(false, areas[match.labels[match.hits - 1] - 1])]
    return ImageCounts(
        intersection=int((prediction & label).sum()),
        predicted=int(prediction.sum()),
        labelled=int(label.sum()),
        pixels=int(valid.sum()),
        targets=len(match.labels),
        hits=len(match.hits),
        false_pixels=int(false.sum()),
        histogram=np.zeros((2, SCORE_BINS), np.int32)
        if score is None
        else score_histogram(score, label, valid),
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


class SmallTargetTotals:
    """Scores of a set from sums over its images, in constant memory.

    Args:
        empty: How an image with neither target nor response counts for nIoU: ``'skip'``
            leaves it out, ``'one'`` is a perfect image, ``'zero'`` is as in ACM's code.
    """

    def __init__(self, empty: str = 'skip') -> None:
        check_choice('empty', empty, EMPTY_IOUS)
        self.empty_iou = EMPTY_IOUS[empty]
        self.sums = dict.fromkeys(ImageCounts.__dataclass_fields__, 0)
        self.sums['histogram'] = np.zeros((2, SCORE_BINS), np.int64)
        self.iou_sum, self.iou_images = 0.0, 0

    def add(self, counts: ImageCounts) -> None:
        """Add an image."""
        for name in self.sums:
            self.sums[name] = self.sums[name] + getattr(counts, name)
        union = counts.predicted + counts.labelled - counts.intersection
        iou = counts.intersection / union if union else self.empty_iou
        if iou is not None:
            self.iou_sum += iou
            self.iou_images += 1

    def roc(self) -> RocCurve:
        """The ROC curve of all pixels; it needs scores."""
        return RocCurve.from_histogram(self.sums['histogram'])

    def scores(self) -> dict[str, float]:
        """The scores of the set, as in :func:`small_target_scores`.

        Raises:
            DuGIError: If no image was added.
        """
        sums = self.sums
        if not sums['pixels']:
            raise DuGIError('there is no pixel to evaluate: give at least one image')
        hit, predicted, labelled = (
            sums[key] for key in ('intersection', 'predicted', 'labelled')
        )
        scores = dict(
            IoU=_ratio(hit, predicted + labelled - hit),
            nIoU=_ratio(self.iou_sum, self.iou_images),
            Pd=_ratio(sums['hits'], sums['targets']),
            Fa=_ratio(sums['false_pixels'], sums['pixels']),
            F1=_ratio(2 * hit, predicted + labelled),
            Precision=_ratio(hit, predicted),
            Recall=_ratio(hit, labelled),
        )
        if sums['histogram'].any():
            scores['AUC'] = self.roc().auc
        return scores


def small_target_scores(
    predictions: Sequence[ndarray],
    labels: Sequence[ndarray],
    scores: Sequence[ndarray] | None = None,
    distance: float = 3.0,
    empty: str = 'skip',
    fa_match: str = 'component',
) -> dict[str, float]:
    """Evaluate a set of small-target masks.

    Args:
        predictions: ``(H, W)`` boolean arrays; sizes may differ between images.
        labels: ``(H, W)`` boolean arrays.
        scores: ``(H, W)`` probabilities, for AUC.
        distance: Pixels between centroids from which on a target is a miss.
        empty: See :class:`SmallTargetTotals`.
        fa_match: See :func:`count_image`.

    Returns:
        Fractions, ``nan`` where the denominator is 0. ``IoU``: intersection over union
        of the target class, both summed over the set (papers of the field call it
        "mIoU"). ``nIoU``: mean of the images' IoU. ``Pd``: detected targets over all
        targets. ``Fa``: pixels of false alarms over all pixels. ``F1``,
        ``Precision``, ``Recall``: of pixels. ``AUC``: area under the ROC curve of
        pixels, only with ``scores``.

    Raises:
        DuGIError: If the lists are empty or differ in length, and as in
            :func:`count_image`.
    """
    columns = [predictions, labels] + ([] if scores is None else [scores])
    if len({len(column) for column in columns}) > 1:
        raise DuGIError(
            f'{len(predictions)} predictions, {len(labels)} labels'
            + ('' if scores is None else f', {len(scores)} scores')
            + ': give one of each per image'
        )
    totals = SmallTargetTotals(empty)
    for columns_of_image in zip(*columns, strict=True):
        totals.add(count_image(*columns_of_image, distance=distance, fa_match=fa_match))
    return totals.scores()


def in_field_units(scores: Mapping[str, float]) -> dict[str, float]:
    """Scores as papers print them: Fa in 1e-6, the others in percent."""
    return {key: value * (1e6 if key == 'Fa' else 100) for key, value in scores.items()}


def score_table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """A Markdown table of scores in the units of the field.

    Args:
        rows: By the name of the row, scores in the units of the field.
    """
    names = list(next(iter(rows.values())))
    heads = ['', *(name + (' (1e-6)' if name == 'Fa' else ' (%)') for name in names)]
    lines = [heads, ['---'] * len(heads)]
    lines += [[row, *(f'{s[n]:.2f}' for n in names)] for row, s in rows.items()]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)
