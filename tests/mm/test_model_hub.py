"""Our weights in mmpretrain's hub."""

from __future__ import annotations

import pytest
import torch
import toys
import yaml
from mmpretrain import FeatureExtractor, get_model, list_models
from mmpretrain.apis.model import ModelHub

import dugi_mae
import dugi_mae.mmpretrain
from dugi_mae.checkpoints.io import file_sha256, read_state_dict
from dugi_mae.mm.model_hub import register_models

NAME = 'dugi-mae_convvit-tiny_infrared-unlabeled'


@pytest.fixture(scope='module')
def metafiles(repo_root) -> dict[str, list[dict]]:
    """The models of each metafile that the index names."""
    index = yaml.safe_load((repo_root / 'model-index.yml').read_text())
    return {
        name: yaml.safe_load((repo_root / name).read_text())['Models']
        for name in index['Import']
    }


def test_metafiles_hold_what_was_measured(metafiles, repo_root):
    """Each entry has an existing config, and a result or weights; names are unique."""
    assert sorted(metafiles) == sorted(
        path.relative_to(repo_root).as_posix()
        for path in repo_root.glob('configs/*/metafile.yml')
    )
    models = [model for content in metafiles.values() for model in content]
    assert len({model['Name'] for model in models}) == len(models)
    for model in models:
        assert model['Results'] or model['Weights']
        assert (repo_root / model['Config']).stem == model['Name']
        assert (repo_root / model['Config']).is_file()


def test_only_models_with_weights_are_listed(metafiles):
    """The import adds those that ``get_model`` can fill; a second call adds nothing."""
    before = dict(ModelHub._models_dict)
    register_models()
    assert ModelHub._models_dict == before
    listed = [name for name in list_models() if 'dugi' in name or 'infmae' in name]
    assert listed == [m['Name'] for m in metafiles['configs/pretrain/metafile.yml']]
    assert listed == dugi_mae.list_models() == list_models('*dugi*') == [NAME]


def test_published_weights(metafiles, repo_root, monkeypatch, tmp_path):
    """The file of a metafile has its SHA-256 and loads by name from any folder."""
    [entry] = metafiles['configs/pretrain/metafile.yml']
    monkeypatch.chdir(tmp_path)
    file = repo_root / entry['Weights']
    assert file.suffix == '.safetensors'
    assert file_sha256(file) == entry['Metadata']['SHA256']
    assert file.stem.endswith(entry['Metadata']['SHA256'][:8])
    with dugi_mae.enable_safe_loading():
        model = get_model(entry['Name'], pretrained=True)
    assert sum(p.numel() for p in model.parameters()) == entry['Metadata']['Parameters']
    for name, value in read_state_dict(file).items():
        found = model.state_dict()[name]
        assert found.equal(value.float().view_as(found)), name


def test_feature_extractor_reads_16_bit(tmp_path):
    """Mmpretrain's own inferencer on our model, from a file that it cannot read."""
    image = 21000 + 40 * toys.noise(64, 96).astype('uint16')
    path = toys.write_image(tmp_path / 'a.png', image)
    with dugi_mae.enable_safe_loading():
        extractor = FeatureExtractor(NAME, pretrained=True, device='cpu')
    [tokens] = extractor(f'infrared://{path}')
    assert tokens.shape == (49, 192)
    [of_8_bit] = extractor(dugi_mae.load_infrared(path))
    assert torch.equal(tokens, of_8_bit)
