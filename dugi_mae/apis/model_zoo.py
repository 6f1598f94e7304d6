"""Our models in mmpretrain's hub: ``list_models('*dugi*')``, ``get_model(name)``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mmpretrain.apis.model import ModelHub


@cache
def register_models() -> None:
    """Enter the models of ``model-index.yml``, once; ``import dugi_mae`` does it.

    The file lies beside the package in a checkout and in ``dugi_mae/.mim`` after an
    installation. Where it is in neither place nothing is entered. Weights that a
    metafile names by a path are found from every working folder.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent, package / '.mim'):
        if (folder / 'model-index.yml').is_file():
            ModelHub.register_model_index(folder / 'model-index.yml', folder)
            for model in ModelHub._models_dict.values():
                if (model.weights or '').startswith('weights/'):
                    model.weights = str(folder / model.weights)
            return
