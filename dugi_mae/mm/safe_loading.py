"""mmengine's checkpoint loading, without its fallback to unsafe pickles."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from urllib.parse import urlparse

import torch
from mmengine.dist import barrier, get_rank
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import (
    get_deprecated_model_names,
    get_external_models,
    get_mmcls_models,
    get_torchvision_models,
)

from dugi_mae.checkpoints.io import LogBuffer, read_checkpoint
from dugi_mae.errors import DuGIError, check_choice

Location = str | torch.device | Callable | None


def enable_safe_loading() -> ExitStack:
    """Replace mmengine's loaders by ones that run no code of a file.

    mmengine reads a file that a safe load refuses a second time with everything
    allowed, with no more than a warning. ``load_from``, ``resume``, ``init_cfg`` of
    type ``Pretrained`` and the hosts' ``get_model``, ``init_model`` and inferencers all
    come through its table of loaders. Local files, URLs and the names of model zoos are
    read safely; other schemes are refused.

    Returns:
        A context whose end puts the loaders back that were there before.
    """
    before = dict(CheckpointLoader._schemes)
    safe = {prefix: partial(_refuse, prefix) for prefix in before}
    safe |= {'http://': _load_url, 'https://': _load_url, '': _load_local}
    safe |= {f'{zoo}://': partial(_load_from_zoo, zoo) for zoo in _ZOOS}
    for prefix, loader in safe.items():
        # mmengine tells which backend it uses by the name of the function.
        loader.__name__ = f'load_from_safe_{prefix.split(":")[0] or "local"}'
        CheckpointLoader.register_scheme(prefix, loader, force=True)

    def restore() -> None:
        CheckpointLoader._schemes.clear()
        CheckpointLoader._schemes.update(before)

    stack = ExitStack()
    stack.callback(restore)
    return stack


def _load_local(filename: str, map_location: Location = None) -> dict:
    checkpoint = read_checkpoint(filename, map_location)
    hub = checkpoint.get('message_hub')
    logs = hub.get('log_scalars') if isinstance(hub, dict) else None
    for key, log in logs.items() if isinstance(logs, dict) else ():
        if isinstance(log, LogBuffer):
            values, counts = (log.state[f'_{k}_history'] for k in ('log', 'count'))
            logs[key] = HistoryBuffer(values, counts, log.state['max_length'])
    return checkpoint


def _load_url(filename: str, map_location: Location = None) -> dict:
    """Download once, as ``torch.hub`` does, then read safely."""
    folder = Path(torch.hub.get_dir()) / 'checkpoints'
    path = folder / os.path.basename(urlparse(filename).path)
    if get_rank() == 0 and not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(filename, str(path))
    barrier()
    return _load_local(str(path), map_location)


#: What a prefix looks names up in.
_ZOOS: dict[str, Callable[[], dict[str, str]]] = {
    'mmcls': get_mmcls_models,
    'modelzoo': get_torchvision_models,
    'open-mmlab': get_external_models,
    'openmmlab': get_external_models,
    'torchvision': get_torchvision_models,
}


def _load_from_zoo(zoo: str, filename: str, map_location: Location = None) -> dict:
    name, urls = filename.partition('://')[2], _ZOOS[zoo]()
    if zoo.endswith('mmlab'):
        name = get_deprecated_model_names().get(name, name)
    check_choice(f'{zoo} model', name, urls)
    return _load_url(urls[name], map_location)


def _refuse(prefix: str, filename: str, map_location: Location = None) -> dict:
    raise DuGIError(
        f'{filename} cannot be read safely from its storage: download it and give the '
        'path of the file'
    )
