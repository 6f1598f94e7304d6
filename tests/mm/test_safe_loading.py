"""Nothing that is loaded through mmengine or its hosts runs what a file contains."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader, Runner, load_checkpoint
from mmpretrain import get_model
from safetensors.torch import save_file
from torch import nn

import dugi_mae  # noqa: F401  puts the safe loaders in place
from dugi_mae.apis import init_pretrain_model
from dugi_mae.images.synthetic import write_dataset
from dugi_mae.errors import DuGIError
from dugi_mae.models import ConvViT

ROOT = Path(__file__).resolve().parents[2]
ARCH = dict(embed_dims=(8, 12, 16), depths=(1, 1, 2), num_heads=2)
REFUSED = r'evil\.pth cannot be read safely \(it asks for .*mkdir\)'


class Payload:
    """An object whose unpickling makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def evil(tmp_path) -> Path:
    """A checkpoint like any other, beside whose weights code lies in wait.

    After the test the code must not have run, and an unsafe load must run it.
    """
    proof, path = tmp_path / 'it_ran', tmp_path / 'evil.pth'
    state = ConvViT(ARCH, img_size=64).state_dict()
    content = dict(
        state_dict={f'backbone.{k}': v for k, v in state.items()},
        meta=dict(epoch=1, iter=2),
        optimizer=dict(state={}),
        message_hub=Payload(proof),
    )
    torch.save(content, path)
    yield path
    assert not proof.exists()
    torch.load(path, weights_only=False)
    assert proof.is_dir()


@pytest.fixture
def tool(monkeypatch) -> Callable[..., None]:
    """Call ``main()`` of a tool as the command line would."""

    def run(name: str, *arguments: object) -> None:
        monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
        runpy.run_path(str(ROOT / 'tools' / name))['main']()

    return run


@pytest.fixture
def toy_config(tmp_path, toy_pretrain_model) -> Path:
    """A pre-training config that would train a step on four images."""
    data = write_dataset(tmp_path / 'data', num_images=12, height=96, width=96, seed=5)
    path = tmp_path / 'toy.py'
    loader = 'num_workers=0, persistent_workers=False, batch_size=2'
    path.write_text(f"""
_base_ = '{toy_pretrain_model[0]}'
dataset = dict(data_root='{data.unlabeled}', val_fraction=0.4)
train_dataloader = dict({loader}, dataset=dict(indices=2, **dataset))
val_dataloader = dict({loader}, dataset=dataset)
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=1, val_interval=1)
param_scheduler = None
custom_hooks = []
work_dir = '{tmp_path / 'run'}'
""")
    return path


def test_converter(evil, tool, tmp_path):
    """The converter names what the file asks for, and the flag to trust it with."""
    with pytest.raises(DuGIError, match=REFUSED + '.*--trust'):
        tool('model_converters/convert_checkpoint.py', evil, tmp_path / 'x.pth')
    assert not (tmp_path / 'x.pth').exists()


def test_converter_trusts_when_told_to(tool, tmp_path):
    """``--trust`` reads a file that is refused otherwise, and only then."""
    source, proof = tmp_path / 'odd.pth', tmp_path / 'it_ran'
    state = ConvViT(ARCH, img_size=64).state_dict()
    torch.save(dict(model=state, extra=Payload(proof)), source)
    arguments = ['model_converters/convert_checkpoint.py', source, tmp_path / 'x.pth']
    with pytest.raises(DuGIError, match='--trust'):
        tool(*arguments)
    assert not proof.exists()
    tool(*arguments, '--trust')
    assert proof.is_dir()
    written = torch.load(tmp_path / 'x.pth', weights_only=True)['state_dict']
    assert written.keys() == state.keys()


@pytest.mark.parametrize(
    'init_cfg',
    [
        dict(type='DuGIPretrained'),
        dict(type='Pretrained'),
        dict(type='Pretrained', prefix='backbone.'),
    ],
)
def test_init_cfg(evil, init_cfg):
    """Neither our ``init_cfg`` type nor mmengine's own."""
    model = ConvViT(ARCH, img_size=64, init_cfg=dict(init_cfg, checkpoint=str(evil)))
    with pytest.raises(DuGIError, match=REFUSED):
        model.init_weights()


@pytest.mark.parametrize('resume', [False, True])
def test_load_from_and_resume_of_a_runner(evil, toy_config, resume):
    """Neither key of a config."""
    config = Config.fromfile(toy_config)
    config.update(load_from=str(evil), resume=resume)
    with pytest.raises(DuGIError, match=REFUSED):
        Runner.from_cfg(config).train()


def test_resume_flag(evil, tool, toy_config, tmp_path):
    """``tools/train.py --resume``, with a name and for the newest in the work dir."""
    with pytest.raises(DuGIError, match=REFUSED):
        tool('train.py', toy_config, '--resume', evil)
    (tmp_path / 'run').mkdir(exist_ok=True)
    (tmp_path / 'run' / 'last_checkpoint').write_text(str(evil))
    with pytest.raises(DuGIError, match=REFUSED):
        tool('train.py', toy_config, '--resume')


def test_test_tool(evil, tool, toy_config):
    """``tools/test.py``."""
    with pytest.raises(DuGIError, match=REFUSED):
        tool('test.py', toy_config, evil)


def test_get_model(evil, toy_config):
    """The hosts' ``get_model``, and the builder of our inferencers."""
    with pytest.raises(DuGIError, match=REFUSED):
        get_model(Config.fromfile(toy_config), pretrained=str(evil))
    with pytest.raises(DuGIError, match=REFUSED):
        init_pretrain_model(toy_config, evil)


def test_a_download(evil, monkeypatch):
    """What a loader of mmengine has downloaded is not run either."""
    monkeypatch.setattr(
        'mmengine.runner.checkpoint.load_url',
        lambda url, **_: torch.load(evil, weights_only=False),
    )
    for url in ('https://example.org/evil.pth', 'torchvision://resnet50'):
        with pytest.raises(DuGIError, match='cannot be read safely'):
            load_checkpoint(nn.Linear(1, 1), url)


def test_every_loader_is_guarded():
    """Whatever the scheme, an unsafe load inside its loader is refused."""
    loaders = CheckpointLoader._schemes
    assert {'', 'http://', 'https://', 'torchvision://', 'open-mmlab://'} <= set(
        loaders
    )
    assert all(
        hasattr(loader, '__wrapped__') for prefix, loader in loaders.items() if prefix
    )


def test_ordinary_files_load(tmp_path):
    """Log buffers pass, tensors go where they are wanted, ``~`` is the home folder."""
    weight = torch.rand(2, 2)
    content = dict(state_dict=dict(weight=weight), hub=HistoryBuffer([1.0], [1]))
    torch.save(content, tmp_path / 'x.pth')
    for device in ('cpu', torch.device('cpu'), None, lambda storage, _: storage):
        found = CheckpointLoader.load_checkpoint(str(tmp_path / 'x.pth'), device)
        assert torch.equal(found['state_dict']['weight'], weight)
    with pytest.raises(DuGIError, match='nowhere.pth does not exist'):
        CheckpointLoader.load_checkpoint('~/nowhere.pth')


def test_safetensors_load_everywhere(tmp_path):
    """What mmengine loads may be safetensors too."""
    model = BaseModule()
    model.layer = nn.Linear(3, 2)
    wanted = {k: torch.rand_like(v) for k, v in model.state_dict().items()}
    path = str(tmp_path / 'x.safetensors')
    save_file(wanted, path, metadata=dict(made_by='a test'))
    load_checkpoint(model, path, strict=True)
    assert all(torch.equal(v, wanted[k]) for k, v in model.state_dict().items())
    assert CheckpointLoader.load_checkpoint(path)['meta'] == dict(made_by='a test')
    Path(path).write_bytes(b'no safetensors')
    with pytest.raises(DuGIError, match=r'x\.safetensors cannot be read safely'):
        load_checkpoint(model, path)
