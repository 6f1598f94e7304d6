"""Entry module for mmsegmentation configs.

``custom_imports = dict(imports=['dugi_mae.mmseg'], allow_failed_imports=False)`` makes
the encoder (``type='mmpretrain.ConvViT'``), the transforms, the hooks and the
segmentation data sets known to mmseg.
"""

import mmseg  # noqa: F401  says at once what is missing

from . import datasets, engine, models
from .datasets.sirst import SIRSTDataset
from .datasets.transforms.target_mask import LoadTargetMask
from .evaluation.class_iou_metric import ClassIoUMetric
from .models.decode_heads import IRSTDHead
from .models.losses import SoftIoULoss
from .models.segmentors import SmallTargetSegmentor, SmallTargetTTAModel

__all__ = [
    'ClassIoUMetric',
    'LoadTargetMask',
    'SIRSTDataset',
    'IRSTDHead',
    'SmallTargetSegmentor',
    'SmallTargetTTAModel',
    'SoftIoULoss',
    'datasets',
    'engine',
    'models',
]
