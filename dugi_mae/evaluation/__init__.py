"""Metrics."""

from .reconstruction_metric import ReconstructionMetric, fill_nearest_visible
from .small_target import small_target_scores
from .small_target_metric import SmallTargetMetric

__all__ = [
    'ReconstructionMetric',
    'SmallTargetMetric',
    'fill_nearest_visible',
    'small_target_scores',
]
