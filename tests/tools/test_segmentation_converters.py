"""The command lines of the segmentation converters, run in this process."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

TOOLS = Path(__file__).resolve().parents[2] / 'tools' / 'dataset_converters'
CHANNELS = dict(msrs=1, mfnet=4, irstd1k=1)
LAYOUTS = dict(
    msrs=('train/ir/00001D', 'train/Segmentation_labels/00001D'),
    mfnet=('images/00001D', 'labels/00001D'),
    irstd1k=('IRSTD1k_Img/XDU1', 'IRSTD1k_Label/XDU1'),
)


@pytest.fixture(params=LAYOUTS)
def case(request, tmp_path) -> tuple[str, Path]:
    """Name of a converter, and a set of two or three images for it."""
    source, name = tmp_path / 'source', request.param
    rng = np.random.RandomState(0)
    splits = dict(train='1', val='2', test='3')
    for split, number in splits.items():
        for pattern, channels in zip(LAYOUTS[name], (CHANNELS[name], 1), strict=True):
            path = source / pattern.replace('1', number).replace('train', split)
            path = Path(str(path).replace(f'IRSTD{number}k', 'IRSTD1k') + '.png')
            path.parent.mkdir(parents=True, exist_ok=True)
            shape = (32, 40, channels) if channels > 1 else (32, 40)
            cv2.imwrite(str(path), rng.randint(0, 2, shape).astype(np.uint8))
        image_name = f'XDU{number}' if name == 'irstd1k' else f'0000{number}D'
        (source / f'{split}.txt').write_text(image_name)
    return name, source


def run(monkeypatch, name: str, *arguments: object) -> None:
    """Call the tool as the command line would."""
    tool = TOOLS / f'{name}.py'
    monkeypatch.setattr(sys, 'argv', [str(tool), *map(str, arguments)])
    runpy.run_path(str(tool), run_name='__main__')


WRITTEN = dict(
    msrs=('train/ir', 'test/Segmentation_labels', 'splits/train.txt'),
    mfnet=('thermal/00002D.png', 'labels', 'splits/val.txt'),
    irstd1k=('images', 'masks/XDU3.png', 'trainval.txt', 'test.txt'),
)


def test_converts(monkeypatch, capsys, tmp_path, case):
    """The set is written and what is in it printed."""
    name, source = case
    out = tmp_path / 'out'
    run(monkeypatch, name, source, out, *(['--subset'] if name == 'msrs' else []))
    for path in WRITTEN[name]:
        assert (out / path).exists()
    assert 'test: 1 images' in capsys.readouterr().out


def test_error_is_one_line(monkeypatch, tmp_path, case):
    """Bad input ends the tool with one line on standard error and no traceback."""
    name, _ = case
    with pytest.raises(SystemExit) as caught:
        run(monkeypatch, name, tmp_path / 'nowhere', tmp_path / 'out')
    message = str(caught.value.code)
    assert message.startswith('DuGIError: ') and 'nowhere' in message
    assert '\n' not in message


@pytest.mark.parametrize('case', ['irstd1k'], indirect=True)
def test_lists_by_name(monkeypatch, tmp_path, case):
    """``--train`` and ``--test`` take the user's lists for IRSTD-1k."""
    name, source = case
    for split, number in (('train', 3), ('test', 2)):
        (tmp_path / f'{split}.lst').write_text(f'XDU{number}')
    lists = ('--train', tmp_path / 'train.lst', '--test', tmp_path / 'test.lst')
    run(monkeypatch, name, source, tmp_path / 'out', *lists)
    assert (tmp_path / 'out' / 'trainval.txt').read_text() == 'XDU3\n'
