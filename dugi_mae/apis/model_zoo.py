"""Our models in mmpretrain's hub: ``list_models('*dugi*')``, ``get_model(name)``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mmpretrain.apis.model import ModelHub


@cache
def register_models() -> None:
    """Enter the models of ``model-index.yml``, once; ``import dugi_mae`` does it.

    The file lies in ``dugi_mae/.mim`` after an installation and beside the package in a
    checkout. Where it is in neither place nothing is entered.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / '.mim', package.parent):
        if (folder / 'model-index.yml').is_file():
            ModelHub.register_model_index(folder / 'model-index.yml', folder)
            return
