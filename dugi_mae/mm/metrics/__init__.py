"""Metrics of mmengine's root registry; those of mmseg and mmdet lie beside them."""

from .reconstruction_metric import ReconstructionMetric
from .small_target_metric import SmallTargetMetric

__all__ = ['ReconstructionMetric', 'SmallTargetMetric']
