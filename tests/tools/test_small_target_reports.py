"""The table of the trials, and the picture of the worst images."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import cv2
import pytest

pytest.importorskip('mmseg', reason='the inferencer needs mmsegmentation')

from dugi_mae.errors import DuGIError
from dugi_mae.images.synthetic import write_dataset

TOOLS = Path(__file__).resolve().parents[2] / 'tools/analysis_tools'
TRIAL = dict(config='a', data='d', train='train', split='val', Pd=90.0, Fa=1.0)


def run(monkeypatch, name: str, *arguments) -> None:
    """Call ``main()`` as the command line would."""
    path = TOOLS / f'{name}.py'
    monkeypatch.setattr(sys, 'argv', [str(path), *map(str, arguments)])
    runpy.run_path(str(path))['main']()


def write_trials(path: Path, *trials: dict) -> Path:
    path.write_text('\n'.join(json.dumps(TRIAL | trial) for trial in trials))
    return path


def test_table(monkeypatch, capsys, tmp_path):
    """The last score of each seed; seeds in one row, with their range."""
    trials = [
        dict(seed=0, steps=10, IoU=10.0, nIoU=50.0),
        dict(seed=0, steps=20, IoU=70.0, nIoU=50.0, minutes=4),
        dict(seed=1, steps=20, IoU=73.0, nIoU=51.0, minutes=6),
        dict(seed=0, steps=20, IoU=60.0, nIoU=40.0, split='test'),
    ]
    file = write_trials(tmp_path / 'trials.jsonl', *trials)
    run(monkeypatch, 'results_table', file)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert (
        '| val | 2 | 20 | 5 | 71.5 (70.0 to 73.0) | 50.5 (50.0 to 51.0) |' in lines[2]
    )
    assert '| test | 1 | 20 |  | 60.0 | 40.0 |' in lines[3]
    run(monkeypatch, 'results_table', file, '--split', 'test')
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_bad_trial_is_named(monkeypatch, tmp_path):
    """With its number and what is missing."""
    file = write_trials(tmp_path / 'trials.jsonl', dict(seed=0, steps=1, IoU=1.0))
    with pytest.raises(DuGIError, match=r"trials\.jsonl, trial 1: 'nIoU'"):
        run(monkeypatch, 'results_table', file)


def test_worst_images(monkeypatch, capsys, tmp_path):
    """The most wrong pixels first; without these images the IoU is higher."""
    data = write_dataset(tmp_path / 'scenes', 20, height=96, width=128).labelled
    out = tmp_path / 'new' / 'worst.png'
    split = data / 'idx_427' / 'trainval.txt'
    folders = '--images', data / 'images', '--gt', data / 'masks'
    curve = tmp_path / 'curve.json'
    flags = '--split', split, '--count', 3, '--out', out, '--curve', curve
    run(monkeypatch, 'worst_images', 'irstd-nano', *folders, *flags)
    lines = capsys.readouterr().out.splitlines()
    listed = split.read_text().split()
    assert all(line.split(':')[0] in listed for line in lines[:3])
    wrong = [sum(int(w) for w in line.split() if w.isdigit()) for line in lines[:3]]
    assert wrong == sorted(wrong, reverse=True)
    every, rest = (float(line.split()[-1]) for line in lines[3:])
    assert rest >= every and f'of {len(listed)} images' in lines[3]
    assert cv2.imread(str(out)).shape == (510, 2400, 3)
    points = json.loads(curve.read_text())
    assert points['thresholds'] == sorted(set(points['thresholds']))
    assert points['pd'] == sorted(points['pd'], reverse=True)
    assert len(points['fa']) == len(points['pd']) and points['fa'][0] > 0


def test_worst_images_needs_a_folder(monkeypatch, tmp_path):
    """The folder and its flag are named."""
    folders = '--images', tmp_path / 'no', '--gt', tmp_path
    with pytest.raises(DuGIError, match=r'no does not exist: correct --images'):
        run(monkeypatch, 'worst_images', 'irstd-nano', *folders, '--out', tmp_path)
