"""Pictures; Matplotlib is imported when a panel is drawn."""

from .reconstruction import draw_masking, draw_reconstruction
from .small_target import draw_small_targets

__all__ = ['draw_masking', 'draw_reconstruction', 'draw_small_targets']
