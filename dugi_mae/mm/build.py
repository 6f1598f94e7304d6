"""Building models and their parts in the right scope."""

from __future__ import annotations

import inspect

from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from torch import nn

from dugi_mae.mm.config_errors import config_errors


def type_name(cfg: dict) -> str:
    """Name of a config's ``type``, without scope; pure-Python configs have classes."""
    kind = cfg['type']
    return kind.__name__ if inspect.isclass(kind) else str(kind).rpartition('.')[2]


def build_from_config(config: Config) -> nn.Module:
    """Build a config's model with fresh weights.

    Args:
        config: With ``model`` and ``default_scope``.

    Raises:
        DuGIError: If it cannot be built; see :func:`config_errors`.
    """
    scope = config.get('default_scope', 'mmpretrain')
    with config_errors(config), DefaultScope.overwrite_default_scope(scope):
        return ROOT_MODELS.build(config.model)


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
