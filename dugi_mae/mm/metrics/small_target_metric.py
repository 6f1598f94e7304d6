"""The small-target scores as a metric of mmengine."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from mmengine import fileio
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmengine.registry import METRICS
from torch import Tensor

from dugi_mae.errors import DuGIError, check_choice
from dugi_mae.evaluation.small_target import (
    EMPTY_IOUS,
    FA_MATCHES,
    ImageCounts,
    SmallTargetTotals,
    count_image,
    in_field_units,
    score_table,
)

#: What adds a missing key.
REMEDIES = dict(
    seg_logits='test a segmentor of mmseg with it',
    gt_sem_seg='put LoadTargetMask and PackSegInputs into the pipeline',
)


@METRICS.register_module()
class SmallTargetMetric(BaseMetric):
    """IoU, nIoU, Pd, Fa, F1, precision, recall and AUC of a set of small targets.

    The values are those of :func:`dugi_mae.evaluation.small_target_scores`, in percent,
    Fa in 1e-6. Each image is evaluated at the resolution of its ``seg_logits``, which
    mmseg resizes to that of the image. Registered in mmengine's root.

    Args:
        threshold: Probability above which a pixel is target, between 0 and 1; that of
            the head.
        distance: Pixels between centroids from which on a target is a miss, above 0.
        empty: How an image with neither target nor response counts for nIoU:
            ``'skip'``, ``'one'`` or ``'zero'``.
        fa_match: ``'component'``, or ``'area'`` as in DNANet's and MSHNet's codes.
        eval_size: Side in pixels of a square that probabilities (bilinear) and labels
            (nearest) are resized to before the evaluation. DNANet and MSHNet evaluate
            at 256, where 3 pixels and Fa differ from those in the image.
        ignore_index: Label of pixels that do not count.
        roc_file: JSON file to write the ROC curve to, overwritten by each evaluation.
        **kwargs: As in mmengine's ``BaseMetric``.

    Raises:
        DuGIError: If a value is unknown or out of range.
    """

    default_prefix = 'small_target'

    def __init__(
        self,
        threshold: float = 0.5,
        distance: float = 3.0,
        empty: str = 'skip',
        fa_match: str = 'component',
        eval_size: int | None = None,
        ignore_index: int = 255,
        roc_file: str | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_choice('fa_match', fa_match, FA_MATCHES)
        check_choice('empty', empty, EMPTY_IOUS)
        if not 0 < threshold < 1:
            raise DuGIError(f'threshold={threshold} must lie between 0 and 1')
        if not distance > 0:
            raise DuGIError(f'distance={distance}: give more than 0 pixels')
        if eval_size is not None and eval_size < 1:
            raise DuGIError(f'eval_size={eval_size}: give pixels, or None')
        self.threshold = threshold
        self.distance = distance
        self.empty = empty
        self.fa_match = fa_match
        self.eval_size = eval_size
        self.ignore_index = ignore_index
        self.roc_file = roc_file

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Reduce each image of a batch to its counts.

        Args:
            data_batch: Not used.
            data_samples: Samples of mmseg with ``seg_logits`` and ``gt_sem_seg``: one
                channel of probabilities, or two of logits.
        """
        # One result per image: distributed runs drop repeated images by their number.
        self.results.extend(self._count(sample) for sample in data_samples)

    def compute_metrics(self, results: list[ImageCounts]) -> dict[str, float]:
        """Compute the scores of the set in the units of the field, and log a table."""
        totals = SmallTargetTotals(self.empty)
        for counts in results:
            totals.add(counts)
        scores = in_field_units(totals.scores())
        print_log('\n' + score_table({'target': scores}), logger='current')
        if self.roc_file:
            curve = totals.roc()._asdict()
            fileio.dump({k: v.tolist() for k, v in curve.items()}, self.roc_file)
        return scores

    def _count(self, sample: dict) -> ImageCounts:
        name = sample.get('img_path', 'image')
        for key, remedy in REMEDIES.items():
            if key not in sample:
                raise DuGIError(f'{name} has no {key} to evaluate: {remedy}')
        logits = sample['seg_logits']['data'].float().cpu()
        if len(logits) > 2:
            raise DuGIError(
                f'{name}: seg_logits have {len(logits)} channels: a small-target head '
                'has one of probabilities or two of logits'
            )
        score = logits[0] if len(logits) == 1 else logits.softmax(dim=0)[1]
        label = sample['gt_sem_seg']['data'].squeeze(0).cpu()
        if label.shape != score.shape:
            sizes = ['{1}x{0}'.format(*x.shape) for x in (score, label)]
            raise DuGIError(
                f'{name}: seg_logits are {sizes[0]} pixels, gt_sem_seg {sizes[1]}: '
                'load the mask after Resize in the test pipeline'
            )
        if 'pred_sem_seg' in sample:
            self._check_decision(sample['pred_sem_seg']['data'], score, name)
        if self.eval_size:
            size = (self.eval_size, self.eval_size)
            score = F.interpolate(score[None, None], size, mode='bilinear')[0, 0]
            label = label[None, None].float()
            label = F.interpolate(label, size, mode='nearest-exact')[0, 0]
        return count_image(
            (score > self.threshold).numpy(),
            (label == 1).numpy(),
            score.numpy(),
            valid=(label != self.ignore_index).numpy(),
            distance=self.distance,
            fa_match=self.fa_match,
        )

    def _check_decision(self, decision: Tensor, score: Tensor, name: str) -> None:
        """Raise if the predicted mask does not follow from the probabilities."""
        decision = decision.reshape(score.shape).cpu() == 1
        clear = (score - self.threshold).abs() > 1e-3
        if (clear & (decision != (score > self.threshold))).any():
            raise DuGIError(
                f'{name}: pred_sem_seg is not seg_logits > {self.threshold}: set the '
                "metric's threshold to that of the decode head, and leave out --tta"
            )
