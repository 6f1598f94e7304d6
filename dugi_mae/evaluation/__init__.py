"""Metrics and baselines as pure functions: numpy, torch and OpenCV only."""

from .reconstruction import fill_nearest_visible, reconstruction_errors
from .small_target import small_target_scores

__all__ = ['fill_nearest_visible', 'reconstruction_errors', 'small_target_scores']
