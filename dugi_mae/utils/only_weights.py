"""Loading pickles of weights without running what they may contain."""

from __future__ import annotations

import argparse
import contextlib
import os
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from dugi_mae.errors import DuGIError

#: torch reads nothing where both are set, and the second is a known way to make old
#: versions of mmengine load.
_FORCE, _FORCE_NOT = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'


def _history_buffer_method(owner: type, name: str) -> Callable:
    """Stand-in for ``getattr`` while unpickling mmengine's log buffers."""
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise pickle.UnpicklingError(f'it may not ask for {name} of {owner}')
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
        # Plain numbers: scores, seeds and the states of random generators.
        *(type(np.dtype(t)) for t in ('?', *'bBhHiIlLqQefd')),
    ]


def _reason(error: Exception) -> str:
    """What of torch's long message a user needs."""
    text = str(error).strip()
    found = re.search(r"GLOBAL (\S+)|got <class '(.+?)'>", text)
    if found:
        return f'it asks for {found[1] or found[2]}'
    if found := re.search(r'it may not ask for .+', text):
        return found[0]
    if 'Weights only load failed' in text or not text:
        return type(error).__name__
    return text.splitlines()[0][:200]


@contextlib.contextmanager
def only_weights(path: str | Path) -> Iterator[None]:
    """Let no ``torch.load`` inside run code of a file, whatever its caller asks for.

    Covers code of others that loads a file itself. Ordinary training checkpoints pass.

    Args:
        path: What is loaded, for the message.

    Raises:
        DuGIError: If the file holds objects that only an unsafe load could build.
    """
    # HistoryBuffer.__setstate__ updates a dict of its class: a file must not change
    # how this process averages its logs.
    methods = dict(HistoryBuffer._statistics_methods)
    before = {name: os.environ.pop(name, None) for name in (_FORCE, _FORCE_NOT)}
    # mmengine loads a second time with weights_only=False where the first load is
    # refused; torch lets this variable overrule that argument.
    os.environ[_FORCE] = '1'
    try:
        with torch.serialization.safe_globals(_safe_globals()):
            yield
    except pickle.UnpicklingError as error:
        raise unreadable(path, error) from error
    finally:
        os.environ.pop(_FORCE, None)
        os.environ.update({k: v for k, v in before.items() if v is not None})
        HistoryBuffer._statistics_methods.clear()
        HistoryBuffer._statistics_methods.update(methods)


def unreadable(path: str | Path, error: Exception) -> DuGIError:
    """What to tell of a file that a safe load refused or could not read."""
    reason = _reason(error)
    remedy = 'it is damaged or holds more than weights, get the file again'
    if reason.startswith('it asks for'):
        remedy += (
            '; if you know who made it, convert_checkpoint.py --trust reads it once'
        )
    return DuGIError(f'checkpoint {path} cannot be read safely ({reason}): {remedy}')
