"""``tools/model_converters/publish_model.py``, run in this process."""

from __future__ import annotations

import hashlib
import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from dugi_mae.errors import DuGIError
from dugi_mae.checkpoints.io import read_checkpoint

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / 'tools' / 'model_converters' / 'publish_model.py'
META = dict(
    epoch=3,
    iter=36,
    cfg="data_root = '/home/somebody/data'",
    dataset_meta=dict(CLASSES=('person', 'car')),
)


@pytest.fixture
def trained(tmp_path) -> Path:
    """A checkpoint as mmengine writes it: optimizer, logs and a path in the config."""
    logs = HistoryBuffer()
    logs.update(np.float64(0.5))
    content = dict(
        state_dict={'backbone.weight': torch.arange(6.0).view(2, 3)},
        optimizer=dict(state={0: torch.zeros(100)}),
        message_hub=dict(log_scalars={'train/loss': logs}),
        meta=META,
    )
    torch.save(content, tmp_path / 'epoch_3.pth')
    return tmp_path / 'epoch_3.pth'


@pytest.fixture
def publish(monkeypatch) -> Callable[..., None]:
    """Run the tool with arguments."""

    def run(*arguments: object) -> None:
        monkeypatch.setattr(sys, 'argv', ['publish_model.py', *map(str, arguments)])
        runpy.run_path(str(TOOL))['main']()

    return run


def test_only_what_others_need(publish, trained, tmp_path, capsys):
    """Weights and classes stay; optimizer, logs and the config with its paths go."""
    publish(trained, tmp_path / 'out' / 'tiny.pth')
    (file,) = (tmp_path / 'out').iterdir()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert file.name == f'tiny-{digest[:8]}.pth'
    content = read_checkpoint(file)
    assert set(content) == {'state_dict', 'meta'}
    assert content['state_dict']['backbone.weight'].equal(torch.arange(6.0).view(2, 3))
    assert content['meta']['dataset_meta'] == META['dataset_meta']
    assert 'cfg' not in content['meta']
    assert b'somebody' not in file.read_bytes()
    printed = capsys.readouterr().out
    assert 'left out: message_hub, optimizer' in printed
    assert f'sha256 {digest}' in printed


def test_nothing_else_is_touched(publish, trained):
    """DST may be the source itself, or another file: only DST-HASH is written."""
    before = trained.read_bytes()
    publish(trained, trained)
    (published,) = set(trained.parent.iterdir()) - {trained}
    assert published.name.startswith('epoch_3-')
    assert trained.read_bytes() == before


def test_safetensors(publish, trained, tmp_path):
    """By the ending a file that cannot hold code, with the same content."""
    publish(trained, tmp_path / 'out' / 'tiny.safetensors')
    (file,) = (tmp_path / 'out').iterdir()
    content = read_checkpoint(file)
    assert content['state_dict']['backbone.weight'].equal(torch.arange(6.0).view(2, 3))
    assert content['meta']['dataset_meta'] == dict(CLASSES=['person', 'car'])
    assert content['meta']['epoch'] == 3


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_the_name_is_compared(publish, trained, tmp_path, suffix):
    """A published file that was changed on its way is not loaded."""
    publish(trained, tmp_path / 'out' / f'tiny.{suffix}')
    (file,) = (tmp_path / 'out').iterdir()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(DuGIError, match=r'has sha256 \w+, its name says \w{8}: it is'):
        read_checkpoint(file)


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_equal_weights_give_equal_files(publish, trained, tmp_path, suffix):
    """Published twice, under two names, the hash is the same."""
    for name in ('a', 'b'):
        publish(trained, tmp_path / 'out' / f'{name}.{suffix}')
    one, other = (f.name.split('-')[1] for f in (tmp_path / 'out').iterdir())
    assert one == other


def test_code_is_not_run(publish, tmp_path):
    """A checkpoint that would run code is refused, and nothing is written."""

    class Malicious:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / 'ran'),)

    torch.save(dict(state_dict={}, extra=Malicious()), tmp_path / 'bad.pth')
    with pytest.raises(DuGIError, match=r'bad\.pth cannot be read safely'):
        publish(tmp_path / 'bad.pth', tmp_path / 'out.pth')
    assert [f.name for f in tmp_path.iterdir()] == ['bad.pth']


@pytest.mark.parametrize(
    ('content', 'name', 'message'),
    [
        (dict(model={'a': torch.zeros(1)}), 'out.pth', 'has no state_dict.*convert_ch'),
        (dict(state_dict={'a': torch.zeros(1)}), 'out.bin', 'out.bin: name a .pth or'),
    ],
)
def test_bad_input(publish, tmp_path, content, name, message):
    """A file of another kind, or another ending, is named with what to do."""
    torch.save(content, tmp_path / 'in.pth')
    with pytest.raises(DuGIError, match=message):
        publish(tmp_path / 'in.pth', tmp_path / name)
