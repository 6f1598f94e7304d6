"""Entry module for mmdetection configs.

``custom_imports = dict(imports=['dugi_mae.mmdet'], allow_failed_imports=False)`` makes
the encoder (``type='mmpretrain.ConvViT'``), the transforms and the hooks known to
mmdet, and lets its ``DetInferencer`` read images as our configs do.
"""

import mmdet  # noqa: F401  says at once what is missing
from mmdet.apis import DetInferencer

from . import datasets, engine, models
from .apis.host_inferencer import use_infrared_loading

use_infrared_loading(DetInferencer)

__all__ = ['datasets', 'engine', 'models']
