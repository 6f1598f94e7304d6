"""mmengine's checkpoint loading, without its fallback to unsafe pickles."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
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

from dugi_mae.checkpoints.io import LogBuffer, check_finite, read_checkpoint
from dugi_mae.errors import DuGIError, check_choice

Location = str | torch.device | Callable | None

#: mmengine's own loaders by prefix, while any context is open.
_replaced: dict[str, Callable] = {}
_open_contexts = 0


def enable_safe_loading() -> ExitStack:
    """Replace mmengine's loaders by ones that run no code of a file.

    mmengine reads a file that a safe load refuses a second time with everything
    allowed, with no more than a warning. ``load_from``, ``resume``, ``init_cfg`` of
    type ``Pretrained`` and the hosts' ``get_model``, ``init_model`` and inferencers all
    come through its table of loaders. Local files, URLs and the names of model zoos are
    read safely, without the config that they hold; other schemes are refused.

    Returns:
        A context; when the last one that is open ends, the loaders are put back that
        were there before the first.
    """
    global _open_contexts
    if not _open_contexts:
        _replaced.update(CheckpointLoader._schemes)
        for prefix in _replaced:
            load = _LOADERS.get(prefix, load_from_unsafe_storage)
            CheckpointLoader.register_scheme(prefix, load, force=True)
    _open_contexts += 1
    stack = ExitStack()
    stack.callback(_close_context)
    return stack


def _close_context() -> None:
    global _open_contexts
    _open_contexts -= 1
    if not _open_contexts:
        CheckpointLoader._schemes.clear()
        CheckpointLoader._schemes.update(_replaced)
        _replaced.clear()


# mmengine logs the names of the following functions from the eleventh letter on.


def load_from_safe_file(filename: str, map_location: Location = None) -> dict:
    """Read a local file, without configs; mmengine gets its own log buffers.

    Raises:
        DuGIError: If the file cannot be read safely or its weights are not finite.
    """
    checkpoint = read_checkpoint(filename, map_location)
    weights = checkpoint.get('state_dict', checkpoint)
    if isinstance(weights, dict):
        check_finite(weights, filename)
    hub = checkpoint.get('message_hub')
    # Runners and inferencers execute the text of a config as Python; whatever a config
    # names is called when it is built.
    for holder, keys in (
        (checkpoint.get('meta'), ('config', 'cfg')),
        (hub.get('runtime_info') if isinstance(hub, dict) else None, ('cfg',)),
    ):
        for key in keys if isinstance(holder, dict) else ():
            holder.pop(key, None)
    logs = hub.get('log_scalars') if isinstance(hub, dict) else None
    for key, log in logs.items() if isinstance(logs, dict) else ():
        if isinstance(log, LogBuffer):
            try:
                values, counts = (log.state[f'_{k}_history'] for k in ('log', 'count'))
                logs[key] = HistoryBuffer(values, counts, log.state['max_length'])
            except (KeyError, TypeError, AssertionError) as error:
                raise DuGIError(
                    f'checkpoint {filename}: message_hub.log_scalars.{key} is no '
                    'complete log buffer: the file is damaged, get it again'
                ) from error
    return checkpoint


def load_from_safe_url(filename: str, map_location: Location = None) -> dict:
    """Download once, as ``torch.hub`` does, then read safely."""
    folder = Path(torch.hub.get_dir()) / 'checkpoints'
    path = folder / os.path.basename(urlparse(filename).path)
    if get_rank() == 0 and not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(filename, str(path))
    barrier()
    return load_from_safe_file(str(path), map_location)


#: What the names after a prefix are looked up in.
_ZOOS: dict[str, Callable[[], dict[str, str]]] = {
    'mmcls': get_mmcls_models,
    'modelzoo': get_torchvision_models,
    'open-mmlab': get_external_models,
    'openmmlab': get_external_models,
    'torchvision': get_torchvision_models,
}


def load_from_safe_zoo(filename: str, map_location: Location = None) -> dict:
    """Look the URL of a name up, then load that."""
    zoo, _, name = filename.partition('://')
    urls = _ZOOS[zoo]()
    if zoo.endswith('mmlab'):
        name = get_deprecated_model_names().get(name, name)
    check_choice(f'{zoo} model', name, urls)
    checkpoint = load_from_safe_url(urls[name], map_location)
    if zoo != 'mmcls':
        return checkpoint
    # What is asked for by this prefix is the backbone of a classifier.
    state_dict, prefix = checkpoint.get('state_dict', checkpoint), 'backbone.'
    names = [key for key in state_dict if key.startswith(prefix)]
    return dict(state_dict={k.removeprefix(prefix): state_dict[k] for k in names})


def load_from_unsafe_storage(filename: str, map_location: Location = None) -> dict:
    """Refuse what only an unsafe load of mmengine's could read."""
    raise DuGIError(
        f'{filename} cannot be read safely from its storage: download it and give the '
        'path of the file'
    )


_LOADERS = {
    '': load_from_safe_file,
    'http://': load_from_safe_url,
    'https://': load_from_safe_url,
    **{f'{zoo}://': load_from_safe_zoo for zoo in _ZOOS},
}
