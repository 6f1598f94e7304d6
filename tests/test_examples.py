"""The example runs as a user would run it."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import toys
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

import dugi_mae

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / 'examples/pretrain_plain_torch.py'


@pytest.fixture
def pretrain(monkeypatch, capsys, tmp_path) -> Callable[..., str]:
    """Run the example for one epoch of small crops; what it prints."""

    def run(images: Path) -> str:
        flags = '--epochs 1 --size 32 --workers 0 --batch-size 2'.split()
        argv = [str(EXAMPLE), str(images), *flags, '--out', str(tmp_path / 'out')]
        monkeypatch.setattr(sys, 'argv', argv)
        runpy.run_path(str(EXAMPLE), run_name='__main__')
        return capsys.readouterr().out

    yield run
    torch.set_flush_denormal(False)


def test_pretrain_plain_torch(pretrain, tmp_path):
    """The weights that it writes are those of an encoder, the picture is there."""
    assert 'epoch 1: loss' in pretrain(toys.write_images(tmp_path / 'images', 4))
    weights = tmp_path / 'out/encoder.safetensors'
    encoder = dugi_mae.create_encoder(
        'tiny', pretrained=weights, in_channels=1, img_size=32
    )
    assert len(encoder(encoder.prepare(toys.noise()))) == 4
    assert (tmp_path / 'out/reconstruction.png').stat().st_size > 0


def test_it_is_short():
    """At most 120 lines, and no OpenMMLab."""
    text = EXAMPLE.read_text()
    assert len(text.splitlines()) <= 120
    assert 'import mm' not in text and 'from mm' not in text


@pytest.mark.real_data
def test_real_drones(pretrain, data_root, tmp_path):
    """It trains on the frames of real videos."""
    (tmp_path / 'frames').mkdir()
    for path in sorted((data_root / 'drones/train').rglob('*.jpg'))[::100]:
        (tmp_path / 'frames' / path.name).symlink_to(path)
    printed = pretrain(tmp_path / 'frames')
    assert float(printed.split('loss ')[1].split()[0]) < 2


@pytest.mark.parametrize('net', ['ACM', 'DNA'])
def test_small_target_peers(net, monkeypatch):
    """Each peer trains on the losses of ours and gives one logit a pixel."""
    monkeypatch.syspath_prepend(ROOT)
    config = Config.fromfile(ROOT / 'examples/small_target_peers_sirst.py')
    config.model.decode_head.net = net
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(config.model)
    assert 0.4e6 < sum(p.numel() for p in model.parameters()) < 1e6
    sample = SegDataSample(gt_sem_seg=PixelData(data=torch.zeros(1, 64, 64).long()))
    sample.gt_sem_seg.data[..., 8:12, 9:12] = 1
    images = torch.randn(2, 1, 64, 64)
    sum(model.loss(images, [sample] * 2).values()).backward()
    assert all(p.grad is not None for p in model.parameters())
    assert model.eval()._forward(images[..., :50, :33]).shape[1] == 1
