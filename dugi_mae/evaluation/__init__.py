"""Metrics."""

from .reconstruction_metric import ReconstructionMetric, fill_nearest_visible

__all__ = ['ReconstructionMetric', 'fill_nearest_visible']
