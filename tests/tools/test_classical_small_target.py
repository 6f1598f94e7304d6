"""The classical baseline's tool, run in this process on synthetic images."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

pytest.importorskip('mmseg', reason='the small-target sets need mmsegmentation')

from dugi_mae.errors import DuGIError
from dugi_mae.evaluation import small_target_scores
from dugi_mae.evaluation.classical import top_hat
from dugi_mae.images.synthetic import write_dataset

TOOL = Path(__file__).resolve().parents[2] / 'tools/analysis_tools'
TOOL /= 'classical_small_target.py'


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    """Twenty small images in the SIRST layout: 12 to train, 4 val, 4 test."""
    folder = tmp_path_factory.mktemp('classical')
    return write_dataset(folder, num_images=40, height=48, width=64, seed=3).labelled


@pytest.fixture(scope='module')
def tool() -> dict:
    """The names of the tool."""
    return runpy.run_path(str(TOOL))


def run(monkeypatch, tool, *arguments) -> None:
    """Call ``main()`` as the command line would."""
    monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, arguments)])
    tool['main']()


SPLITS = ('--select', 'idx_427/val.txt', '--test', 'idx_427/test.txt')


def test_both_methods_in_one_table(monkeypatch, capsys, tool, data):
    """With the settings that were chosen."""
    run(monkeypatch, tool, data, *SPLITS)
    shown = capsys.readouterr().out
    assert '| IoU (%) | nIoU (%) | Pd (%) | Fa (1e-6) |' in shown
    assert '% IoU on idx_427/val.txt' in shown
    assert '| top-hat, size ' in shown and '| mpcm, size ' in shown


def test_best_setting_is_chosen(monkeypatch, tmp_path, tool, data):
    """No other size and k has a higher IoU on the first split, pixel by pixel.

    The second split is then scored with that setting.
    """
    out = tmp_path / 'new' / 'classical.json'
    run(monkeypatch, tool, data, '--method', 'top-hat', *SPLITS, '--out', out)
    report = json.loads(out.read_text())['top-hat']

    def read(split: str, radius: int) -> tuple[list, list]:
        samples = list(tool['read_split'](str(data), f'idx_427/{split}.txt'))
        maps = [top_hat(sample['img'][..., 0], radius) for sample in samples]
        return maps, [sample['gt_seg_map'] == 1 for sample in samples]

    def decide(maps: list, k: float) -> list:
        return [m > m.mean() + k * m.std() for m in maps]

    ious = {}
    for radius in tool['METHODS']['top-hat'][1]:
        maps, labels = read('val', radius)
        for k in tool['KS']:
            both = either = 0
            for prediction, label in zip(decide(maps, k), labels, strict=True):
                both += (prediction & label).sum()
                either += (prediction | label).sum()
            ious[radius, k] = 100 * both / either if either else 0
    assert report['select']['IoU'] == pytest.approx(max(ious.values()))
    assert report['select']['IoU'] == pytest.approx(ious[report['size'], report['k']])

    maps, labels = read('test', report['size'])
    tested = small_target_scores(decide(maps, report['k']), labels, maps)
    for key in ('IoU', 'nIoU', 'Pd', 'F1', 'AUC'):
        assert report['test'][key] == pytest.approx(100 * tested[key])
    assert report['test']['Fa'] == pytest.approx(1e6 * tested['Fa'])


def test_a_missing_split_is_named(monkeypatch, tool, data):
    """Before the work begins."""
    with pytest.raises(DuGIError, match=r'idx_427/tset\.txt does not exist'):
        run(monkeypatch, tool, data, *SPLITS, '--test', 'idx_427/tset.txt')
