"""The benchmark tools, run in this process on toy sizes."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest
import toys

from dugi_mae.errors import DuGIError

ROOT = Path(__file__).resolve().parents[2]
PRETRAIN = ROOT / 'configs/pretrain/dugi-mae_convvit-tiny_infrared-unlabeled.py'


@pytest.fixture(autouse=True)
def fast(monkeypatch) -> None:
    """What ``test_benchmark.py`` tests is not measured here: it takes seconds."""
    monkeypatch.setattr('benchmark.matmul_peak', lambda device, dtype: 1e11)
    monkeypatch.setattr('benchmark.peak_memory', lambda case, device: case() or 2**20)


def run(monkeypatch, name: str, *arguments) -> None:
    """Call ``main()`` as the command line would."""
    path = ROOT / f'tools/analysis_tools/{name}.py'
    monkeypatch.setattr(sys, 'argv', [str(path), *map(str, arguments)])
    runpy.run_path(str(path))['main']()


def test_pretrain(monkeypatch, capsys, tmp_path, toy_pretrain_model):
    """Both forms are timed; the bound is what their operations allow; all is kept."""
    out = tmp_path / 'new' / 'figures.json'
    flags = ('--batch-size', 2, '--size', 64, '--rounds', 1, '--device', 'cpu')
    run(monkeypatch, 'benchmark_pretrain', toy_pretrain_model[0], *flags, '--out', out)
    figures, shown = json.loads(out.read_text()), capsys.readouterr().out
    assert len(figures['stages']) == 3
    for stage in figures['stages']:
        assert stage['stage'] in shown
        assert 1 < stage['bound'] < 4, 'a quarter of the tokens is visible'
    assert set(figures['shares_of_step']) == {
        'masking',
        'optimizer',
        'guidance',
    }
    assert len(figures['memory']) == 2


def test_pretrain_wants_a_pretraining_config(monkeypatch):
    """Another config is named in one line, with what to give instead."""
    config = ROOT / 'configs/small_target/irstd_dugi-mae-tiny_sirst.py'
    with pytest.raises(DuGIError, match=r'does not pre-train .* configs/pretrain'):
        run(monkeypatch, 'benchmark_pretrain', config)


def test_training(monkeypatch, tmp_path):
    """Parts are within the step, the step within the loop; no file stays behind."""
    out = tmp_path / 'figures.json'
    toys.write_images(tmp_path / 'images', 12)
    run(
        monkeypatch,
        'benchmark_training',
        *(PRETRAIN, '--steps', 2, '--warm-up', 1, '--out', out),
        *('--cfg-options', f'train_dataloader.dataset.data_root={tmp_path}'),
        *('train_dataloader.dataset.data_prefix=images', 'work_dir=nowhere'),
        *('train_dataloader.num_workers=0', 'train_dataloader.batch_size=2'),
        'train_dataloader.persistent_workers=False',
    )
    figures = json.loads(out.read_text())
    ms = {row['part']: row['ms'] for row in figures['parts']}
    assert ms['forward'] + ms['backward'] + ms['optimizer'] < 1.5 * ms['step']
    assert ms['step'] < ms['whole']
    assert 0 < figures['loop_share'] < 1
    assert not Path('nowhere').exists()


def test_training_needs_something_to_train(monkeypatch, tmp_path):
    """A config without training is named."""
    config = tmp_path / 'test_only.py'
    config.write_text('model = dict()\n')
    with pytest.raises(DuGIError, match=r'test_only\.py has no train_cfg'):
        run(monkeypatch, 'benchmark_training', config)


def test_dataloader(monkeypatch, capsys, tmp_path):
    """The config's own pipeline is read with each number of workers."""
    out = tmp_path / 'figures.json'
    toys.write_images(tmp_path / 'images', 12)
    run(
        monkeypatch,
        'benchmark_dataloader',
        *(PRETRAIN, '--workers', 0, 1, '--images', 8, '--warm-up', 1, '--out', out),
        *('--cfg-options', f'train_dataloader.dataset.data_root={tmp_path}'),
        *('train_dataloader.dataset.data_prefix=images',),
        'train_dataloader.batch_size=4',
    )
    rows = json.loads(out.read_text())['rows']
    assert [row['workers'] for row in rows] == [0, 1]
    assert all(row['images/s'] > 0 for row in rows)
    assert 'images/s' in capsys.readouterr().out


def test_dataloader_needs_a_loader(monkeypatch, tmp_path):
    """A config without training data is named."""
    config = tmp_path / 'test_only.py'
    config.write_text('model = dict()\n')
    with pytest.raises(DuGIError, match=r'test_only\.py has no train_dataloader'):
        run(monkeypatch, 'benchmark_dataloader', config)


@pytest.mark.parametrize('name', ['dataloader', 'pretrain'])
def test_a_typo_is_named(monkeypatch, name):
    """Before anything is timed, with the nearest name."""
    kind = dict(dataloader='train_dataloader.dataset', pretrain='model.masking')[name]
    with pytest.raises(DuGIError, match=r"type='Nothing'") as error:
        option = f'{kind}.type=Nothing'
        run(monkeypatch, f'benchmark_{name}', PRETRAIN, '--cfg-options', option)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('name', 'flag', 'value'),
    [
        ('benchmark_pretrain', '--size', 'big'),
        ('benchmark_dataloader', '--workers', '-1'),
    ],
)
def test_impossible_numbers(monkeypatch, capsys, name, flag, value):
    """Argparse names the flag."""
    with pytest.raises(SystemExit):
        run(monkeypatch, name, PRETRAIN, flag, value)
    assert f'argument {flag}: ' in capsys.readouterr().err
