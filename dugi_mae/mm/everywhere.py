"""Registers what configs of every host find: encoders, hooks, transforms, metrics."""

from . import (
    cpu_amp,
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
    'cpu_amp',
    'file_backends',
    'hooks',
    'layer_decay',
    'mae_vit',
    'metrics',
    'models',
    'param_groups',
    'transforms',
]
