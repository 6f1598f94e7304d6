"""The example runs as a user would run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import toys

import dugi_mae

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / 'examples/pretrain_plain_torch.py'


def pretrain(images: Path, out: Path, *flags: str) -> str:
    """Run the example for one epoch; what it prints."""
    options = ['--epochs', '1', '--size', '32', '--workers', '0', '--out', str(out)]
    command = [sys.executable, str(EXAMPLE), str(images), *options, *flags]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_pretrain_plain_torch(tmp_path):
    """The weights that it writes are those of an encoder, the picture is there."""
    images = toys.write_images(tmp_path / 'images', 4)
    printed = pretrain(images, tmp_path / 'out', '--batch-size', '2')
    assert 'epoch 1: loss' in printed
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
@pytest.mark.slow
def test_real_drones(data_root, tmp_path):
    """It trains on the frames of real videos."""
    printed = pretrain(
        data_root / 'drones/train', tmp_path, '--batch-size', '64', '--workers', '2'
    )
    assert float(printed.split('loss ')[1].split()[0]) < 2
