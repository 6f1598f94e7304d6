"""Entry module for mmdetection configs.

``custom_imports = dict(imports=['dugi_mae.mmdet'], allow_failed_imports=False)``
registers the encoder (``type='mmpretrain.ConvViT'``), the transforms, the hooks, the
file backend ``infrared`` and the detection data set. It changes nothing else in mmdet.
"""

import mmdet  # noqa: F401  says at once what is missing

from .mm import everywhere
from .mm.datasets.detection import InfraredCocoDataset
from .mm.metrics.infrared_coco_metric import InfraredCocoMetric

__all__ = ['InfraredCocoDataset', 'InfraredCocoMetric', 'everywhere']
