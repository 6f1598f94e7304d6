"""Entry module for mmsegmentation configs.

``custom_imports = dict(imports=['dugi_mae.mmseg'], allow_failed_imports=False)`` makes
the encoder (``type='mmpretrain.ConvViT'``), the transforms, the hooks and the
segmentation data sets known to mmseg, and lets its ``MMSegInferencer`` and its pictures
read images as our configs do.
"""

import mmseg  # noqa: F401  says at once what is missing
from mmseg.apis import MMSegInferencer
from mmseg.engine.hooks import SegVisualizationHook

from . import datasets, engine, models
from .apis.host_inferencer import use_infrared_loading
from .apis.host_pictures import use_infrared_pictures
from .datasets.index_png import IndexPNGDataset
from .datasets.segmentation import MFNetDataset, MSRSDataset, SODADataset
from .datasets.sirst import SIRSTDataset
from .datasets.transforms.target_mask import LoadTargetMask
from .evaluation.class_iou_metric import ClassIoUMetric
from .models.decode_heads import IRSTDHead
from .models.losses import SoftIoULoss
from .models.segmentors import SmallTargetSegmentor, SmallTargetTTAModel

use_infrared_loading(MMSegInferencer)
use_infrared_pictures(SegVisualizationHook)

__all__ = [
    'ClassIoUMetric',
    'IndexPNGDataset',
    'LoadTargetMask',
    'MFNetDataset',
    'MSRSDataset',
    'SIRSTDataset',
    'SODADataset',
    'IRSTDHead',
    'SmallTargetSegmentor',
    'SmallTargetTTAModel',
    'SoftIoULoss',
    'datasets',
    'engine',
    'models',
]
