"""Our models in mmpretrain's hub."""

from __future__ import annotations

import pytest
import torch
import yaml
from mmpretrain import get_model, list_models
from mmpretrain.apis.model import ModelHub

import dugi_mae
from dugi_mae.apis.model_zoo import register_models
from dugi_mae.checkpoints.io import file_sha256, read_state_dict

ARCH = dict(_delete_=True, embed_dims=(8, 12, 16), depths=(1, 1, 2), num_heads=2)


def index_names(repo_root) -> list[str]:
    """The models of all metafiles."""
    index = yaml.safe_load((repo_root / 'model-index.yml').read_text())
    files = [yaml.safe_load((repo_root / f).read_text()) for f in index['Import']]
    return [model['Name'] for content in files for model in content['Models']]


def test_every_model_is_listed(repo_root):
    """Importing us is enough for mmpretrain to know each model of the metafiles."""
    names = index_names(repo_root)
    assert len(set(names)) == len(names)
    assert set(names) <= set(list_models())
    assert 'dugi-mae_convvit-tiny_infrared-unlabeled' in list_models('*dugi*')


def test_registering_twice_is_harmless():
    """A second call, or import, adds nothing and raises nothing."""
    before = dict(ModelHub._models_dict)
    register_models()
    assert ModelHub._models_dict == before
    assert dugi_mae.__version__


def test_get_model_by_name():
    """A name of ours builds, and its parts work on their own."""
    model = get_model(
        'dugi-mae_convvit-tiny_infrared-unlabeled',
        backbone=dict(arch=ARCH),
        guidance=dict(embed_dims=16, num_heads=2),
        neck=dict(embed_dims=16, decoder_embed_dims=16, decoder_num_heads=2),
    )
    images = torch.randn(1, 3, 64, 64)
    assert model.backbone(images, model.masking(images)).shape == (1, 4, 16)


def test_published_weights(repo_root, monkeypatch, tmp_path):
    """The file of a metafile has its SHA-256 and loads by name from any folder."""
    metafile = yaml.safe_load((repo_root / 'configs/pretrain/metafile.yml').read_text())
    entries = [model for model in metafile['Models'] if model['Weights']]
    assert entries
    monkeypatch.chdir(tmp_path)
    for entry in entries:
        file = repo_root / entry['Weights']
        assert file.suffix == '.safetensors'
        assert file_sha256(file) == entry['Metadata']['SHA256']
        assert file.stem.endswith(entry['Metadata']['SHA256'][:8])
        model = get_model(entry['Name'], pretrained=True)
        for name, value in read_state_dict(file).items():
            found = model.state_dict()[name]
            assert found.equal(value.float().view_as(found)), name


def test_unknown_names_are_refused():
    """A typo is mmpretrain's own error."""
    with pytest.raises(ValueError, match='dugi-mea'):
        get_model('dugi-mea')
