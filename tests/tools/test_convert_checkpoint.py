"""``tools/model_converters/convert_checkpoint.py``, run in this process."""

from __future__ import annotations

import hashlib
import os
import re
import runpy
import stat
import sys
from pathlib import Path

import pytest
import torch
import toys
from torch import nn

from dugi_mae import create_encoder, create_pretrainer
from dugi_mae.checkpoints.io import read_checkpoint
from dugi_mae.errors import DuGIError
from dugi_mae.models import EntropyMasking, MaskedDecoder

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / 'tools' / 'model_converters' / 'convert_checkpoint.py'


@pytest.fixture
def source(tmp_path) -> Path:
    """A toy DuGI-MAE checkpoint under its published names, as a script saves it."""
    parts = (
        toys.masked_conv_vit(),
        MaskedDecoder(16, 12, 2, 3, img_size=64),
        EntropyMasking(estimator='softmax', embed_dims=16),
    )
    state = {k: v for part in parts for k, v in part.state_dict().items()}
    state |= {f'var_ffns.0.{k}': v for k, v in nn.Linear(16, 64).state_dict().items()}
    torch.save({'model': state, 'epoch': 399}, tmp_path / 'published.pth')
    return tmp_path / 'published.pth'


@pytest.fixture
def convert(monkeypatch, capsys):
    """Call ``main()`` as the command line would; returns what it printed."""

    def call(*arguments) -> str:
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, arguments)])
        runpy.run_path(str(TOOL))['main']()
        return capsys.readouterr().out

    return call


def rows(printed: str) -> dict[str, tuple[int, str]]:
    """The table: what and subject -> count and text."""
    table = {}
    for line in printed.splitlines():
        if line.startswith(('mapped', 'dropped', 'fresh')):
            what, count, text = line.split(None, 2)
            table[f'{what} {text.partition(":")[0]}'] = int(count), text
    return table


def test_backbone_by_default(tmp_path, source, convert):
    """The encoder loads as any other; the table accounts for the rest."""
    path = tmp_path / 'deep' / 'backbone.pth'
    printed = convert(source, path)
    model = create_encoder(toys.ARCH, path, img_size=64)
    published = torch.load(source, weights_only=True)['model']
    for key, value in model.state_dict().items():
        assert torch.equal(value, published[key]), key

    table = rows(printed)
    assert table['mapped under the same names'][0] == len(model.state_dict())
    assert 'guidance, used in pre-training only' in table['dropped var_*'][1]
    assert sum(count for count, _ in table.values()) == len(published)
    dropped = [key for key in published if key not in model.state_dict()]
    assert set(dropped) <= set(re.split(r'[\s()]+', printed))
    assert 'DuGI-MAE checkpoint: arch=dict(embed_dims=(8, 12, 16)' in printed
    assert 'in_channels=3, img_size=64' in printed
    assert 'num_heads is not in the weights' in printed
    assert 'WARNING' not in printed

    content = torch.load(path, weights_only=True)
    assert sorted(content) == ['meta', 'state_dict']
    assert content['meta']['converted_from'] == 'published.pth'
    assert (content['meta']['kind'], content['meta']['to']) == ('DuGI-MAE', 'backbone')
    assert hashlib.sha256(path.read_bytes()).hexdigest() in printed


def test_pretrain_loads_completely(tmp_path, source, convert):
    """Our model takes the complete file; its guidance is fresh, as a warning says."""
    path = tmp_path / 'pretrain.safetensors'
    printed = convert(source, path, '--to', 'pretrain')
    model = create_pretrainer(
        toys.ARCH,
        path,
        masking=EntropyMasking(estimator='softmax', embed_dims=16),
        img_size=64,
        decoder_embed_dims=12,
        decoder_num_heads=3,
    )
    published = torch.load(source, weights_only=True)['model']
    assert torch.equal(model.neck.mask_token, published['mask_token'])
    assert torch.equal(
        model.masking.patch_embed.proj.weight, published['patch_embed.proj.weight']
    )
    guidance = len(model.guidance.state_dict())
    table = rows(printed)
    for part in ('masking', 'backbone', 'neck'):
        assert table[f'mapped {part}'][0] == len(getattr(model, part).state_dict())
    assert table['dropped var_*'][0] == 2
    assert table['fresh guidance'][0] == guidance
    assert f'WARNING: the guidance starts fresh: {guidance} tensors' in printed
    assert 'decoder_embed_dims=12, decoder_depth=2' in printed


def test_the_same_file_twice(tmp_path, source, convert):
    """Equal weights give equal bytes whatever the name, and replace an older file."""
    paths = [tmp_path / 'one.pth', tmp_path / 'another name.pth']
    paths[1].write_text('older')
    for path in paths:
        convert(source, path, '--to', 'pretrain')
    assert paths[0].read_bytes() == paths[1].read_bytes()
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(paths[0].stat().st_mode) == 0o666 & ~mask
    names = {p.name for p in tmp_path.iterdir()}
    assert names == {'another name.pth', 'one.pth', 'published.pth'}


@pytest.mark.parametrize('link', [None, 'symlink', 'hard link'])
def test_the_source_is_never_overwritten(tmp_path, source, convert, link):
    """Not by its own name, nor by another one of the same file."""
    before, target = source.read_bytes(), tmp_path / 'link.pth' if link else source
    if link == 'symlink':
        target.symlink_to(source)
    elif link == 'hard link':
        target.hardlink_to(source)
    with pytest.raises(DuGIError, match='is SRC itself: name another file'):
        convert(source, target)
    assert source.read_bytes() == before


def test_nothing_is_written_when_the_file_is_wrong(tmp_path, source, convert):
    """The message names the file and the tensor, and no half file stays behind."""
    content = torch.load(source, weights_only=True)
    del content['model']['patch_embed4.bias']
    torch.save(content, source)
    with pytest.raises(DuGIError, match=r'published.pth: the file lacks patch_embed4'):
        convert(source, tmp_path / 'x.pth')
    with pytest.raises(DuGIError, match='nowhere.pth does not exist'):
        convert(tmp_path / 'nowhere.pth', tmp_path / 'x.pth')
    assert [p.name for p in tmp_path.iterdir()] == ['published.pth']


def test_code_is_run_for_who_trusts_the_file_alone(tmp_path, convert):
    """The message names what the file asks for, and the flag."""
    path, proof = tmp_path / 'odd.pth', tmp_path / 'it_ran'
    state = toys.conv_vit().state_dict()
    payload = toys.Payload(os.mkdir, str(proof))
    torch.save(dict(model=state, extra=payload), path)
    with pytest.raises(DuGIError, match=r'odd\.pth .*mkdir.*--trust'):
        convert(path, tmp_path / 'x.pth')
    assert [p.name for p in tmp_path.iterdir()] == ['odd.pth']
    convert(path, tmp_path / 'x.pth', '--trust')
    assert proof.is_dir()
    written = read_checkpoint(tmp_path / 'x.pth')['state_dict']
    assert written.keys() == state.keys()
