"""``tools/dataset_converters/verify.py``, run in this process."""

from __future__ import annotations

import json
import os
import re
import runpy
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from odd_images import odd_images

from dugi_mae.images import reading

TOOL = Path(__file__).resolve().parents[2] / 'tools/dataset_converters/verify.py'


@pytest.fixture
def run(monkeypatch, capsys) -> Callable[..., tuple[object, list[str]]]:
    """Call the tool; returns what it exits with and the lines that it printed."""

    def call(*arguments: object) -> tuple[object, list[str]]:
        monkeypatch.syspath_prepend(TOOL.parent)
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, arguments)])
        code = 0
        try:
            runpy.run_path(str(TOOL), run_name='__main__')
        except SystemExit as end:
            code = end.code
        return code, capsys.readouterr().out.splitlines()

    return call


@pytest.fixture
def folder(tmp_path) -> Path:
    """A tree of four good images of three kinds."""
    root = tmp_path / 'set'
    (root / 'deep').mkdir(parents=True)
    grey = (np.arange(40 * 48) % 251).astype(np.uint8).reshape(40, 48)
    for name in ('a.png', 'deep/b.jpg'):
        cv2.imwrite(str(root / name), grey)
    cv2.imwrite(str(root / 'colour.png'), np.dstack([grey] * 3)[:32])
    tifffile.imwrite(root / 'counts.tiff', grey.astype(np.uint16))
    return root


def test_a_good_folder(tmp_path, folder, run):
    """Exit code 0; sizes, pixel types and channels are counted."""
    out = tmp_path / 'new' / 'report.json'
    code, printed = run(folder, '--jobs', '2', '--out', out)
    assert code == 0
    assert printed == [
        '4 images, 0 bad',
        'sizes: 48x40 (3), 48x32 (1)',
        'pixel types: uint8 (3), uint16 (1)',
        'channels: 1 (3), 3 (1)',
        f'report: {out}',
    ]
    report = json.loads(out.read_text())
    assert (report['files'], report['bad'], report['bad_files']) == (4, 0, [])
    assert report['sizes'] == {'48x40': 3, '48x32': 1}


def test_every_bad_file_is_reported(tmp_path, folder, run, write_bad_images):
    """Exit code 1; each bad file with the reason that the loader gives."""
    bad = write_bad_images(folder / 'dirty')
    out = tmp_path / 'report.json'
    code, printed = run(folder, '--jobs', '2', '--out', out)
    assert code == 1
    assert printed[0] == '11 images, 7 bad'
    report = json.loads(out.read_text())
    assert report['bad'] == 7
    found = {Path(file['path']).name: file['reason'] for file in report['bad_files']}
    assert found == bad
    assert report['reasons'] == dict.fromkeys(report['reasons'], 1)
    paths = [file['path'] for file in report['bad_files']]
    assert paths == sorted(paths)
    assert all(file['message'].startswith(file['path']) for file in report['bad_files'])


def test_each_odd_file_is_named(tmp_path, run):
    """Forty files that programs read differently: what is done, or why it is not."""
    odd = odd_images()
    assert len(odd) == 40
    folder, out = tmp_path / 'odd', tmp_path / 'report.json'
    folder.mkdir()
    for name, (content, _) in odd.items():
        (folder / name).write_bytes(content)
    code, printed = run(folder, '--jobs', '1', '--out', out)
    report = json.loads(out.read_text())
    found = {Path(f['path']).name: f['reasons'] for f in report['odd_files']}
    refused = {Path(f['path']).name: '!' + f['reason'] for f in report['bad_files']}
    # Without the extra its colours are read, with it there is nothing to read.
    radiometric = {**found, **refused}.pop('radiometric.jpg')
    assert 'radiometric' in str(radiometric)
    assert {name: found.get(name, refused.get(name)) for name in odd} == {
        name: reason if reason[0] == '!' else [reason]
        for name, (_, reason) in odd.items()
    } | {'radiometric.jpg': radiometric}
    assert code == 1 and printed[0] == f'40 images, {len(refused)} bad'
    assert printed[2].startswith('remarks: ')
    for name, (content, _) in odd.items():
        assert (folder / name).read_bytes() == content


def test_a_file_that_crashes_the_decoder(tmp_path, folder, run, monkeypatch):
    """The others are checked all the same."""
    real = reading.decode

    def decode(content, path):
        if path.endswith('a.png'):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(content, path)

    monkeypatch.setattr(reading, 'decode', decode)
    code, printed = run(folder, '--jobs', '1', '--out', tmp_path / 'report.json')
    assert (code, printed[0]) == (1, '4 images, 1 bad')
    (file,) = json.loads((tmp_path / 'report.json').read_text())['bad_files']
    assert file['path'] == str(folder / 'a.png') and file['reason'] == 'crash'
    assert 'exit code -9' in file['message']


@pytest.mark.parametrize(
    ('name', 'flags', 'message'),
    [
        ('gone', (), '^DuGIError: .*/gone does not exist'),
        ('empty', (), '^DuGIError: .*/empty holds no image: .*found no file'),
        ('set/a.png', (), '^DuGIError: .*a.png is a file: name the folder'),
        ('set', ('--out', 'in_the_way/a.json'), r'^DuGIError: .*cannot be written'),
    ],
)
def test_bad_input_is_one_line(
    tmp_path, folder, run, monkeypatch, name, flags, message
):
    """What cannot be checked or written ends the tool without traceback."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'in_the_way').touch()
    error, _ = run(tmp_path / name, *flags)
    assert '\n' not in error
    assert re.search(message, error)
