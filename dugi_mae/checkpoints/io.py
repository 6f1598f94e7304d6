"""Reading weight files safely and fitting their tensors to a model."""

from __future__ import annotations

import hashlib
import io
import math
import os
import re
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from dugi_mae.errors import DuGIError
from dugi_mae.ops import resize_pos_embed
from dugi_mae.checkpoints.io import only_weights, unreadable
from dugi_mae.checkpoints.io import pack_safetensors, read_safetensors
from dugi_mae.files import write_whole

#: The end of a published file's name; eight digits that are a date are none.
_HASH_IN_NAME = re.compile(r'-(?!(?:19|20)\d{6}\.)([0-9a-f]{8})\.(?:pth|safetensors)$')


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
    if len(embed) != 1 or not embed.is_floating_point():  # named where it is loaded
        return
    side = math.isqrt(embed.shape[1])
    if side * side == embed.shape[1]:
        state_dict[key] = resize_pos_embed(embed, (side, side), grid)


def expand_home(path: str | Path) -> Path:
    """A path with ``~`` replaced, as mmengine does; unknown users' are left alone."""
    return Path(os.path.expanduser(path))


def check_checkpoint(path: str | Path, remedy: str = 'check the path') -> None:
    """Raise unless a path is that of a file.

    Args:
        path: Where a checkpoint should be; ``~`` is the home folder.
        remedy: What the message advises where there is none.

    Raises:
        DuGIError: If it is a folder or is not there.
    """
    path = expand_home(path)
    if path.is_dir():
        raise DuGIError(f'checkpoint {path} is a folder: name the .pth file in it')
    if not path.is_file():
        raise DuGIError(f'checkpoint {path} does not exist: {remedy}')


def _check_hash_in_name(path: Path) -> None:
    """Raise where a file is not the one that its name says."""
    found = _HASH_IN_NAME.search(path.name)
    digest = file_sha256(path) if found else ''
    if found and not digest.startswith(found[1]):
        raise DuGIError(
            f'{path} has sha256 {digest}, its name says {found[1]}: it is damaged or '
            'another file, get it again or rename it'
        )


def read_checkpoint(
    path: str | Path,
    map_location: str | torch.device | Callable | None = 'cpu',
    trust: bool = False,
) -> dict:
    """Read a checkpoint without running any code that it may contain.

    Args:
        path: A file written by mmengine, by a MAE-style script, by ``torch.save`` or by
            safetensors (``.safetensors``); ``~`` is the home folder.
        map_location: Where its tensors are to lie, as in ``torch.load``.
        trust: Run what code the file contains. Only for files whose maker is known.

    Returns:
        What the file holds; of safetensors ``state_dict`` and, in ``meta``, its text.

    Raises:
        DuGIError: If the file is missing, damaged, not the one whose SHA-256 begins as
            its name ends (``NAME-9231b639.pth``), or holds objects that only an unsafe
            load could build.
    """
    check_checkpoint(path)
    path = expand_home(path)
    _check_hash_in_name(path)
    try:
        if path.suffix == '.safetensors':
            named = isinstance(map_location, (str, torch.device))
            return read_safetensors(path, str(map_location) if named else 'cpu')
        if trust:
            content = torch.load(path, map_location=map_location, weights_only=False)
        else:
            with only_weights(path):
                content = torch.load(path, map_location=map_location, weights_only=True)
    except DuGIError:
        raise
    except Exception as error:
        raise unreadable(path, error) from error
    if not isinstance(content, dict):
        raise DuGIError(f'checkpoint {path} holds no state dict')
    return content


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file, as ``sha256sum`` prints it; ``~`` is the home folder."""
    digest = hashlib.sha256()
    with expand_home(path).open('rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check_tensors(state_dict: dict, path: str | Path) -> None:
    """Raise unless all tensors have names and all their numbers in memory.

    Args:
        state_dict: Tensors, and what else is left alone, by name.
        path: The file, for the message.

    Raises:
        DuGIError: If a name is no text, or a tensor is sparse, quantised, without
            numbers, or expanded to more of them than the file holds.
    """
    for key, value in state_dict.items():
        if not isinstance(value, Tensor):
            continue
        plain = value.layout is torch.strided and not value.is_quantized
        held = (
            plain and value.device.type != 'meta' and value.untyped_storage().nbytes()
        )
        if not isinstance(key, str) or held < value.numel() * value.element_size():
            raise DuGIError(
                f'checkpoint {path} has under {key!r} no tensor that a model can take '
                '(sparse, quantised, expanded or without a name): save dense tensors'
            )


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Tensors of a checkpoint, from under ``state_dict`` or ``model`` if there.

    Raises:
        DuGIError: As :func:`read_checkpoint` and :func:`check_tensors` do, or if there
            are no tensors.
    """
    content = read_checkpoint(path)
    for key in ('state_dict', 'model'):
        if isinstance(content.get(key), dict):
            content = content[key]
            break
    check_tensors(content, path)
    state_dict = {k: v for k, v in content.items() if isinstance(v, Tensor)}
    if not state_dict:
        raise DuGIError(f'checkpoint {path} holds no tensors: is it a weight file?')
    return state_dict


def write_checkpoint(content: dict, path: str | Path) -> str:
    """Write a checkpoint whole or not at all.

    Args:
        content: What :func:`read_checkpoint` is to return.
        path: The file; its folder is made. ``.safetensors`` holds the ``state_dict``
            and, as text, ``meta``.

    Returns:
        The file's SHA-256; equal content gives equal files.

    Raises:
        DuGIError: If the file cannot be written.
    """
    if Path(path).suffix == '.safetensors':
        packed = pack_safetensors(content)
    else:
        # A buffer, not a name: torch would store the name, and equal weights would not
        # give equal files.
        buffer = io.BytesIO()
        torch.save(content, buffer)
        packed = buffer.getvalue()
    try:
        write_whole(packed, path)
    except OSError as error:
        raise DuGIError(f'{path} cannot be written: {error.strerror}') from error
    return hashlib.sha256(packed).hexdigest()


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
