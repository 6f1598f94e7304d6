"""Losses for mmseg heads; import ``dugi_mae.mmseg`` to register them."""

from dugi_mae.models.losses.soft_iou_loss import SoftIoULoss, soft_iou

__all__ = ['SoftIoULoss', 'soft_iou']
