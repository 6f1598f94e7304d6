"""Registers what configs of every host find: encoders, hooks, transforms, metrics."""

from . import (
    file_backends,
    hooks,
    layer_decay,
    mae_vit,
    metrics,
    models,
    param_groups,
    transforms,
)
from .pretrained import DuGIPretrained

__all__ = [
    'DuGIPretrained',
    'file_backends',
    'hooks',
    'layer_decay',
    'param_groups',
    'mae_vit',
    'metrics',
    'models',
    'transforms',
]
