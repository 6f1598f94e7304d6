"""Registers what configs of every host find: encoders, hooks, transforms, metrics."""

from . import file_backends, hooks, layer_decay, mae_vit, metrics, models, transforms
from .pretrained import DuGIPretrained

__all__ = [
    'DuGIPretrained',
    'file_backends',
    'hooks',
    'layer_decay',
    'mae_vit',
    'metrics',
    'models',
    'transforms',
]
