"""From a config and a checkpoint to a model."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.config import Config
from torch import nn

from dugi_mae.checkpoints.io import load_weights
from dugi_mae.cli import read_config
from dugi_mae.errors import DuGIError
from dugi_mae.mm.build import build_from_config

#: Which inferencer goes with a config's default scope.
INFERENCERS = dict(mmpretrain='ReconstructionInferencer', mmseg='SmallTargetInferencer')


def open_config(config: str | Path | Config) -> Config:
    """Read a config from its file, unless it is one already."""
    return config if isinstance(config, Config) else read_config(config)


def inferencer_name(config: Config) -> str:
    """Return the name of the inferencer for a config, by its ``default_scope``.

    Raises:
        DuGIError: If there is none.
    """
    scope = config.get('default_scope')
    if scope == 'mmdet':
        raise DuGIError(
            f'config {config.filename} is a detector: use DetInferencer of mmdet.apis'
        )
    if scope not in INFERENCERS or 'model' not in config:
        raise DuGIError(
            f'no inferencer for config {config.filename}: it needs a model and '
            f"default_scope='mmpretrain' (pre-training) or 'mmseg' (small targets), "
            f'got default_scope={scope!r}'
        )
    return INFERENCERS[scope]


def pick_device(device: str | torch.device | None = None) -> torch.device:
    """Return the given device, by default the first GPU, or the CPU without one.

    Raises:
        DuGIError: If the device is unknown or not available.
    """
    if device is None:
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].split('. ')[0]
        raise DuGIError(
            f"device {str(device)!r} cannot be used ({reason}): choose 'cpu', or "
            "'cuda' where there is a GPU"
        ) from None


def build_model(
    config: str | Path | Config,
    checkpoint: str | Path,
    device: str | torch.device | None = None,
) -> nn.Module:
    """Build a config's model and load a checkpoint completely.

    Args:
        config: With ``model`` and ``default_scope``, or its path.
        checkpoint: What ``tools/train.py`` wrote for it.
        device: See :func:`pick_device`.

    Returns:
        The model in eval mode.

    Raises:
        DuGIError: If the config cannot be built, the checkpoint does not fit, or the
            device is not available.
    """
    config, device = open_config(config), pick_device(device)
    model = build_from_config(config)
    load_weights(model, checkpoint)
    return model.to(device).eval()
