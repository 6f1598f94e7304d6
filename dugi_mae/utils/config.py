"""Reading config files."""

from __future__ import annotations

import difflib
from pathlib import Path

from mmengine.config import Config

from dugi_mae.errors import DuGIError


def read_config(path: str | Path) -> Config:
    """Read a config file.

    Raises:
        DuGIError: If it does not exist; the message suggests the nearest one.
    """
    path = Path(path)
    if not path.is_file():
        names = [str(p) for p in Path('configs').rglob('*.py')]
        near = difflib.get_close_matches(str(path), names, n=1, cutoff=0.3)
        hint = f': did you mean {near[0]}?' if near else ': check the path'
        raise DuGIError(f'config {path} does not exist{hint}')
    return Config.fromfile(path)
