"""Building sub-modules whatever the default scope is."""

from __future__ import annotations

import inspect

from mmengine.config import ConfigDict
from mmpretrain.registry import MODELS
from torch import nn

from dugi_mae.errors import check_choice


def build_module(cfg: dict | nn.Module | None) -> nn.Module | None:
    """Build an mmpretrain module from a config, in any default scope.

    ``MODELS.build`` looks a type up in the default scope's registry, whichever
    registry it is called on; a pre-training part would not be found while the default
    scope is mmdet or mmseg.

    Args:
        cfg: A config with ``type``; a built module or ``None`` is returned as it is.

    Raises:
        DuGIError: If a key is unknown; the message suggests the nearest one.
    """
    if cfg is None or isinstance(cfg, nn.Module):
        return cfg
    kind = cfg.get('type')
    cls = MODELS.get(kind) if isinstance(kind, str) else kind
    known = inspect.signature(cls).parameters if cls is not None else {}
    if known and all(p.kind is not p.VAR_KEYWORD for p in known.values()):
        for key in set(cfg) - {'type', '_scope_'}:
            check_choice(f'key of {cls.__name__}', key, known)
    return MODELS.build(ConfigDict({'_scope_': 'mmpretrain', **cfg}))
