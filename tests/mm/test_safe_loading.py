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

from dugi_mae import create_encoder, enable_safe_loading
from dugi_mae.apis import ReconstructionInferencer
from dugi_mae.checkpoints.io import LogBuffer, read_checkpoint
from dugi_mae.errors import DuGIError
from dugi_mae.mm.models import ConvViT
from dugi_mae.mm.pretrained import DuGIPretrained

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
    """A pre-training config that would train on four images."""
    toys.write_images(tmp_path / 'data', 4)
    path = tmp_path / 'toy.py'
    loader = 'num_workers=0, persistent_workers=False, dataset=dataset'
    path.write_text(f"""
_base_ = '{toy_pretrain_model[0]}'
dataset = dict(data_root='{tmp_path / 'data'}', split=None)
train_dataloader = val_dataloader = test_dataloader = dict({loader})
train_cfg = dict(max_epochs=1, val_interval=1)
param_scheduler = None
custom_hooks = []
work_dir = '{tmp_path / 'run'}'
""")
    return path


@pytest.mark.usefixtures('safe')
def test_what_mmengine_loads(evil, toy_config):
    """Its own ``init_cfg``, ``load_from``, and the hosts' ``get_model``."""
    init_cfg = dict(type='Pretrained', prefix='backbone.', checkpoint=str(evil))
    config = Config.fromfile(toy_config)
    config.load_from = str(evil)
    for call in (
        lambda: ConvViT(toys.ARCH, img_size=64, init_cfg=init_cfg).init_weights(),
        lambda: Runner.from_cfg(config).train(),
        lambda: get_model(Config.fromfile(toy_config), pretrained=str(evil)),
    ):
        with pytest.raises(DuGIError, match=REFUSED):
            call()


def test_our_own_ways(evil, tool, toy_config, tmp_path):
    """They read safely without being asked; the table of loaders is back afterwards."""
    before = dict(CheckpointLoader._schemes)
    work_dir = tmp_path / 'run'
    work_dir.mkdir()
    (work_dir / 'iter_1.pth').write_bytes(evil.read_bytes())
    for call in (
        lambda: tool('train.py', toy_config, '--resume', evil),
        lambda: tool('train.py', toy_config, '--resume'),
        lambda: tool('test.py', toy_config, evil),
        lambda: ReconstructionInferencer(toy_config, evil),
        lambda: DuGIPretrained(evil)(toys.conv_vit()),
        lambda: create_encoder(toys.ARCH, evil, img_size=64),
    ):
        with pytest.raises(DuGIError, match=REFUSED):
            call()
        assert dict(CheckpointLoader._schemes) == before


@pytest.fixture
def download(tmp_path, monkeypatch) -> Callable[[Path], list[str]]:
    """Let downloads give a file, and ``mmcls://x`` name one; lists their addresses."""

    def serve(file: Path) -> list[str]:
        fetched: list[str] = []

        def fetch(url: str, path: str) -> None:
            fetched.append(url)
            Path(path).write_bytes(file.read_bytes())

        monkeypatch.setenv('TORCH_HOME', str(tmp_path))
        monkeypatch.setattr(torch.hub, 'download_url_to_file', fetch)
        names = dict(mmcls=lambda: dict(x='https://example.org/evil.pth'))
        monkeypatch.setattr('dugi_mae.mm.safe_loading._ZOOS', names)
        return fetched

    return serve


@pytest.mark.usefixtures('safe')
def test_a_download(evil, download):
    """It is stored once, as torch stores it, and then read safely."""
    url, fetched = 'https://example.org/evil.pth', download(evil)
    for address in (url, 'mmcls://x'):
        with pytest.raises(DuGIError, match=REFUSED):
            load_checkpoint(nn.Linear(1, 1), address)
    assert fetched == [url]


@pytest.mark.usefixtures('safe')
def test_a_name_of_mmcls_is_a_backbone(tmp_path, download):
    """As in mmengine: its tensors without the prefix, and no others."""
    tensors = {'backbone.a': torch.ones(2), 'head.b': torch.ones(3)}
    torch.save(dict(state_dict=tensors), tmp_path / 'model.pth')
    download(tmp_path / 'model.pth')
    found = CheckpointLoader.load_checkpoint('mmcls://x')
    assert list(found['state_dict']) == ['a']


@pytest.mark.usefixtures('safe')
def test_names_and_places_that_are_unknown():
    """A misspelt name of a zoo, and storages that cannot be read safely."""
    with pytest.raises(DuGIError, match="did you mean 'resnet50'"):
        load_checkpoint(nn.Linear(1, 1), 'torchvision://resnet5O')
    with pytest.raises(DuGIError, match='s3://x/y.pth.*download it'):
        load_checkpoint(nn.Linear(1, 1), 's3://x/y.pth')


def test_the_table_of_loaders_is_put_back():
    """When the last context ends, whichever it is; until then it stays safe."""
    before, environment = dict(CheckpointLoader._schemes), dict(os.environ)
    first, second = enable_safe_loading(), enable_safe_loading()
    safe = dict(CheckpointLoader._schemes)
    assert safe.keys() == before.keys()
    assert not set(map(id, safe.values())) & set(map(id, before.values()))
    first.close()
    assert dict(CheckpointLoader._schemes) == safe
    assert dict(os.environ) == environment
    second.close()
    assert dict(CheckpointLoader._schemes) == before


@pytest.mark.usefixtures('safe')
def test_an_incomplete_log_buffer_is_named(tmp_path):
    """Not an AttributeError or KeyError somewhere below."""
    path = tmp_path / 'crafted.pth'
    buffer = HistoryBuffer.__new__(HistoryBuffer)
    buffer.__dict__.clear()
    hub = dict(log_scalars=dict(loss=buffer))
    torch.save(dict(state_dict={}, message_hub=hub), path)
    with pytest.raises(DuGIError, match=r'crafted\.pth.*log_scalars\.loss.*damaged'):
        CheckpointLoader.load_checkpoint(str(path))


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


@pytest.mark.usefixtures('safe')
def test_log_buffers_are_those_of_mmengine(tmp_path, monkeypatch):
    """They come as they were, also in a process that has not made one itself yet.

    The core reads their content without the class, which the process shares.
    """
    hub = MessageHub('test_safe_loading')
    for i in range(5):
        hub.update_scalar('train/loss', 1.0 / (i + 1))
        hub.update_scalar('val/miou', np.float64(i).item())
    classes = dict(classes=('a', 'b'), palette=[[0, 0, 0], [255, 0, 0]])
    numbers = dict(seed=np.int64(3), best=np.float64(0.5), small=np.float32(0.25))
    hub.update_info_dict(dict(**numbers, done=np.bool_(True), dataset_meta=classes))
    path = str(tmp_path / 'epoch_1.pth')
    weights = nn.Linear(3, 2).state_dict()
    torch.save(dict(state_dict=weights, message_hub=hub.state_dict()), path)
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
    buffer = read_checkpoint(path)['message_hub']['log_scalars']['val/miou']
    assert type(buffer) is LogBuffer
    np.testing.assert_array_equal(buffer.state['_log_history'], range(5))


@pytest.mark.parametrize('name', ['__init__', 'register_statistics'])
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


def test_the_text_of_a_config_is_not_run(make_runner, tmp_path):
    """Runners and inferencers of mmengine execute it: no load hands it out."""
    first = make_runner(epochs=2)
    first.train()
    path = Path(first.work_dir) / 'epoch_2.pth'
    content = read_checkpoint(path)
    content['message_hub']['log_scalars'] = {}
    text = f'import os\nos.mkdir({str(tmp_path / "it_ran")!r})\n'
    content['meta'] |= dict(config=text, cfg=text)
    content['message_hub']['runtime_info']['cfg'] = text
    torch.save(content, path)
    with enable_safe_loading():
        found = CheckpointLoader.load_checkpoint(str(path))
        make_runner(resume=True).train()
    assert not {'config', 'cfg'} & {
        *found['meta'],
        *found['message_hub']['runtime_info'],
    }
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
