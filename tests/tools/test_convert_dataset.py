"""``tools/dataset_converters``, run in this process as the command line would."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from released_sets import RELEASES, m3fd

TOOLS = Path(__file__).resolve().parents[2] / 'tools' / 'dataset_converters'
#: Something that is written for each set.
WRITTEN = {
    'dronevehicle': 'images/train/00001.png',
    'flir': 'annotations/val.json',
    'hit-uav': 'annotations/val.json',
    'irstd1k': 'masks/XDU3.png',
    'llvip': 'annotations/test.json',
    'm3fd': 'splits/record.json',
    'mfnet': 'thermal/00003D.png',
    'msrs': 'test/Segmentation_labels',
}


@pytest.fixture
def run(monkeypatch, capsys) -> Callable[..., str]:
    """Call the tool; returns what it printed."""

    def call(*arguments: object) -> str:
        tool = TOOLS / 'convert_dataset.py'
        monkeypatch.setattr(sys, 'argv', [str(tool), *map(str, arguments)])
        runpy.run_path(str(tool), run_name='__main__')
        return capsys.readouterr().out

    return call


@pytest.mark.parametrize('name', RELEASES)
def test_each_set(tmp_path, run, name):
    """What is written is printed; another folder ends the tool with one line."""
    source = RELEASES[name](tmp_path / 'src')
    options = ['--subset'] if name == 'msrs' else []
    printed = run(name, source, tmp_path / 'out', *options)
    assert (tmp_path / 'out' / WRITTEN[name]).exists()
    assert str(tmp_path / 'out') in printed
    (tmp_path / 'other').mkdir()
    for folder in ('gone', 'other'):
        with pytest.raises(SystemExit, match=f'^DuGIError: .*/{folder} ') as error:
            run(name, tmp_path / folder, tmp_path / 'new')
        assert '\n' not in str(error.value)
        assert not (tmp_path / 'new').exists()


def test_options(tmp_path, run, capsys):
    """Those of a set arrive; those of another one are refused."""
    source, out = m3fd(tmp_path), tmp_path / 'out'
    (tmp_path / 'train.txt').write_text('00001\n00002\n00003')
    (tmp_path / 'val.txt').write_text('00004')
    printed = run('m3fd', source, out, '--splits', tmp_path)
    assert printed.startswith('train: 3 images')
    with pytest.raises(SystemExit, match='--splits is no option of llvip'):
        run('llvip', source, out, '--splits', tmp_path)
    with pytest.raises(SystemExit):
        run('m4fd', source, out)
    assert 'hit-uav' in capsys.readouterr().err
