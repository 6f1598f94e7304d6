"""``PretrainedCheckHook``: mmengine's ``Pretrained`` may not fail in silence."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModule
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import nn

import dugi_mae  # noqa: F401
from dugi_mae.datasets.synthetic import write_dataset
from dugi_mae.engine import PretrainedCheckHook
from dugi_mae.errors import DuGIError
from dugi_mae.models import ConvViT

ARCH = dict(embed_dims=(8, 12, 16), depths=(1, 1, 2), num_heads=2)


class Segmentor(BaseModule):
    """A backbone and a head, as hosts build them."""

    def __init__(self, init_cfg: dict | None = None, whole: bool = False, **kwargs):
        super().__init__(init_cfg if whole else None)
        options = dict(arch=ARCH, img_size=64) | kwargs
        self.backbone = ConvViT(**options, init_cfg=None if whole else init_cfg)
        self.head = nn.Linear(3, 2)


def start(init_cfg: dict | None, strict: str = 'complete', **kwargs) -> Segmentor:
    """What a runner does before the first iteration."""
    model = Segmentor(init_cfg, **kwargs)
    model.init_weights()
    PretrainedCheckHook(strict).before_train(SimpleNamespace(model=model))
    return model


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    """A segmentor's weights."""
    torch.manual_seed(7)
    model = Segmentor()
    for p in model.parameters():
        p.data += 0.1 * torch.randn_like(p)
    return model.state_dict()


@pytest.fixture
def write(tmp_path):
    """Write a state dict; returns the ``init_cfg`` that names it."""

    def save(state: dict, key: str = 'state_dict', **options) -> dict:
        torch.save({key: state}, tmp_path / 'x.pth')
        return dict(type='Pretrained', checkpoint=str(tmp_path / 'x.pth'), **options)

    return save


def bare(state: dict) -> dict:
    """The backbone alone."""
    prefix = 'backbone.'
    return {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}


def test_what_was_loaded_passes(state, write):
    """By prefix, bare, adapted to other channels and sizes, and of a whole model."""
    assert start(write(state, prefix='backbone.')).backbone is not None
    start(write(bare(state)), 'exact')
    start(write(bare(state)), in_channels=1, img_size=96)
    other_head = {**state, 'head.weight': torch.zeros(9, 3)}
    start(write(other_head), whole=True)
    start(None)


def test_a_wrong_prefix_raises(state, write):
    """A whole model without ``prefix``, and the prefix of another part."""
    message = r"x.pth does not fit backbone \(ConvViT\).*below 'backbone.'.*init_cfg"
    with pytest.raises(DuGIError, match=message) as caught:
        start(write(state))
    assert '\n' not in str(caught.value)
    with pytest.raises(DuGIError, match='another network'):
        start(write(state, prefix='head'))


def test_a_renamed_tensor_raises(state, write):
    """By name."""
    name = 'blocks3.1.norm1.bias'
    renamed = bare(state)
    renamed['blocks3.1.norm.bias'] = renamed.pop(name)
    with pytest.raises(DuGIError, match=f'lacks {name}: a renamed tensor'):
        start(write(renamed))


def test_another_arch_raises(state, write):
    """Other widths and other depths."""
    wide = dict(ARCH, embed_dims=(8, 20, 16))
    with pytest.raises(DuGIError, match=r'\(20\).*wrong arch: use'):
        start(write(bare(state)), arch=wide)
    with pytest.raises(DuGIError, match=r'lacks blocks3.2.*wrong arch'):
        start(write(bare(state)), arch=dict(ARCH, depths=(1, 1, 3)))


def test_the_key_of_published_files(state, write):
    """Weights that mmengine does not find under ``model``: the type to use is named."""
    with pytest.raises(DuGIError, match="lie under 'model': use type='DuGIPretrained'"):
        start(write(bare(state), key='model'))


def test_changed_after_loading(state, write):
    """Values are compared, not only names."""
    model = Segmentor(write(bare(state)))
    model.init_weights()
    with torch.no_grad():
        model.backbone.patch_embed4.weight[0, 0] += 1
    with pytest.raises(DuGIError, match='other values than .* in patch_embed4.weight:'):
        PretrainedCheckHook().before_train(SimpleNamespace(model=model))


def test_levels(state, write):
    """``exact`` refuses what is left over; ``warn`` raises nothing."""
    more = {**bare(state), 'fc.weight': torch.zeros(2)}
    start(write(more))
    with pytest.raises(DuGIError, match='fc.weight: a full model instead of its back'):
        start(write(more), 'exact')
    start(write(state), 'warn')
    with pytest.raises(DuGIError, match='strict='):
        PretrainedCheckHook('none')


def test_not_after_another_load(state, write):
    """``load_from`` and ``resume`` replace what was loaded: nothing to compare."""
    model = Segmentor(write(state))
    hook = PretrainedCheckHook()
    hook.after_load_checkpoint(SimpleNamespace(model=model), {})
    hook.before_train(SimpleNamespace(model=model))


def test_every_config_has_it(repo_root):
    """It stands in the runtime that all configs share, found in mmengine's root."""
    config = Config.fromfile(repo_root / 'configs/_base_/default_runtime.py')
    hook = HOOKS.build(config.default_hooks.pretrained_check)
    assert isinstance(hook, PretrainedCheckHook)
    assert hook.strict == 'complete'


def test_a_runner_stops_before_the_first_step(tmp_path, toy_pretrain_model):
    """A config that says nothing of the hook is protected by its runtime."""
    data = write_dataset(tmp_path / 'data', num_images=12, height=96, width=96, seed=5)
    config = Config.fromfile(toy_pretrain_model[0])
    config.work_dir = str(tmp_path / 'run')
    config.train_dataloader.update(
        num_workers=0, persistent_workers=False, batch_size=2
    )
    config.train_dataloader.dataset.update(data_root=str(data.unlabeled), indices=2)
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.test_cfg = config.test_dataloader = config.test_evaluator = None
    config.merge_from_dict(
        dict(custom_hooks=[], param_scheduler=None, train_cfg=dict(max_epochs=1))
    )
    file = str(toy_pretrain_model[1])
    config.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=file)
    with pytest.raises(DuGIError, match="wrong prefix: .* below 'backbone.'"):
        Runner.from_cfg(config).train()
    assert not list((tmp_path / 'run').glob('*.pth'))
