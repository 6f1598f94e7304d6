"""``tools/dataset_converters``, run in this process as the command line would."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import released_sets
from released_sets import (  # noqa: F401
    dronevehicle,
    flir_aligned,
    hit_uav,
    irstd1k,
    llvip,
    m3fd,
    make_msrs,
    mfnet,
)

TOOLS = Path(__file__).resolve().parents[2] / 'tools' / 'dataset_converters'
#: Something that is written for each set, and a beginning of what is printed.
WRITTEN = {
    'dronevehicle': ('images/train/00001.png', 'train: 1 images'),
    'flir': ('annotations/val.json', 'FLIR ADAS, aligned'),
    'hit-uav': ('annotations/val.json', 'train: 2 images'),
    'irstd1k': ('masks/XDU3.png', 'trainval: 2 images'),
    'llvip': ('annotations/test.json', 'train: 2 images'),
    'm3fd': ('splits/record.json', 'train: 8 images'),
    'mfnet': ('thermal/00003D.png', 'train: 1 mirrored copies left out'),
    'msrs': ('test/Segmentation_labels', 'train: 3 images'),
}


@pytest.fixture
def convert(monkeypatch, capsys) -> Callable[..., list[str]]:
    """Call the tool; returns the lines that it printed."""

    def call(*arguments: object) -> list[str]:
        tool = TOOLS / 'convert_dataset.py'
        monkeypatch.setattr(sys, 'argv', [str(tool), *map(str, arguments)])
        runpy.run_path(str(tool), run_name='__main__')
        return capsys.readouterr().out.splitlines()

    return call


@pytest.mark.parametrize('name', WRITTEN)
def test_each_set(request, tmp_path, convert, name):
    """What is written is printed; another folder ends the tool with one line."""
    fixture = dict(flir='flir_aligned', msrs='make_msrs').get(name)
    source = request.getfixturevalue(fixture or name.replace('-', '_'))
    source = source() if callable(source) else source
    path, begin = WRITTEN[name]
    options = ['--subset'] if name == 'msrs' else []
    assert convert(name, source, tmp_path / 'out', *options)[0].startswith(begin)
    assert (tmp_path / 'out' / path).exists()
    (tmp_path / 'other').mkdir()
    for folder in ('gone', 'other'):
        with pytest.raises(SystemExit, match=f'^DuGIError: .*/{folder} ') as error:
            convert(name, tmp_path / folder, tmp_path / 'new')
        assert '\n' not in str(error.value)
        assert not (tmp_path / 'new').exists()


def test_options(tmp_path, convert, m3fd, irstd1k, capsys):  # noqa: F811
    """Those of a set arrive; those of another one are refused."""
    out = tmp_path / 'out'
    convert('m3fd', m3fd, out, '--val-fraction', '0.5', '--seed', '3')
    record = json.loads((out / 'splits' / 'record.json').read_text())
    assert (record['seed'], record['val_fraction']) == (3, 0.5)
    folder = tmp_path / 'lists'
    released_sets.write(folder / 'train.txt', '00001\n00002\n00003')
    released_sets.write(folder / 'val.txt', '00004')
    printed = convert('m3fd', m3fd, out, '--splits', folder)
    assert printed[0].startswith('train: 3 images')
    for number, split in enumerate(('train', 'test')):
        (folder / f'{split}.lst').write_text(f'XDU{number}')
    lists = ('--train', folder / 'train.lst', '--test', folder / 'test.lst')
    convert('irstd1k', irstd1k, tmp_path / 'new', *lists)
    assert (tmp_path / 'new' / 'trainval.txt').read_text() == 'XDU0\n'
    with pytest.raises(SystemExit, match='--val-fraction is no option of llvip'):
        convert('llvip', m3fd, out, '--val-fraction', '0.5')
    with pytest.raises(SystemExit, match='val_fraction=nan'):
        convert('m3fd', m3fd, out, '--val-fraction', 'nan')
    with pytest.raises(SystemExit):
        convert('m4fd', m3fd, out)
    assert 'hit-uav' in capsys.readouterr().err
