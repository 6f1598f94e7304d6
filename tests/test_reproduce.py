"""docs/reproduce.md and method.md: the paper's numbers, right arithmetic and counts."""

from __future__ import annotations

import ast
import re
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

import dugi_mae.mmpretrain  # noqa: F401

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / 'docs/reproduce.md').read_text(encoding='utf-8')
#: The paper's scores from scratch, of MAE, MCMAE, InfMAE and DuGI-MAE.
PAPER = {
    'M3FD-inf, Mask R-CNN': ('49.6 52.2 56.8 57.1 59.1', '80.3 83.8 87.2 87.9 89.7'),
    'M3FD-inf, Cascade R-CNN': ('51.2 51.9 55.1 56.5 57.3', '80.1 82 85.4 86.3 86.9'),
    'MSRS, FCN': ('57.0 63.4 70.8 72.6 73.1', '63.6 70.8 79.2 80.5 80.8'),
    'MSRS, UPerNet': ('61.5 71.3 73.2 74.5 75.0', '61.3 78.0 81.1 82.9 83.6'),
    'IRSTD-1k, IRSTD transformer': ('57.5 64.3 66.5 67.1', '88.2 77.9 96.9 95.9'),
}


def rows(text: str, width: int) -> list[list[str]]:
    """The cells of all table rows of so many columns."""
    lines = re.findall(r'^\| (.*) \|$', text, re.MULTILINE)
    cells = [[cell.strip() for cell in line.split('|')] for line in lines]
    return [row for row in cells if len(row) == width]


HOURS = [row for row in rows(TEXT, 7) if row[0].startswith('[')]
PRETRAINING = [row for row in rows(TEXT, 5) if row[0].startswith('[')]


def linked(cell: str) -> Path:
    """The file that a cell links to."""
    return (ROOT / 'docs' / re.search(r'\((.+)\)', cell).group(1)).resolve()


@pytest.fixture(scope='module')
def count_flops() -> Callable[[str, int, int], int]:
    """The function that the page prints."""
    code = re.search(r'^```python\n(.*?)^```', TEXT, re.M | re.S).group(1)
    tree = ast.parse(code)
    tree.body = [
        node for node in tree.body if not isinstance(node, (ast.Assign, ast.Expr))
    ]
    names: dict = {}
    exec(compile(tree, 'docs/reproduce.md', 'exec'), names)
    return names['count_flops']


def test_the_method_page_has_the_papers_scores():
    """Both scores of each row of Tables 1 to 3, encoders in the paper's order."""
    text = (ROOT / 'docs/method.md').read_text(encoding='utf-8')
    found = rows(text, 7)
    for name, scores in PAPER.items():
        index = next(i for i, row in enumerate(found) if row[0] == name)
        for row, expected in zip(found[index:], scores, strict=False):
            told = [float(cell) for cell in row[2:] if cell]
            assert told == [float(score) for score in expected.split()], name


def test_hours_follow_from_the_table():
    """Images are the config's, hours those of the formula in the text."""
    assert '3 x FLOPs x images / (40e12 x 3600) / GPUs' in TEXT
    assert len(HOURS) > 8
    for row in HOURS:
        path, gflops, gpus = linked(row[0]), float(row[2]), int(row[5])
        steps, images = map(int, row[3].split(' x '))
        config = Config.fromfile(path)
        if 'max_iters' in config.train_cfg:
            batch = config.auto_scale_lr.base_batch_size
            assert (steps, images) == (config.train_cfg.max_iters, batch), path
        else:
            assert (steps, images) == (config.train_cfg.max_epochs, 3360), path
        hours = 3 * gflops * 1e9 * steps * images / (40e12 * 3600)
        assert (row[4], row[6]) == (f'{hours:.1f}', f'{hours / gpus:.1f}'), path
        commands = re.findall(rf'{re.escape(path.name)} (\d) --amp', TEXT)
        assert set(commands) <= {str(gpus)}, path


def test_hours_of_pretraining_follow_from_the_table():
    """The formula holds for the config's epochs and number of GPUs."""
    assert len(PRETRAINING) > 3
    for row in PRETRAINING:
        assert Config.fromfile(linked(row[0])).train_cfg.max_epochs == 400
        hours = float(row[1]) * 1e9 * 400 * 590700 / (40e12 * 3600)
        assert row[2] == f'{hours:.1f}'
        assert row[4] == f'{hours / int(row[3]):.1f}'
        assert f'_{row[3]}xb' in row[0]


@pytest.mark.slow
@pytest.mark.parametrize('row', HOURS, ids=lambda row: linked(row[0]).stem)
def test_flops_are_what_the_printed_code_counts(row, count_flops):
    """The page's own code gives the page's numbers."""
    pytest.importorskip('mmdet' if '/detection/' in row[0] else 'mmseg')
    height, width = map(int, row[1].split('x'))
    assert f'{count_flops(str(linked(row[0])), height, width) / 1e9:.1f}' == row[2]


@pytest.mark.slow
@pytest.mark.parametrize('row', PRETRAINING, ids=lambda row: linked(row[0]).stem)
def test_flops_of_a_step_are_counted(row):
    """Forward and backward of one image, by the benchmark's own counter."""
    benchmark = runpy.run_path(str(ROOT / 'tools/analysis_tools/benchmark.py'))
    model = MODELS.build(Config.fromfile(linked(row[0])).model).train()
    images = torch.randn(1, 3, 224, 224)
    flops = benchmark['count_flops'](lambda: model.loss(images)['loss'].backward())
    assert f'{flops / 1e9:.1f}' == row[1]
