"""Entry module for mmpretrain configs: masked pre-training and classification.

``custom_imports = dict(imports=['dugi_mae.mmpretrain'], allow_failed_imports=False)``
registers the models, hooks, transforms, metrics and the data set of pre-training, and
adds the models that have weights to mmpretrain's hub. It changes nothing else there.
"""

import mmpretrain  # noqa: F401  says at once what is missing

from .mm import everywhere
from .mm.datasets.pretrain import InfraredPretrainDataset
from .mm.model_hub import register_models

register_models()

__all__ = ['InfraredPretrainDataset', 'everywhere']
