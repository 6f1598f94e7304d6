"""mmseg's IoU metric with one value per class."""

from __future__ import annotations

from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS


@METRICS.register_module()
class ClassIoUMetric(IoUMetric):
    """mmseg's ``IoUMetric`` that also reports ``IoU.<class>`` in percent.

    A mean over background and a target of a thousandth of the pixels says little; this
    key allows ``save_best='IoU.target'``.
    """

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the metrics of the set.

        Args:
            results: Per image the areas of intersection, union, prediction and label,
                each ``(num_classes,)`` in pixels.

        Returns:
            mmseg's averages and ``IoU.<class>`` for each class, ``nan`` for a class
            that neither occurs nor is predicted.
        """
        metrics = super().compute_metrics(results)
        if self.format_only:
            return metrics
        intersection, union = (
            sum(areas) for areas in list(zip(*results, strict=True))[:2]
        )
        iou = (100 * intersection / union).tolist()
        for name, value in zip(self.dataset_meta['classes'], iou, strict=True):
            metrics[f'IoU.{name}'] = round(value, 2)
        return metrics
