"""The small-target network in mmseg's registry."""

from .irstd_head import IRSTDHead
from .segmentor import SmallTargetSegmentor
from .soft_iou_loss import SoftIoULoss
from .tta import SmallTargetTTAModel

__all__ = ['IRSTDHead', 'SmallTargetSegmentor', 'SmallTargetTTAModel', 'SoftIoULoss']
