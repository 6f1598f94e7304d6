"""Reading config files."""

from __future__ import annotations

import difflib
from pathlib import Path

from mmengine.config import Config

from dugi_mae.errors import DuGIError

#: What running a damaged config may raise: a config is Python.
_ERRORS = (
    *(SyntaxError, NameError, TypeError, ValueError, LookupError, AttributeError),
    *(ArithmeticError, AssertionError, ImportError, OSError, RuntimeError),
)


def read_config(path: str | Path) -> Config:
    """Read a config file.

    Raises:
        DuGIError: If it does not exist (the message suggests the nearest one), or is
            no config that can be read.
    """
    path = Path(path)
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
