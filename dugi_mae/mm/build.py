"""Building sub-modules whatever the default scope is."""

from __future__ import annotations

from mmengine.config import ConfigDict
from mmpretrain.registry import MODELS
from torch import nn


def build_module(cfg: dict | nn.Module | None) -> nn.Module | None:
    """Build an mmpretrain module from a config, in any default scope.

    ``MODELS.build`` looks a type up in the default scope's registry, whichever registry
    it is called on; a pre-training part would not be found while the default scope is
    mmdet or mmseg.

    Args:
        cfg: A config with ``type``; a built module or ``None`` is returned as it is.
    """
    if cfg is None or isinstance(cfg, nn.Module):
        return cfg
    return MODELS.build(ConfigDict({'_scope_': 'mmpretrain', **cfg}))
