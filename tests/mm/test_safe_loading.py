"""Nothing that is loaded through mmengine or its hosts runs what a file contains."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import toys
from mmengine.config import Config
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader, Runner, load_checkpoint
from mmpretrain import get_model
from safetensors.torch import save_file
from torch import nn

from dugi_mae import enable_safe_loading
from dugi_mae.apis import ReconstructionInferencer
from dugi_mae.checkpoints.io import LogBuffer, read_checkpoint
from dugi_mae.errors import DuGIError
from dugi_mae.images.synthetic import write_dataset
from dugi_mae.mm import safe_loading
from dugi_mae.mm.models import ConvViT

ROOT = Path(__file__).resolve().parents[2]
REFUSED = r'(evil|iter_1)\.pth cannot be read safely \(it asks for .*mkdir\)'


@pytest.fixture
def evil(tmp_path) -> Iterator[Path]:
    """A checkpoint like any other, beside whose weights code lies in wait.

    After the test the code must not have run, and an unsafe load must run it.
    """
    proof, path = tmp_path / 'it_ran', tmp_path / 'evil.pth'
    state = toys.conv_vit().state_dict()
    content = dict(
        state_dict={f'backbone.{k}': v for k, v in state.items()},
        meta=dict(epoch=1, iter=2),
        optimizer=dict(state={}),
        message_hub=toys.Payload(os.mkdir, str(proof)),
    )
    torch.save(content, path)
    yield path
    assert not proof.exists()
    torch.load(path, weights_only=False)
    assert proof.is_dir()


@pytest.fixture
def safe() -> Iterator[None]:
    """Safe loading for the length of a test."""
    with enable_safe_loading():
        yield


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


@pytest.mark.usefixtures('safe')
@pytest.mark.parametrize(
    'init_cfg', [dict(type='Pretrained'), dict(type='Pretrained', prefix='backbone.')]
)
def test_init_cfg_of_mmengine(evil, init_cfg):
    """Mmengine's own ``init_cfg`` type; ours is safe at all times."""
    init_cfg = dict(init_cfg, checkpoint=str(evil))
    with pytest.raises(DuGIError, match=REFUSED):
        ConvViT(toys.ARCH, img_size=64, init_cfg=init_cfg).init_weights()


@pytest.mark.usefixtures('safe')
@pytest.mark.parametrize('resume', [False, True])
def test_load_from_and_resume_of_a_runner(evil, toy_config, resume):
    """Neither key of a config."""
    config = Config.fromfile(toy_config)
    config.update(load_from=str(evil), resume=resume)
    with pytest.raises(DuGIError, match=REFUSED):
        Runner.from_cfg(config).train()


def test_our_tools_and_inferencers(evil, tool, toy_config, tmp_path):
    """They read safely without being asked; the table of loaders is back afterwards."""
    before = dict(CheckpointLoader._schemes)
    work_dir = tmp_path / 'run'
    work_dir.mkdir()
    (work_dir / 'iter_1.pth').write_bytes(evil.read_bytes())
    for call in (
        lambda: tool('train.py', toy_config, '--resume', evil),
        lambda: tool('train.py', toy_config, '--resume'),
        lambda: tool('train.py', toy_config, '--cfg-options', f'load_from={evil}'),
        lambda: tool('test.py', toy_config, evil),
        lambda: ReconstructionInferencer(toy_config, evil),
    ):
        with pytest.raises(DuGIError, match=REFUSED):
            call()
        assert dict(CheckpointLoader._schemes) == before


@pytest.mark.usefixtures('safe')
def test_get_model(evil, toy_config):
    """The hosts' ``get_model``."""
    with pytest.raises(DuGIError, match=REFUSED):
        get_model(Config.fromfile(toy_config), pretrained=str(evil))


@pytest.mark.usefixtures('safe')
@pytest.mark.parametrize('address', ['https://example.org/evil.pth', 'mmcls://evil'])
def test_a_download(evil, monkeypatch, address):
    """It is stored once, as torch stores it, and then read safely."""
    monkeypatch.setenv('TORCH_HOME', str(evil.parent))
    copies = []

    def download(url, path):
        copies.append(url)
        Path(path).write_bytes(evil.read_bytes())

    monkeypatch.setattr(torch.hub, 'download_url_to_file', download)
    url = 'https://example.org/evil.pth'
    monkeypatch.setattr(
        'dugi_mae.mm.safe_loading._ZOOS', dict(mmcls=lambda: dict(evil=url))
    )
    for _ in range(2):
        with pytest.raises(DuGIError, match=REFUSED):
            load_checkpoint(nn.Linear(1, 1), address)
    assert copies == [url]


@pytest.mark.usefixtures('safe')
def test_names_and_places_that_are_unknown():
    """A misspelt name of a zoo, and storages that cannot be read safely."""
    with pytest.raises(DuGIError, match="did you mean 'resnet50'"):
        load_checkpoint(nn.Linear(1, 1), 'torchvision://resnet5O')
    with pytest.raises(DuGIError, match='s3://x/y.pth.*download it'):
        load_checkpoint(nn.Linear(1, 1), 's3://x/y.pth')


def test_the_table_of_loaders_is_put_back(tmp_path):
    """At the end of the context, nested or not; without one it stays."""
    before, environment = dict(CheckpointLoader._schemes), dict(os.environ)
    with enable_safe_loading():
        safe = dict(CheckpointLoader._schemes)
        assert safe.keys() == before.keys()
        assert not set(map(id, safe.values())) & set(map(id, before.values()))
        with enable_safe_loading():
            pass
        assert dict(CheckpointLoader._schemes) == safe
        assert dict(os.environ) == environment
    assert dict(CheckpointLoader._schemes) == before
    context = enable_safe_loading()
    assert dict(CheckpointLoader._schemes) != before
    context.close()
    assert dict(CheckpointLoader._schemes) == before


def test_contexts_may_end_in_any_order():
    """The loaders stay safe until the last context has ended."""
    before = dict(CheckpointLoader._schemes)
    first, second = enable_safe_loading(), enable_safe_loading()
    first.close()
    assert CheckpointLoader._schemes[''] is not before['']
    second.close()
    assert dict(CheckpointLoader._schemes) == before


@pytest.mark.usefixtures('safe')
def test_a_name_of_mmcls_is_a_backbone(tmp_path, monkeypatch):
    """As in mmengine: its tensors without the prefix, and no others."""
    torch.save(
        {'state_dict': {'backbone.a': torch.ones(2), 'head.b': torch.ones(3)}},
        tmp_path / 'model.pth',
    )
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setattr(
        torch.hub,
        'download_url_to_file',
        lambda url, path: Path(path).write_bytes((tmp_path / 'model.pth').read_bytes()),
    )
    monkeypatch.setitem(
        safe_loading._ZOOS, 'mmcls', lambda: dict(x='https://example.org/model.pth')
    )
    found = CheckpointLoader.load_checkpoint('mmcls://x')
    assert list(found['state_dict']) == ['a']


@pytest.mark.usefixtures('safe')
@pytest.mark.parametrize('state', [None, dict(max_length=3)])
def test_an_incomplete_log_buffer_is_named(tmp_path, state):
    """Not an AttributeError or KeyError somewhere below."""
    path = tmp_path / 'crafted.pth'
    buffer = HistoryBuffer.__new__(HistoryBuffer)
    buffer.__dict__.clear()
    buffer.__dict__.update(state or {})
    hub = dict(log_scalars=dict(loss=buffer))
    torch.save(dict(state_dict={}, message_hub=hub), path)
    with pytest.raises(DuGIError, match=r'crafted\.pth.*log_scalars\.loss.*damaged'):
        CheckpointLoader.load_checkpoint(str(path))


@pytest.mark.usefixtures('safe')
def test_ordinary_files_load(tmp_path):
    """Tensors go where they are wanted, ``~`` is the home folder."""
    weight = torch.rand(2, 2)
    torch.save(dict(state_dict=dict(weight=weight)), tmp_path / 'x.pth')
    for device in ('cpu', torch.device('cpu'), None, lambda storage, _: storage):
        found = CheckpointLoader.load_checkpoint(str(tmp_path / 'x.pth'), device)
        assert torch.equal(found['state_dict']['weight'], weight)
    with pytest.raises(DuGIError, match='nowhere.pth does not exist'):
        CheckpointLoader.load_checkpoint('~/nowhere.pth')


@pytest.mark.usefixtures('safe')
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


def training_checkpoint(path: Path) -> str:
    """What a runner writes: message hub with log buffers, numbers and metadata."""
    hub = MessageHub('test_safe_loading')
    for i in range(5):
        hub.update_scalar('train/loss', 1.0 / (i + 1))
        hub.update_scalar('val/miou', np.float64(i).item())
    classes = dict(classes=('a', 'b'), palette=[[0, 0, 0], [255, 0, 0]])
    numbers = dict(seed=np.int64(3), best=np.float64(0.5), small=np.float32(0.25))
    hub.update_info_dict(dict(**numbers, done=np.bool_(True), dataset_meta=classes))
    model = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.rand(1, 3)).sum().backward()
    optimizer.step()
    content = dict(
        meta=dict(epoch=1, cfg='a = 1', dataset_meta=classes),
        state_dict=model.state_dict(),
        message_hub=hub.state_dict(),
        optimizer=optimizer.state_dict(),
        param_schedulers=[dict(last_step=1, _global_step=2)],
    )
    torch.save(content, path)
    return str(path)


@pytest.mark.usefixtures('safe')
def test_log_buffers_are_those_of_mmengine(tmp_path, monkeypatch):
    """They come as they were, also in a process that has not made one itself yet."""
    path = training_checkpoint(tmp_path / 'epoch_1.pth')
    # Without these a validation right after a resume ended with a KeyError: 'mean has
    # not been registered'.
    monkeypatch.setattr(HistoryBuffer, '_statistics_methods', {})
    found = CheckpointLoader.load_checkpoint(path)['message_hub']
    buffer = found['log_scalars']['train/loss']
    assert isinstance(buffer, HistoryBuffer)
    np.testing.assert_allclose(buffer.data[0], [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])
    assert buffer.statistics('min') == pytest.approx(0.2)
    assert found['log_scalars']['val/miou'].statistics('mean') == 2
    info = found['runtime_info']
    assert (info['seed'], info['best'], info['done']) == (3, 0.5, True)
    assert info['small'] == np.float32(0.25)


def test_the_core_reads_them_without_mmengine(tmp_path):
    """As their content; the class, which is shared by the process, is not touched."""
    path = training_checkpoint(tmp_path / 'epoch_1.pth')
    buffer = read_checkpoint(path)['message_hub']['log_scalars']['val/miou']
    assert type(buffer) is LogBuffer
    np.testing.assert_array_equal(buffer.state['_log_history'], range(5))


@pytest.mark.parametrize('name', ['__init__', '__class__', 'register_statistics'])
def test_only_the_statistics_of_a_buffer_are_looked_up(tmp_path, name):
    """``getattr`` of the class gives a name, never a function."""
    payload = toys.Payload(getattr, HistoryBuffer, name)
    torch.save(dict(model=dict(a=torch.zeros(1)), x=payload), tmp_path / 'x.pth')
    try:
        assert read_checkpoint(tmp_path / 'x.pth')['x'] == name
    except DuGIError:
        pass  # Refusing the file is as good.


def test_a_file_cannot_change_how_logs_are_averaged(tmp_path):
    """``HistoryBuffer`` keeps its statistics in its class: no file may alter them."""
    before = dict(HistoryBuffer._statistics_methods)
    state = HistoryBuffer([1.0, 3.0], [1, 1]).__getstate__()
    state['statistics_methods'] = dict(mean=HistoryBuffer.max, extra=HistoryBuffer.min)
    evil = toys.Payload(HistoryBuffer)
    evil.call += (state,)
    content = dict(state_dict={}, message_hub=dict(log_scalars=dict(loss=evil)))
    torch.save(content, tmp_path / 'x.pth')
    with enable_safe_loading():
        found = CheckpointLoader.load_checkpoint(str(tmp_path / 'x.pth'))
    assert HistoryBuffer._statistics_methods == before
    assert found['message_hub']['log_scalars']['loss'].statistics('mean') == 2


def test_code_inside_a_buffer_does_not_run(tmp_path):
    """The state of a buffer is read like the rest of the file."""
    buffer = HistoryBuffer([1.0], [1])
    buffer.payload = toys.Payload(os.mkdir, str(tmp_path / 'it_ran'))
    torch.save(dict(state_dict={}, buffer=buffer), tmp_path / 'evil.pth')
    with pytest.raises(DuGIError, match=REFUSED):
        read_checkpoint(tmp_path / 'evil.pth')
    assert not (tmp_path / 'it_ran').exists()


@pytest.mark.parametrize('holder', ['meta.config', 'meta.cfg', 'runtime_info.cfg'])
def test_the_text_of_a_config_is_not_run(make_runner, tmp_path, holder):
    """Runners and inferencers of mmengine execute it: no load hands it out."""
    first = make_runner(epochs=2)
    first.train()
    path = Path(first.work_dir) / 'epoch_2.pth'
    content = read_checkpoint(path)
    content['message_hub']['log_scalars'] = {}
    part, key = holder.split('.')
    info = content['message_hub'].get(part) or content[part]
    info[key] = f'import os\nos.mkdir({str(tmp_path / "it_ran")!r})\n'
    torch.save(content, path)
    with enable_safe_loading():
        found = CheckpointLoader.load_checkpoint(str(path))
        make_runner(resume=True).train()
    assert key not in (found['message_hub'].get(part) or found[part])
    assert not (tmp_path / 'it_ran').exists()


def test_a_run_is_resumed(make_runner, monkeypatch):
    """Training goes on, and validating comes first, from what was read safely."""
    runner = make_runner(epochs=2)
    runner.train()
    path = f'{runner.work_dir}/epoch_2.pth'
    losses = runner.message_hub.log_scalars['train/loss'].data[0]
    weights = {k: v.clone() for k, v in runner.model.state_dict().items()}
    with enable_safe_loading():
        monkeypatch.setattr(HistoryBuffer, '_statistics_methods', {})
        first = make_runner(name='val', epochs=4, load_from=path, resume=True)
        first.val()
        assert torch.equal(first.model.layer.weight, weights['layer.weight'])
        again = make_runner(name='again', epochs=4, load_from=path, resume=True)
        again.train()
    found = again.message_hub.log_scalars['train/loss'].data[0]
    assert (again.epoch, len(found)) == (4, 12)
    np.testing.assert_array_equal(found[:6], losses)
