"""mmengine's checkpoint loading, without its way back to unsafe pickles."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from mmengine.runner import CheckpointLoader

from dugi_mae.checkpoints.io import read_checkpoint
from dugi_mae.checkpoints.io import only_weights


def load_from_safe_local(
    filename: str, map_location: str | torch.device | Callable | None = None
) -> dict:
    """Load a local file for mmengine: ``.pth`` and ``.safetensors``, code never run.

    Args:
        filename: Path, ``~`` for the home folder.
        map_location: As in ``torch.load``.

    Raises:
        DuGIError: If the file is missing, damaged or holds more than weights.
    """
    return read_checkpoint(filename, map_location)


def _only_weights(loader: Callable) -> Callable:
    """A loader of mmengine during which no code of a file runs."""

    @functools.wraps(loader)
    def load(filename: str, map_location=None):
        with only_weights(filename):
            return loader(filename, map_location)

    return load


def use_safe_loading() -> None:
    """Make every load through mmengine safe; ``import dugi_mae`` does it.

    mmengine reads a file that a safe load refuses a second time with everything
    allowed, with no more than a warning. ``load_from``, ``resume``, ``init_cfg`` of
    type ``Pretrained`` and the hosts' ``get_model``, ``init_model`` and inferencers all
    come through its table of loaders, so replacing these covers them, for local files
    and for what is downloaded.
    """
    for prefix, loader in list(CheckpointLoader._schemes.items()):
        if not hasattr(loader, '__wrapped__'):
            CheckpointLoader.register_scheme(prefix, _only_weights(loader), force=True)
    CheckpointLoader.register_scheme('', load_from_safe_local, force=True)
