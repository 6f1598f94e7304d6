"""The small-target network and its training in two stages, for mmseg."""

from .irstd_head import IRSTDHead
from .segmentor import SmallTargetSegmentor
from .two_stages import AveragedRestartHook, JointDataset, TwoStageBatchSampler

__all__ = [
    'AveragedRestartHook',
    'IRSTDHead',
    'JointDataset',
    'SmallTargetSegmentor',
    'TwoStageBatchSampler',
]
