"""The reconstruction errors as a metric of mmengine."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

from dugi_mae.evaluation.reconstruction import (
    ReconstructionErrors,
    mean_errors,
    reconstruction_errors,
)


@METRICS.register_module()
class ReconstructionMetric(BaseMetric):
    """Mean squared error on masked pixels, in the units of the model's input.

    Reports what :func:`dugi_mae.evaluation.reconstruction.mean_errors` returns.
    Registered in mmengine's root.

    Args:
        patch_size: Side of a token in pixels.
        **kwargs: As in mmengine's ``BaseMetric``.
    """

    default_prefix = 'reconstruction'

    def __init__(self, patch_size: int = 16, **kwargs) -> None:
        super().__init__(**kwargs)
        self.patch_size = patch_size

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Reduce each image of a batch to three errors."""
        self.results += [
            reconstruction_errors(
                sample['image'],
                sample['prediction'],
                sample['token_mask'],
                self.patch_size,
            )
            for sample in data_samples
        ]

    def compute_metrics(self, results: list[ReconstructionErrors]) -> dict[str, float]:
        """Average over the set."""
        return mean_errors(results)
