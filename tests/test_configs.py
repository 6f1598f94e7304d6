"""Every config loads, builds and trains.

Detectors and segmentors of several classes have test files of their own.
"""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from dugi_mae.images.synthetic import write_dataset
from dugi_mae.models.backbones import resolve_arch

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted(
    path.relative_to(ROOT / 'configs').as_posix()
    for path in (ROOT / 'configs').rglob('*.py')
    if not {'_base_', 'detection'} & set(path.parts)
    and (path.parent.name != 'segmentation' or 'sirst' in path.name)
)
TOY_ARCH = dict(embed_dims=(8, 12, 16), depths=(1, 1, 2), num_heads=2)
TOY_VIT = dict(embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=32)


@pytest.fixture(scope='module')
def toy_data(tmp_path_factory):
    """A few synthetic images, unlabelled and in the SIRST layout.

    Their lists also lie where other small-target sets have theirs; the folders of those
    are tested in ``datasets/test_small_target_configs.py``.
    """
    toy = write_dataset(
        tmp_path_factory.mktemp('toy'), num_images=12, height=96, width=128, seed=3
    )
    (toy.labelled / '50_50').mkdir()
    for name, split in (('trainval', 'train'), ('test', 'test')):
        names = (toy.labelled / 'idx_427' / f'{split}.txt').read_text()
        (toy.labelled / f'{name}.txt').write_text(names)
        (toy.labelled / '50_50' / f'{split}.txt').write_text(names)
    return toy


def all_types(node) -> list:
    """Every ``type`` of a config, in order of its keys."""
    if isinstance(node, dict):
        own = [node['type']] if 'type' in node else []
        return own + [t for key in sorted(node) for t in all_types(node[key])]
    if isinstance(node, (list, tuple)):
        return [t for item in node for t in all_types(item)]
    return []


def shrink_model(model: dict) -> None:
    """Give the encoder and what hangs on it toy widths."""
    backbone = model['backbone']
    if 'ConvViT' in backbone['type']:
        dims = resolve_arch(backbone['arch']).embed_dims
        widths = dict(zip(dims, TOY_ARCH['embed_dims'], strict=True))
        backbone['arch'] = TOY_ARCH
    else:
        widths = {768: TOY_VIT['embed_dims']}
        backbone['arch'] = TOY_VIT
    backbone['init_cfg'] = None
    for part in ('guidance', 'neck'):
        if model.get(part):
            model[part]['embed_dims'] = 16
    if model.get('guidance'):
        model['guidance']['num_heads'] = 2
    if 'decoder_embed_dims' in model.get('neck', {}):
        model['neck'].update(decoder_embed_dims=16, decoder_num_heads=2)
    for part in ('decode_head', 'auxiliary_head'):
        if model.get(part):
            head = model[part]
            channels = head['in_channels']
            head['in_channels'] = (
                [widths.get(c, c) for c in channels]  # the image keeps its 3
                if isinstance(channels, (list, tuple))
                else widths[channels]
            )
            head['channels'] = 8


def shrink_run(config: Config, toy_data, work_dir: Path) -> None:
    """Two iterations on toy data in this process."""
    labelled = config.get('default_scope') != 'mmpretrain'
    root = toy_data.labelled if labelled else toy_data.unlabeled
    for name in ('train', 'val', 'test'):
        loader = config.get(f'{name}_dataloader')
        if loader:
            loader.update(num_workers=0, persistent_workers=False, batch_size=2)
            loader.dataset.data_root = str(root)
            # A twentieth of a handful of images is none.
            if loader.dataset.get('split'):
                loader.dataset.val_fraction = 0.4
    if config.train_cfg.type == 'IterBasedTrainLoop':
        config.train_cfg.max_iters = 2
        config.train_cfg.pop('val_interval', None)
    else:
        config.train_cfg.max_epochs = 1
        config.train_cfg.pop('val_interval', None)
        config.train_dataloader.dataset.indices = 4
    config.param_scheduler = None
    config.default_hooks.checkpoint.pop('save_best', None)
    config.work_dir = str(work_dir)


def test_there_are_configs():
    """The parametrised tests below are not empty."""
    assert len(CONFIGS) >= 5


@pytest.mark.parametrize('name', CONFIGS)
def test_config_trains_two_iterations(name, toy_data, tmp_path):
    """A config trains two steps on toy data; the override changes sizes, not types."""
    config = Config.fromfile(ROOT / 'configs' / name)
    types = all_types(copy.deepcopy(config.model.to_dict()))
    shrink_model(config.model)
    assert [t for t in types if t != 'DuGIPretrained'] == all_types(
        config.model.to_dict()
    )
    shrink_run(config, toy_data, tmp_path)

    runner = Runner.from_cfg(config)
    runner.model.init_weights()  # drawing weights must not count as training them
    before = {k: v.clone() for k, v in runner.model.named_parameters()}
    runner.train()
    assert runner.iter == 2
    after = dict(runner.model.named_parameters())
    moved = [k for k, v in before.items() if not torch.equal(v, after[k])]
    trained = [k for k, v in after.items() if v.requires_grad]
    assert sorted(moved) == sorted(trained)
    assert all(v.isfinite().all() for v in after.values())


@pytest.mark.parametrize('name', CONFIGS)
def test_config_fits_at_full_size(name):
    """The widths that a config names for the parts fit together."""
    model = Config.fromfile(ROOT / 'configs' / name).model
    if model.backbone.arch == 'b':
        dims, num_heads = [768] * 3, 12
    else:
        dims, _, num_heads, _ = resolve_arch(model.backbone.arch)
    if 'neck' in model:
        assert model.neck.embed_dims == dims[-1]
        if model.get('guidance'):
            assert model.guidance.embed_dims == dims[-1]
            assert model.guidance.num_heads == num_heads
    maps = (*dims, dims[-1])
    if model.type == 'SmallTargetSegmentor':
        maps += (3,)
    for part in ('decode_head', 'auxiliary_head'):
        if model.get(part):
            index, channels = model[part].in_index, model[part].in_channels
            if isinstance(index, int):
                index, channels = [index], [channels]
            assert channels == [maps[i] for i in index]


@pytest.mark.parametrize('name', CONFIGS)
def test_padding_is_the_mean(name):
    """Hosts pad after normalising: a grey value there would be 100 deviations away."""
    model = Config.fromfile(ROOT / 'configs' / name).model
    assert model.data_preprocessor.get('pad_val', 0) == 0
