"""The small-target network and its losses, in plain PyTorch."""

from .loss import small_target_losses, soft_iou
from .network import SmallTargetNet, reflect_pad

__all__ = ['SmallTargetNet', 'reflect_pad', 'small_target_losses', 'soft_iou']
