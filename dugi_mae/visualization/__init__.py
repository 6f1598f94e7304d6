"""Pictures."""

from .overlay import draw_target_overlay
from .reconstruction import draw_reconstruction

__all__ = ['draw_reconstruction', 'draw_target_overlay']
