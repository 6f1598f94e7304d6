"""Our weights in mmpretrain's hub: ``list_models('*dugi*')``, ``get_model(name)``."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from mmengine.fileio import dump, load
from mmpretrain.apis.model import ModelHub


def register_models() -> None:
    """Add the pre-training models that have weights to the hub, once.

    Their metafile lies beside the package in a checkout and in ``dugi_mae/.mim`` after
    an installation. The weights get an absolute path, so that they are found from every
    working folder; ``get_model(name, pretrained=True)`` reads them inside
    :func:`dugi_mae.enable_safe_loading`.
    """
    package = Path(__file__).resolve().parents[1]
    for root in (package.parent, package / '.mim'):
        metafile = root / 'configs/pretrain/metafile.yml'
        if metafile.is_file():
            break
    else:
        return
    content = load(metafile)
    content['Models'] = [
        dict(model, Weights=str(root / model['Weights']))
        for model in content['Models']
        if model['Weights'] and not ModelHub.has(model['Name'])
    ]
    if content['Models']:
        with TemporaryDirectory() as folder:
            dump(content, f'{folder}/model-index.yml')
            ModelHub.register_model_index(f'{folder}/model-index.yml', root)
