"""Reading weight files safely and fitting their tensors to a model."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import math
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor, nn

from dugi_mae.errors import DuGIError
from dugi_mae.ops import resize_pos_embed


def _history_buffer_method(owner: type, name: str) -> Callable:
    """Stand-in for ``getattr`` while unpickling mmengine's log buffers."""
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise DuGIError(f'a checkpoint may not ask for {name} of {owner}')
    return getattr(owner, name)


def _safe_globals() -> list:
    """What ordinary training checkpoints hold beside tensors.

    The MAE scripts save their arguments, mmengine its log buffers (numpy arrays with
    references to the buffer's own methods). Nothing else may be unpickled.
    """
    reconstruct, scalar = (
        np.empty(0).__reduce__()[0],
        np.float64(0).__reduce__()[0],
    )
    return [
        argparse.Namespace,
        HistoryBuffer,
        (_history_buffer_method, 'builtins.getattr'),
        np.ndarray,
        np.dtype,
        # NumPy 1 and 2 write these under different module names.
        (reconstruct, 'numpy.core.multiarray._reconstruct'),
        (reconstruct, 'numpy._core.multiarray._reconstruct'),
        (scalar, 'numpy.core.multiarray.scalar'),
        (scalar, 'numpy._core.multiarray.scalar'),
        *(type(np.dtype(t)) for t in ('f4', 'f8', 'i4', 'i8', '?')),
    ]


def _reason(error: Exception) -> str:
    """What of torch's long message a user needs."""
    text = str(error).strip()
    found = re.search(r"GLOBAL (\S+)|got <class '(.+?)'>", text)
    if found:
        return f'it asks for {found[1] or found[2]}'
    if 'Weights only load failed' in text or not text:
        return type(error).__name__
    return text.splitlines()[0][:200]


def adapt_input_channels(state_dict: dict, key: str, conv: nn.Conv2d) -> None:
    """Fit the first convolution of a state dict to a model's input channels.

    To one channel the kernels are summed, from one channel they are spread evenly:
    either way the output for replicated grey input stays the same.

    Args:
        state_dict: Changed in place.
        key: Name of the weight, ``(D, C, P, P)``; ignored when absent.
        conv: The convolution it is meant for.
    """
    weight = state_dict.get(key)
    if weight is None or weight.dim() != 4:
        return
    source, target = weight.shape[1], conv.in_channels
    if source != target and target == 1:
        state_dict[key] = weight.sum(dim=1, keepdim=True)
    elif source != target and source == 1:
        state_dict[key] = weight.expand(-1, target, -1, -1) / target


def adapt_pos_embed(state_dict: dict, key: str, grid: tuple[int, int]) -> None:
    """Resize a position embedding made for another square grid.

    Args:
        state_dict: Changed in place.
        key: Name of the embedding, ``(1, L, D)``; ignored when absent.
        grid: Rows and columns of the model.
    """
    embed = state_dict.get(key)
    if embed is None or embed.dim() != 3 or embed.shape[1] == grid[0] * grid[1]:
        return
    side = math.isqrt(embed.shape[1])
    if side * side == embed.shape[1]:
        state_dict[key] = resize_pos_embed(embed, (side, side), grid)


def check_checkpoint(path: str | Path, remedy: str = 'check the path') -> None:
    """Raise unless a path is that of a file.

    Args:
        path: Where a checkpoint should be.
        remedy: What the message advises where there is none.

    Raises:
        DuGIError: If it is a folder or is not there.
    """
    if Path(path).is_dir():
        raise DuGIError(f'checkpoint {path} is a folder: name the .pth file in it')
    if not Path(path).is_file():
        raise DuGIError(f'checkpoint {path} does not exist: {remedy}')


def read_checkpoint(path: str | Path) -> dict:
    """Read a checkpoint without running any code that it may contain.

    Args:
        path: A file written by mmengine, by a MAE-style script or by ``torch.save``.

    Returns:
        What the file holds, tensors on the CPU.

    Raises:
        DuGIError: If the file is missing, damaged or holds objects that only an unsafe
            load could build.
    """
    check_checkpoint(path)
    # HistoryBuffer.__setstate__ updates a dict of its class: a file must not change
    # how this process averages its logs.
    methods = dict(HistoryBuffer._statistics_methods)
    try:
        with torch.serialization.safe_globals(_safe_globals()):
            content = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:
        reason = _reason(error)
        raise DuGIError(
            f'checkpoint {path} cannot be read safely ({reason}): it is damaged or '
            'holds more than weights, get the file again'
        ) from error
    finally:
        HistoryBuffer._statistics_methods.clear()
        HistoryBuffer._statistics_methods.update(methods)
    if not isinstance(content, dict):
        raise DuGIError(f'checkpoint {path} holds no state dict')
    return content


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Tensors of a checkpoint, from under ``state_dict`` or ``model`` if there."""
    content = read_checkpoint(path)
    for key in ('state_dict', 'model'):
        if isinstance(content.get(key), dict):
            content = content[key]
            break
    state_dict = {k: v for k, v in content.items() if isinstance(v, Tensor)}
    if not state_dict:
        raise DuGIError(f'checkpoint {path} holds no tensors: is it a weight file?')
    return state_dict


def write_checkpoint(content: dict, path: str | Path) -> str:
    """Write a checkpoint whole or not at all.

    Args:
        content: What :func:`read_checkpoint` is to return.
        path: The file; its folder is made.

    Returns:
        The file's SHA-256; equal content gives equal files.

    Raises:
        DuGIError: If the file cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # An open file, not a name: torch would store the name, and equal weights
        # would not give equal files.
        with temporary.open('wb') as file:
            torch.save(content, file)
        digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
        temporary.replace(path)
    except OSError as error:
        raise DuGIError(f'{path} cannot be written: {error.strerror}') from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return digest


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Load a checkpoint into a model, completely.

    Raises:
        DuGIError: If a tensor is missing, left over or of another shape.
    """
    try:
        model.load_state_dict(read_state_dict(path))
    except RuntimeError as error:
        # A line of heading, then one for each kind of trouble with all its names.
        reason = str(error).splitlines()[1].strip(' \t.')
        if len(reason) > 160:
            reason = reason[:160].rsplit(',', 1)[0] + ' and more'
        raise DuGIError(
            f'checkpoint {path} does not fit the config: {reason}; use the config that '
            'it was trained with'
        ) from error
