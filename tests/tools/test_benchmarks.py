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


def run(monkeypatch, name: str, *arguments) -> None:
    """Call ``main()`` as the command line would."""
    path = ROOT / f'tools/analysis_tools/{name}.py'
    monkeypatch.setattr(sys, 'argv', [str(path), *map(str, arguments)])
    monkeypatch.syspath_prepend(str(path.parent))
    module = runpy.run_path(str(path))
    module.get('GROWTH', {}).update(batch_size=(1,), size=(32,), mask_ratio=(0.5,))
    module['main']()


def test_pretrain(monkeypatch, capsys, tmp_path, toy_pretrain_model):
    """Both forms are timed; the bound is what their operations allow; all is kept.

    With ``--growth`` also at other batch sizes, resolutions and mask ratios.
    """
    out = tmp_path / 'new' / 'figures.json'
    run(
        monkeypatch,
        'benchmark_pretrain',
        *(toy_pretrain_model[0], '--batch-size', 2, '--size', 64, '--rounds', 1),
        *('--device', 'cpu', '--growth', '--out', out),
    )
    figures = json.loads(out.read_text())
    shown = capsys.readouterr().out
    assert len(figures['stages']) == 3
    for name, stage in figures['stages'].items():
        assert name in shown
        assert 1 < stage['bound'] < 4, 'a quarter of the tokens is visible'
    assert set(figures['shares_of_step']) == {'masking', 'guidance'}
    assert set(figures['peak_bytes']) == {'dense', 'sparse'}
    assert [row['changed'] for row in figures['growth']] == [
        'batch_size',
        'size',
        'mask_ratio',
    ]
    assert all(row['images_per_second'] > 0 for row in figures['growth'])


def test_pretrain_wants_a_pretraining_config(monkeypatch):
    """Another config is named in one line, with what to give instead."""
    config = ROOT / 'configs/small_target/irstd_dugi-mae-tiny_sirst.py'
    with pytest.raises(DuGIError, match=r'does not pre-train .* configs/pretrain'):
        run(monkeypatch, 'benchmark_pretrain', config)


def test_backbone(monkeypatch, capsys, tmp_path):
    """Every form at every size, against global attention at that size."""
    out = tmp_path / 'figures.json'
    run(
        monkeypatch,
        'benchmark_backbone',
        *('--arch', 'tiny', '--sizes', 64, 96, '--rounds', 1, '--device', 'cpu'),
        *('--out', out),
    )
    rows = json.loads(out.read_text())['rows']
    assert [(row['size'], row['tokens']) for row in rows] == [(64, 16)] * 3 + [
        (96, 36)
    ] * 3
    assert all(row['peak_bytes'] > 0 and row['seconds'] > 0 for row in rows)
    assert rows[0]['ratio'] == 1
    assert 'windows, four global blocks' in capsys.readouterr().out


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
    rates = json.loads(out.read_text())['images_per_second']
    assert list(rates) == ['0', '1'] and min(rates.values()) > 0
    assert 'images/s' in capsys.readouterr().out


def test_dataloader_needs_a_loader(monkeypatch, tmp_path):
    """A config without training data is named."""
    config = tmp_path / 'test_only.py'
    config.write_text('model = dict()\n')
    with pytest.raises(DuGIError, match=r'test_only\.py has no train_dataloader'):
        run(monkeypatch, 'benchmark_dataloader', config)


@pytest.mark.parametrize(
    ('name', 'option', 'message'),
    [
        (
            'benchmark_dataloader',
            'train_dataloader.dataset.type=InfraredPretrainDataSet',
            r"dataset\.type='InfraredPretrainDataSet' .*did you mean",
        ),
        (
            'benchmark_pretrain',
            'model.masking.mask_ration=0.5',
            r"masking\.mask_ration .*did you mean 'mask_ratio'",
        ),
    ],
)
def test_a_typo_is_named(monkeypatch, name, option, message):
    """Before anything is timed, with the nearest name."""
    with pytest.raises(DuGIError, match=message) as error:
        run(monkeypatch, name, PRETRAIN, '--cfg-options', option)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('name', 'flag', 'value', 'message'),
    [
        ('benchmark_backbone', '--rounds', '0', '0 is less than 1'),
        ('benchmark_backbone', '--sizes', '0', '0 is less than 1'),
        ('benchmark_pretrain', '--rounds', '-3', '-3 is less than 1'),
        ('benchmark_pretrain', '--batch-size', '0', '0 is less than 1'),
        ('benchmark_pretrain', '--size', 'big', "invalid int value: 'big'"),
        ('benchmark_dataloader', '--workers', '-1', '-1 is less than 0'),
        ('benchmark_dataloader', '--images', '0', '0 is less than 1'),
        ('benchmark_dataloader', '--warm-up', '-1', '-1 is less than 0'),
    ],
)
def test_impossible_numbers(monkeypatch, capsys, name, flag, value, message):
    """Argparse names the flag and the least that it takes."""
    config = [] if name == 'benchmark_backbone' else [PRETRAIN]
    with pytest.raises(SystemExit):
        run(monkeypatch, name, *config, flag, value)
    assert f'argument {flag}: {message}' in capsys.readouterr().err
