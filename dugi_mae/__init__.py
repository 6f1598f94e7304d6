"""Infrared masked pre-training (DuGI-MAE) for OpenMMLab.

Importing this module registers everything that pre-training needs and the encoder for
every host, and makes our configs known to mmpretrain's ``list_models`` and
``get_model``. It imports neither mmdet nor mmseg; a config for those names
``dugi_mae.mmdet`` or ``dugi_mae.mmseg`` in its ``custom_imports`` instead.
"""

from mmpretrain import FeatureExtractor

from . import datasets, engine, evaluation, models
from .apis.host_inferencer import use_infrared_features
from .apis.model_zoo import register_models
from .errors import DuGIError
from .utils.safe_loading import use_safe_loading
from .version import __version__

use_safe_loading()
register_models()
use_infrared_features(FeatureExtractor)

__all__ = ['DuGIError', '__version__', 'datasets', 'engine', 'evaluation', 'models']
