"""Registers what configs of every host find: encoders, hooks, transforms, metrics."""

# ruff: noqa: F401  imported to be registered

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
