"""Entry module for mmdetection configs.

``custom_imports = dict(imports=['dugi_mae.mmdet'], allow_failed_imports=False)`` makes
the encoder (``type='mmpretrain.ConvViT'``), the transforms and the hooks known to
mmdet.
"""

import mmdet  # noqa: F401  says at once what is missing

from . import datasets, engine, models

__all__ = ['datasets', 'engine', 'models']
