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
import toys
from torch import nn

from dugi_mae.checkpoints.io import load_weights, read_checkpoint
from dugi_mae.errors import DuGIError

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / 'tools' / 'model_converters' / 'publish_model.py'
META = dict(
    epoch=3,
    iter=36,
    cfg="data_root = '/home/somebody/data'",
    dataset_meta=dict(CLASSES=('person', 'car')),
)
WEIGHTS = torch.arange(6.0).view(2, 3)


@pytest.fixture
def trained(tmp_path) -> Path:
    """A checkpoint as mmengine writes it: optimizer, logs and a path in the config."""
    history = pytest.importorskip('mmengine.logging').HistoryBuffer()
    history.update(np.float64(0.5))
    content = dict(
        state_dict={'backbone.weight': WEIGHTS, '_extra_state': 'text'},
        optimizer=dict(state={0: torch.zeros(100)}),
        message_hub=dict(log_scalars={'train/loss': history}),
        meta=META,
    )
    torch.save(content, tmp_path / 'epoch_3.pth')
    return tmp_path / 'epoch_3.pth'


@pytest.fixture
def publish(monkeypatch, tmp_path) -> Callable[..., list[Path]]:
    """Run the tool; what lies in the folder ``out`` afterwards."""

    def run(*arguments: object) -> list[Path]:
        monkeypatch.setattr(sys, 'argv', ['publish_model.py', *map(str, arguments)])
        runpy.run_path(str(TOOL))['main']()
        return list(tmp_path.glob('out/*'))

    return run


def test_only_what_others_need(publish, trained, tmp_path, capsys):
    """Weights and classes stay; optimizer, logs and the config with its paths go."""
    (file,) = publish(trained, tmp_path / 'out' / 'tiny.pth')
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert file.name == f'tiny-{digest[:8]}.pth'
    content = read_checkpoint(file)
    assert set(content) == {'state_dict', 'meta'}
    assert content['state_dict'].keys() == {'backbone.weight'}
    assert content['state_dict']['backbone.weight'].equal(WEIGHTS)
    assert content['meta']['dataset_meta'] == META['dataset_meta']
    assert 'cfg' not in content['meta']
    assert b'somebody' not in file.read_bytes()
    printed = capsys.readouterr().out
    assert 'left out: _extra_state, message_hub, optimizer' in printed
    assert f'sha256 {digest}' in printed


def test_equal_weights_give_equal_files(publish, trained, tmp_path):
    """Published twice, under two names, the hash is the same."""
    publish(trained, tmp_path / 'out' / 'a.pth')
    files = publish(trained, tmp_path / 'out' / 'b.pth')
    assert len({file.name.split('-')[1] for file in files}) == 1
    assert len(files) == 2


def test_nothing_else_is_touched(publish, trained):
    """DST may be the source itself, or another file: only DST-HASH is written."""
    before = trained.read_bytes()
    publish(trained, trained)
    (published,) = set(trained.parent.iterdir()) - {trained}
    assert published.name.startswith('epoch_3-')
    assert trained.read_bytes() == before


def test_safetensors(publish, trained, tmp_path):
    """By the ending a file that cannot hold code, with the same content."""
    (file,) = publish(trained, tmp_path / 'out' / 'tiny.safetensors')
    content = read_checkpoint(file)
    assert content['state_dict']['backbone.weight'].equal(WEIGHTS)
    assert content['meta']['dataset_meta'] == dict(CLASSES=['person', 'car'])
    assert content['meta']['epoch'] == 3


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_the_name_is_compared(publish, trained, tmp_path, suffix):
    """A published file that was changed on its way is not loaded."""
    (file,) = publish(trained, tmp_path / 'out' / f'dugi-mae_tiny.{suffix}')
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(DuGIError, match=r'has sha256 \w+, its name says \w{8}'):
        load_weights(nn.Linear(1, 1), file)


@pytest.mark.parametrize(
    ('content', 'name', 'message'),
    [
        (dict(model={'a': WEIGHTS}), 'out.pth', 'has no state_dict.*convert_ch'),
        (dict(state_dict={'a': WEIGHTS}), 'out.bin', 'out.bin: name a .pth or'),
        (dict(x=toys.Payload(os.mkdir, 'x')), 'out.pth', 'in.pth cannot be read saf'),
    ],
)
def test_bad_input(publish, tmp_path, monkeypatch, content, name, message):
    """A file of another kind or with code is named, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    torch.save(content, tmp_path / 'in.pth')
    with pytest.raises(DuGIError, match=message):
        publish(tmp_path / 'in.pth', tmp_path / name)
    assert [f.name for f in tmp_path.iterdir()] == ['in.pth']
