"""Reading config files."""

from __future__ import annotations

import difflib
import inspect
import textwrap
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner

from dugi_mae.errors import DuGIError

#: What running a damaged config may raise: a config is Python.
_ERRORS = (
    *(SyntaxError, NameError, TypeError, ValueError, LookupError, AttributeError),
    *(ArithmeticError, AssertionError, ImportError, OSError, RuntimeError),
)

#: Keys that Runner and the tools take from a config beside Runner's own arguments.
_TOOL_KEYS = (
    *('auto_scale_lr', 'compile', 'custom_imports', 'find_unused_parameters'),
    *('model_wrapper_cfg', 'runner_type', 'tta_model', 'tta_pipeline'),
)


def read_config(path: str | Path) -> Config:
    """Read a config file.

    Raises:
        DuGIError: If it does not exist (the message suggests the nearest one), is a
            folder, or is no config that can be read.
    """
    path = Path(path)
    if path.is_dir():
        raise DuGIError(f'config {path} is a folder: name the .py file in it')
    if not path.is_file():
        found = [*path.parent.glob('*.py'), *Path('configs').rglob('*.py')]
        names = [str(p) for p in found]
        near = difflib.get_close_matches(str(path), names, n=1, cutoff=0.3)
        hint = f': did you mean {near[0]}?' if near else ': check the path'
        raise DuGIError(f'config {path} does not exist{hint}')
    try:
        return Config.fromfile(path)
    except _ERRORS as error:
        reason = ' '.join(f'{type(error).__name__}: {error}'.split())
        raise DuGIError(
            f'config {path} cannot be read ({reason}): correct it, or what it is based '
            'on; DUGI_DEBUG=1 shows where'
        ) from error


def override(config: Config, options: dict | None) -> None:
    """Merge the settings of ``--cfg-options`` into a config.

    mmengine adds a key that it does not know, and nothing ever reads it.

    Args:
        config: Changed in place.
        options: Values by dotted key; ``None`` changes nothing.

    Raises:
        DuGIError: If the first part of a key is none that a config has (the message
            suggests the nearest one), or the others lead nowhere.
    """
    if not options:
        return
    known = {*config, *inspect.signature(Runner).parameters, *_TOOL_KEYS}
    for key in options:
        first = key.split('.')[0]
        if first not in known:
            near = difflib.get_close_matches(first, known, n=1)
            hint = f'did you mean {near[0]!r}?' if near else 'correct --cfg-options'
            raise DuGIError(f'config {config.filename} has no key {first!r}: {hint}')
    try:
        config.merge_from_dict(options)
    except _ERRORS as error:
        if len(options) > 1:  # mmengine does not say which: one by one they do
            for key, value in options.items():
                override(config, {key: value})
        settings = ' '.join(f'{key}={value}' for key, value in options.items())
        reason = ' '.join(map(str, error.args))  # str of a KeyError has quotes
        reason = textwrap.shorten(reason, 100, placeholder=' ...')
        raise DuGIError(
            f'{settings} cannot be set in config {config.filename} ({reason}): correct '
            '--cfg-options'
        ) from error


def check_schedule(config: Config) -> None:
    """Make sure that every part of the schedule begins before training ends.

    Args:
        config: With ``train_cfg`` and ``param_scheduler``.

    Raises:
        DuGIError: With the key of the part, and what to change.
    """
    train_cfg, parts = config.get('train_cfg') or {}, config.get('param_scheduler')
    parts = parts if isinstance(parts, list) else [parts or {}]
    for index, part in enumerate(parts):
        key = 'max_epochs' if part.get('by_epoch', True) else 'max_iters'
        end, begin = train_cfg.get(key), part.get('begin', 0)
        if end is not None and begin >= end:
            raise DuGIError(
                f'train_cfg.{key}={end}, and param_scheduler.{index}.begin={begin}: '
                f'train longer, or set param_scheduler.{index}.begin, and where the '
                'part before it ends, to less'
            )
