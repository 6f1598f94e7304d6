"""Reading and writing weight files: no code of a file runs, no file is half written."""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import pickle
import re
import threading
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from dugi_mae.errors import DuGIError
from dugi_mae.files import atomic_write

#: Where a safetensors file holds what mmengine calls ``meta``, as JSON.
_META = 'dugi_mae_meta'
#: Where whole checkpoints keep their state dict; the last three hold averaged weights
#: alone.
_STATE_DICTS = ('state_dict', 'model', 'ema_state_dict', 'model_ema', 'state_dict_ema')
#: The name of a file that we have published; it ends with the start of its SHA-256.
_PUBLISHED = re.compile(r'(?:dugi-mae|irstd)\S*-([0-9a-f]{8})\.(?:pth|safetensors)')
#: torch keeps the classes that a safe load may build in one place for all threads.
_LOADING = threading.RLock()


class LogBuffer:
    """What a safe load makes of an mmengine ``HistoryBuffer``: its plain content.

    The class itself is not built: unpickling one changes how the whole process averages
    its logs, and mmengine may not be installed.

    Attributes:
        state: Values, counts and maximum length, by mmengine's attribute names; empty
            where the file has none.
    """

    state: dict = {}

    def __setstate__(self, state: dict) -> None:
        self.state = {k: v for k, v in state.items() if k != 'statistics_methods'}


def _log_buffer_method(owner: type, name: str) -> str:
    """Stand-in for ``getattr`` in the pickle of a ``HistoryBuffer``."""
    if owner is not LogBuffer:
        raise pickle.UnpicklingError(f'it asks for builtins.getattr of {owner}')
    return name


def _safe_globals() -> list:
    """What ordinary training checkpoints hold beside tensors.

    The MAE scripts save their arguments, mmengine its log buffers (NumPy arrays and
    references to the buffer's methods). Nothing else is unpickled.
    """
    reconstruct, scalar = np.empty(0).__reduce__()[0], np.float64(0).__reduce__()[0]
    return [
        argparse.Namespace,
        (LogBuffer, 'mmengine.logging.history_buffer.HistoryBuffer'),
        (_log_buffer_method, 'builtins.getattr'),
        np.ndarray,
        np.dtype,
        # NumPy 1 and 2 write these under different module names.
        (reconstruct, 'numpy.core.multiarray._reconstruct'),
        (reconstruct, 'numpy._core.multiarray._reconstruct'),
        (scalar, 'numpy.core.multiarray.scalar'),
        (scalar, 'numpy._core.multiarray.scalar'),
        # Plain numbers: scores, seeds and the states of random generators.
        *(type(np.dtype(t)) for t in ('?', *'bBhHiIlLqQefd')),
    ]


def expand_home(path: str | Path) -> Path:
    """A path with ``~`` replaced, as mmengine does; unknown users' are left alone."""
    return Path(os.path.expanduser(path))


def check_checkpoint(path: str | Path, remedy: str = 'check the path') -> Path:
    """Raise unless a path is that of a file.

    Args:
        path: Where a checkpoint should be; ``~`` is the home folder.
        remedy: What the message advises where there is none.

    Returns:
        The path with ``~`` replaced.

    Raises:
        DuGIError: If it is a folder or does not exist.
    """
    path = expand_home(path)
    if path.is_dir():
        raise DuGIError(f'checkpoint {path} is a folder: name the .pth file in it')
    if not path.is_file():
        raise DuGIError(f'checkpoint {path} does not exist: {remedy}')
    return path


def read_checkpoint(
    path: str | Path,
    map_location: str | torch.device | Callable | None = 'cpu',
    trust: bool = False,
) -> dict:
    """Read a checkpoint without running any code that it may contain.

    Safe to call from several threads; no environment variable is read or set.

    Args:
        path: A file written by mmengine, by a MAE-style script, by ``torch.save`` or by
            safetensors (``.safetensors``); ``~`` is the home folder.
        map_location: Where its tensors are put, as in ``torch.load``.
        trust: Run what code the file contains. Only for files whose maker you know.

    Returns:
        The content of the file; of safetensors ``state_dict`` and, in ``meta``, its
        text. An mmengine log buffer comes as :class:`LogBuffer`.

    Raises:
        DuGIError: If the file is missing or damaged, or holds objects that only an
            unsafe load could build.
    """
    path = check_checkpoint(path)
    try:
        if path.suffix == '.safetensors':
            named = isinstance(map_location, (str, torch.device))
            return _read_safetensors(path, str(map_location) if named else 'cpu')
        check_stored(path)
        with _LOADING, torch.serialization.safe_globals(_safe_globals()):
            content = torch.load(
                path, map_location=map_location, weights_only=not trust
            )
    except Exception as error:
        raise _unreadable(path, error) from error
    if not isinstance(content, dict):
        raise DuGIError(f'checkpoint {path} holds no state dict')
    return content


def check_stored(path: str | Path) -> None:
    """Raise where a zip archive holds compressed entries, which torch never writes.

    A megabyte of them may take gigabytes of memory before the load is refused.

    Raises:
        zipfile.BadZipFile: If there are any.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            for entry in file.infolist():
                if entry.compress_type != zipfile.ZIP_STORED:
                    raise zipfile.BadZipFile(f'its {entry.filename} is compressed')


def _read_safetensors(path: Path, device: str) -> dict:
    with safe_open(path, 'pt', device) as file:
        state_dict = {key: file.get_tensor(key) for key in file.keys()}
        text = file.metadata() or {}
    meta = json.loads(text[_META]) if _META in text else text
    return dict(state_dict=state_dict, meta=meta)


def _unreadable(path: Path, error: Exception) -> DuGIError:
    """What a user needs of torch's long message."""
    text = str(error).strip()
    asked = re.search(r"GLOBAL (\S+)|got <class '(.+?)'>|it asks for (.+)", text)
    if asked:
        reason = f'it asks for {next(filter(None, asked.groups()))}'
    elif 'Weights only load failed' in text or not text:
        reason = type(error).__name__
    else:
        reason = text.splitlines()[0][:200]
    remedy = 'it is damaged or holds more than weights, get the file again'
    if asked:
        remedy += (
            '; if you know who made it, convert_checkpoint.py --trust reads it once'
        )
    return DuGIError(f'checkpoint {path} cannot be read safely ({reason}): {remedy}')


def find_tensors(
    content: dict, path: str | Path, keys: Sequence[str] = _STATE_DICTS
) -> dict[str, Tensor]:
    """The tensors of a checkpoint, from below the first of some keys if there.

    Args:
        content: Of the file.
        path: The file, for messages.
        keys: Where whole checkpoints keep their state dict.

    Raises:
        DuGIError: If there are none, one has no name or not all its numbers in memory
            (sparse, quantized, expanded or of the meta device), or numbers are not
            finite.
    """
    for key in keys:
        if isinstance(content.get(key), dict):
            content = content[key]
            break
    tensors = {k: v for k, v in content.items() if isinstance(v, Tensor)}
    if not tensors:
        raise DuGIError(f'checkpoint {path} holds no tensors: is it a weight file?')
    for key, value in tensors.items():
        dense = value.layout is torch.strided and not value.is_quantized
        dense = dense and value.device.type != 'meta'
        held = value.untyped_storage().nbytes() if dense else -1
        if not isinstance(key, str) or held < value.numel() * value.element_size():
            raise DuGIError(
                f'checkpoint {path}: tensor {key!r} is sparse, quantized, expanded or '
                'has no name; save dense tensors'
            )
    check_finite(tensors, path)
    return tensors


def check_finite(state_dict: Mapping[str, object], path: str | Path) -> None:
    """Raise where weights of a file are not finite.

    Raises:
        DuGIError: If a tensor has NaN or infinity; masks may hold infinity.
    """
    if bad := find_non_finite(state_dict):
        raise DuGIError(
            f'checkpoint {path}: {bad} holds numbers that are not finite, its training '
            'has diverged: take an earlier checkpoint'
        )


def find_non_finite(state_dict: Mapping[str, object]) -> str | None:
    """The first name of a tensor with NaN or infinity; masks may hold infinity."""
    for name, value in state_dict.items():
        if not isinstance(value, Tensor) or not value.is_floating_point():
            continue
        if not value.isfinite().all():
            if not str(name).endswith('mask') or value.isnan().any():
                return name
    return None


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Tensors of a checkpoint, from below ``state_dict``, ``model`` or an average.

    Raises:
        DuGIError: As :func:`read_checkpoint` and :func:`find_tensors` do.
    """
    return find_tensors(read_checkpoint(path), path)


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file, as ``sha256sum`` prints it; ``~`` is the home folder."""
    with expand_home(path).open('rb') as file:
        # hashlib.file_digest needs Python 3.11.
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check_published_name(path: str | Path, digest: str | None = None) -> None:
    """Raise where a file of ours is not the one that its name says.

    Args:
        path: Files of other names than ours, ``dugi-mae_*-HASH.pth``, pass.
        digest: Its SHA-256, if that is known.

    Raises:
        DuGIError: If its SHA-256 does not begin as its name ends.
    """
    named = _PUBLISHED.fullmatch(expand_home(path).name)
    if not named:
        return
    digest = digest or file_sha256(path)
    if not digest.startswith(named[1]):
        raise DuGIError(
            f'{path} has sha256 {digest}, its name says {named[1]}: it is damaged or '
            'another file, get it again or rename it'
        )


def write_checkpoint(content: dict, path: str | Path) -> str:
    """Write a checkpoint completely or not at all.

    Args:
        content: What :func:`read_checkpoint` is to return.
        path: The file; its folder is made. ``.safetensors`` holds the ``state_dict``
            and, as text, ``meta``, whose tuples become lists.

    Returns:
        The file's SHA-256; equal content gives equal files.

    Raises:
        DuGIError: If the file cannot be written.
    """
    if Path(path).suffix == '.safetensors':
        # One entry: the order of several changes from run to run, and so would the
        # hash. Clones: tensors that share memory are refused.
        text = {_META: json.dumps(content.get('meta', {}))}
        tensors = {k: v.detach().cpu() for k, v in content['state_dict'].items()}
        packed = save({k: v.clone().contiguous() for k, v in tensors.items()}, text)
    else:
        # A buffer, not a name: torch would store the name, and equal weights would not
        # give equal files.
        buffer = io.BytesIO()
        torch.save(content, buffer)
        packed = buffer.getvalue()
    atomic_write(packed, path)
    return hashlib.sha256(packed).hexdigest()


def load_weights(model: nn.Module, path: str | Path, prefix: str = '') -> None:
    """Load a checkpoint into a model, completely.

    Args:
        model: The model.
        path: The file.
        prefix: What its names may have before those of the model.

    Raises:
        DuGIError: If a tensor is missing, unexpected or mismatched, or the file is not
            the published one that its name says.
    """
    check_published_name(check_checkpoint(path))
    try:
        state_dict = read_state_dict(path)
        model.load_state_dict(
            {key.removeprefix(prefix): value for key, value in state_dict.items()}
        )
    except RuntimeError as error:
        # A line of heading, then one for each kind of trouble with all its names.
        reason = str(error).splitlines()[1].strip(' \t.')
        if len(reason) > 160:
            reason = reason[:160].rsplit(',', 1)[0] + ' and more'
        raise DuGIError(
            f'checkpoint {path} does not fit the config: {reason}; use the config that '
            'it was trained with'
        ) from error
