"""Entry module for mmdetection configs.

``custom_imports = dict(imports=['dugi_mae.mmdet'], allow_failed_imports=False)`` makes
the encoder (``type='mmpretrain.ConvViT'``), the transforms, the hooks and the detection
data sets known to mmdet, and lets its ``DetInferencer`` and its pictures read images as
our configs do.
"""

import mmdet  # noqa: F401  says at once what is missing
from mmdet.apis import DetInferencer
from mmdet.engine.hooks import DetVisualizationHook

from . import datasets, engine, models
from .apis.host_inferencer import use_infrared_loading
from .apis.host_pictures import use_infrared_pictures
from .datasets.detection import (
    DroneVehicleDataset,
    FLIRAlignedDataset,
    FLIRv2Dataset,
    HITUAVDataset,
    InfraredCocoDataset,
    LLVIPDataset,
    M3FDDataset,
)
from .evaluation.infrared_coco_metric import InfraredCocoMetric

use_infrared_loading(DetInferencer)
use_infrared_pictures(DetVisualizationHook)

__all__ = [
    'DroneVehicleDataset',
    'FLIRAlignedDataset',
    'FLIRv2Dataset',
    'HITUAVDataset',
    'InfraredCocoDataset',
    'InfraredCocoMetric',
    'LLVIPDataset',
    'M3FDDataset',
    'datasets',
    'engine',
    'models',
]
