"""``tools/dataset_converters``, run in this process as the command line would."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

TOOLS = Path(__file__).resolve().parents[2] / 'tools' / 'dataset_converters'
VOC = (
    '<annotation><object><name>Bus</name><bndbox><xmin>1</xmin><ymin>2</ymin>'
    '<xmax>11</xmax><ymax>22</ymax></bndbox></object></annotation>'
)
DETECTION = ('dronevehicle', 'flir', 'hit_uav', 'llvip', 'm3fd')


@pytest.fixture
def convert(monkeypatch, capsys) -> Callable[..., list[str]]:
    """Call a converter; returns the lines that it printed."""

    def call(name: str, *arguments: object) -> list[str]:
        tool = TOOLS / f'{name}.py'
        monkeypatch.setattr(sys, 'argv', [str(tool), *map(str, arguments)])
        runpy.run_path(str(tool), run_name='__main__')
        return capsys.readouterr().out.splitlines()

    return call


@pytest.mark.parametrize('name', DETECTION)
def test_errors_are_one_line(tmp_path, convert, name):
    """A source that is not there or is another set ends the tool without traceback."""
    with pytest.raises(SystemExit, match='^DuGIError: .*/gone does not exist: correct'):
        convert(name, tmp_path / 'gone', tmp_path / 'out')
    (tmp_path / 'other').mkdir()
    with pytest.raises(SystemExit, match='^DuGIError: folder .*/other ') as error:
        convert(name, tmp_path / 'other', tmp_path / 'out')
    assert '\n' not in str(error.value)
    assert not (tmp_path / 'out').exists()


def test_m3fd_flags(tmp_path, convert):
    """The share, the seed and lists of one's own arrive."""
    source = tmp_path / 'M3FD_Detection'
    for folder in ('Ir', 'Annotation'):
        (source / folder).mkdir(parents=True)
    for name in 'abcd':
        cv2.imwrite(str(source / 'Ir' / f'{name}.png'), np.zeros((48, 64), np.uint8))
        (source / 'Annotation' / f'{name}.xml').write_text(VOC)
    out = tmp_path / 'out'
    flags = ('--val-fraction', '0.5', '--seed', '3')
    printed = convert('m3fd', source, out, *flags)
    assert printed[0].startswith('train: 2 images (0 without boxes), 2 boxes: People 0')
    assert printed[2:4] == ['test: no such split', f'{out / "images"} -> {source}']
    record = json.loads((out / 'splits' / 'record.json').read_text())
    assert (record['seed'], record['val_fraction']) == (3, 0.5)

    (tmp_path / 'lists').mkdir()
    (tmp_path / 'lists' / 'train.txt').write_text('a\nb\nc')
    (tmp_path / 'lists' / 'val.txt').write_text('d')
    lists = ('--splits', tmp_path / 'lists')
    printed = convert('m3fd', source, out, *lists)
    assert printed[0].startswith('train: 3 images')

    with pytest.raises(SystemExit, match='without --val-fraction and --seed$'):
        convert('m3fd', source, out, *lists, *flags)
    with pytest.raises(SystemExit, match='val_fraction=nan must lie between 0 and 1$'):
        convert('m3fd', source, out, '--val-fraction', 'nan')


def test_verify_wants_a_folder(tmp_path, convert):
    """A file is not said to be missing, a missing folder is."""
    (tmp_path / 'a.png').touch()
    with pytest.raises(SystemExit, match='/a.png is no folder: give the one that it'):
        convert('verify', tmp_path / 'a.png')
    with pytest.raises(SystemExit, match='folder .*/gone does not exist: correct'):
        convert('verify', tmp_path / 'gone')


@pytest.mark.real_data
def test_hit_uav(data_root, tmp_path, convert):
    """The command of the documentation works on the real files."""
    printed = convert('hit_uav', data_root / 'hit_uav', tmp_path / 'out')
    assert printed[:4] == [
        'train: 480 images (3 without boxes), 4236 boxes: Person 2022, Car 1324, '
        'Bicycle 862, OtherVehicle 28',
        'train: other objects left out: DontCare 37',
        'val: 120 images (1 without boxes), 953 boxes: Person 469, Car 301, '
        'Bicycle 180, OtherVehicle 3',
        'val: other objects left out: DontCare 2',
    ]
