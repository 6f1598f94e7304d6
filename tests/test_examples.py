"""The example runs as a user would run it."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import toys

import dugi_mae

EXAMPLE = Path(__file__).resolve().parents[1] / 'examples/pretrain_plain_torch.py'


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
