"""Checkpoints as safetensors, which can hold no code, in the layout of mmengine."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save

#: Where the file holds what mmengine calls ``meta``, as JSON.
_META = 'dugi_mae_meta'


def read_safetensors(path: str | Path, device: str = 'cpu') -> dict:
    """Read tensors and text.

    Args:
        path: A file of ours or of anyone else.
        device: Where its tensors are to lie.

    Returns:
        ``state_dict`` and, in ``meta``, the text.
    """
    with safe_open(path, 'pt', device) as file:
        state_dict = {key: file.get_tensor(key) for key in file.keys()}
        text = file.metadata() or {}
    meta = json.loads(text[_META]) if _META in text else text
    return dict(state_dict=state_dict, meta=meta)


def pack_safetensors(content: dict) -> bytes:
    """Bytes of the file that :func:`read_safetensors` reads; tuples become lists.

    Args:
        content: ``state_dict``, and ``meta`` if there is any.
    """
    # One entry: the order of several changes from run to run, and so would the hash.
    text = {_META: json.dumps(content.get('meta', {}))}
    # Tensors that share memory or are no whole block of it are refused as they are.
    tensors = {k: v.detach().cpu().clone() for k, v in content['state_dict'].items()}
    return save({k: v.contiguous() for k, v in tensors.items()}, text)
