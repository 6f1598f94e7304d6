"""The small-target network: decoder, feature enhancement and loss, in plain PyTorch."""

from .decoder import SmallTargetDecoder
from .enhancement import ConvNormAct, FeatureEnhancement, local_contrast, top_hat
from .loss import SoftIoULoss, soft_iou

__all__ = [
    'ConvNormAct',
    'FeatureEnhancement',
    'SmallTargetDecoder',
    'SoftIoULoss',
    'local_contrast',
    'soft_iou',
    'top_hat',
]
