"""``tools/visualization/browse_pretrain.py``: what pre-training is given, drawn."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import cv2
import pytest
import toys

from dugi_mae.errors import DuGIError

ROOT = Path(__file__).resolve().parents[2]
PRETRAIN = 'configs/pretrain/dugi-mae_convvit-tiny_infrared-unlabeled.py'


@pytest.fixture
def browse(monkeypatch, tmp_path):
    """Run the tool on a folder of five images of noise."""
    monkeypatch.chdir(ROOT)
    toys.write_images(tmp_path / 'images', 5, height=80, width=96)

    def run(config: str, *flags: str) -> Path:
        out = tmp_path / 'out'
        argv = ['browse_pretrain.py', config, '--output-dir', str(out)]
        if config == PRETRAIN:
            argv += ['--cfg-options', f'train_dataloader.dataset.data_root={tmp_path}']
            argv += ['train_dataloader.dataset.data_prefix=images']
        argv += flags
        monkeypatch.setattr(sys, 'argv', argv)
        runpy.run_path('tools/visualization/browse_pretrain.py')['main']()
        return out

    return run


def test_every_image_is_drawn(browse, capsys):
    """``--number`` images, ``--rows`` a picture, three columns each."""
    out = browse(PRETRAIN, '--number', '5', '--rows', '3')
    pictures = sorted(out.glob('*.png'))
    assert [p.name for p in pictures] == ['00000.png', '00003.png']
    heights = [cv2.imread(str(p)).shape[0] for p in pictures]
    assert 1.3 < heights[0] / heights[1] <= 1.5  # above both are titles
    assert '5 of 5 training images' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('config', 'flags', 'message'),
    [
        (
            'configs/small_target/irstd_dugi-mae-tiny_sirst.py',
            (),
            'has no model.masking: .*browse_dataset',
        ),
        (PRETRAIN, ('--output-dir', f'{__file__}/sub'), 'sub cannot be'),
        (
            PRETRAIN,
            ('--cfg-options', 'train_dataloader.dataset.type=Infrared'),
            r"train_dataloader\.dataset\.type='Infrared' is unknown",
        ),
    ],
)
def test_bad_calls(browse, config, flags, message):
    """Another task's config and impossible settings are one line each."""
    with pytest.raises(DuGIError, match=message):
        browse(config, *flags)


def test_a_picture_that_cannot_be_written(browse, monkeypatch):
    """A full disk is no success."""
    monkeypatch.setattr(cv2, 'imwrite', lambda *_: False)
    with pytest.raises(DuGIError, match='picture .*00000.png cannot be written'):
        browse(PRETRAIN, '--number', '1')
