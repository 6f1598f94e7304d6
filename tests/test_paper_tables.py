"""docs/paper_tables.md: the paper's numbers, existing configs, right arithmetic."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

import dugi_mae  # noqa: F401
from dugi_mae.utils import benchmark

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / 'docs/paper_tables.md').read_text(encoding='utf-8')
ENCODERS = ('scratch', 'MAE', 'MCMAE', 'InfMAE', 'DuGI-MAE')
#: (head of the page's row) -> the paper's two scores for each of ``ENCODERS``.
PAPER = {
    'Mask R-CNN': ('49.6 52.2 56.8 57.1 59.1', '80.3 83.8 87.2 87.9 89.7'),
    'Cascade R-CNN': ('51.2 51.9 55.1 56.5 57.3', '80.1 82.0 85.4 86.3 86.9'),
    'FCN': ('57.0 63.4 70.8 72.6 73.1', '63.6 70.8 79.2 80.5 80.8'),
    'UPerNet': ('61.5 71.3 73.2 74.5 75.0', '61.3 78.0 81.1 82.9 83.6'),
    'IRSTD': ('57.5 64.3 66.5 67.1', '88.2 77.9 96.9 95.9'),
}
#: What a config of a head is called.
STEMS = {
    'Mask R-CNN': 'detection/faster-rcnn_',
    'Cascade R-CNN': 'detection/cascade-rcnn_',
    'FCN': 'segmentation/fcn_',
    'UPerNet': 'segmentation/upernet_',
    'IRSTD': 'small_target/irstd_',
}


def rows(width: int) -> list[list[str]]:
    """The cells of all table rows of so many columns."""
    lines = re.findall(r'^\| (.*) \|$', TEXT, re.MULTILINE)
    cells = [[cell.strip() for cell in line.split('|')] for line in lines]
    return [row for row in cells if len(row) == width]


SCORES = [row for row in rows(7) if row[0] in PAPER]
HOURS = [row for row in rows(7) if row[0].startswith('[')]
PRETRAINING = [row for row in rows(5) if row[0].startswith('[')]


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
    exec(compile(tree, 'docs/paper_tables.md', 'exec'), names)
    return names['count_flops']


@pytest.mark.parametrize('head', PAPER)
def test_every_row_has_the_papers_scores(head):
    """All encoders in the paper's order, its two scores, and our columns empty."""
    found = [row for row in SCORES if row[0] == head]
    first, second = (scores.split() for scores in PAPER[head])
    assert [row[1] for row in found] == list(ENCODERS[-len(first) :])
    assert [row[3] for row in found] == first
    assert [row[4] for row in found] == second
    assert all(row[5] == row[6] == '' for row in found)


@pytest.mark.parametrize('row', SCORES, ids=lambda row: f'{row[0]} {row[1]}')
def test_every_row_has_a_config(row):
    """A config of that head, of base size, with an encoder to load or none."""
    head, encoder, config = row[:3]
    path = linked(config)
    assert path.relative_to(ROOT / 'configs').as_posix().startswith(STEMS[head])
    backbone = Config.fromfile(path).model.backbone
    if encoder == 'MAE':
        assert backbone.type == 'mmpretrain.VisionTransformer'
        return
    assert backbone.type == 'mmpretrain.ConvViT'
    assert backbone.arch == 'base'
    # Scratch: a config of its own, or a command that takes the file away.
    name = path.relative_to(ROOT).as_posix()
    commands = re.findall(rf'{re.escape(name)}[^\n]*(?:\n +[^\n]+)*', TEXT)
    loads = ['init_cfg.checkpoint=encoders/' in command for command in commands]
    if encoder != 'scratch':
        assert any(loads)
    elif backbone.init_cfg is not None:
        assert any('model.backbone.init_cfg=None' in command for command in commands)


def test_every_named_path_exists():
    """Tools, configs and pages, in text, links and commands."""
    named = re.findall(r'(?<![\w/.-])(?:tools|configs)/[\w./-]+\.(?:py|sh)', TEXT)
    assert len(set(named)) > 10
    assert [path for path in named if not (ROOT / path).is_file()] == []
    links = re.findall(r'\]\(([^)#]+)', TEXT)
    assert [link for link in links if not (ROOT / 'docs' / link).is_file()] == []


@pytest.mark.parametrize('row', HOURS, ids=lambda row: linked(row[0]).stem)
def test_hours_follow_from_the_table(row):
    """Images are the config's, hours those of the formula in the text."""
    assert '3 x FLOPs x images / (40e12 x 3600) / GPUs' in TEXT
    path, gflops, gpus = linked(row[0]), float(row[2]), int(row[5])
    steps, images = map(int, row[3].split(' x '))
    config = Config.fromfile(path)
    if 'max_iters' in config.train_cfg:
        batch = config.auto_scale_lr.base_batch_size
        assert (steps, images) == (config.train_cfg.max_iters, batch)
    else:
        assert steps == config.train_cfg.max_epochs
        assert images == 3360
    hours = 3 * gflops * 1e9 * steps * images / (40e12 * 3600)
    assert row[4] == f'{hours:.1f}'
    assert row[6] == f'{hours / gpus:.1f}'
    commands = re.findall(rf'{re.escape(path.name)} (\d) --amp', TEXT)
    assert set(commands) <= {str(gpus)}


@pytest.mark.slow
@pytest.mark.parametrize('row', HOURS, ids=lambda row: linked(row[0]).stem)
def test_flops_are_what_the_printed_code_counts(row, count_flops):
    """The page's own code gives the page's numbers."""
    pytest.importorskip('mmdet' if '/detection/' in row[0] else 'mmseg')
    height, width = map(int, row[1].split('x'))
    assert f'{count_flops(str(linked(row[0])), height, width) / 1e9:.1f}' == row[2]


@pytest.mark.parametrize('row', PRETRAINING, ids=lambda row: linked(row[0]).stem)
def test_hours_of_pretraining_follow_from_the_table(row):
    """The formula holds for the config's epochs and number of GPUs."""
    config = Config.fromfile(linked(row[0]))
    assert config.train_cfg.max_epochs == 400
    hours = float(row[1]) * 1e9 * 400 * 590700 / (40e12 * 3600)
    assert row[2] == f'{hours:.1f}'
    assert row[4] == f'{hours / int(row[3]):.1f}'
    assert f'_{row[3]}xb' in row[0]


@pytest.mark.slow
@pytest.mark.parametrize('row', PRETRAINING, ids=lambda row: linked(row[0]).stem)
def test_flops_of_a_step_are_counted(row):
    """Forward and backward of one image, by the benchmark's own counter."""
    model = MODELS.build(Config.fromfile(linked(row[0])).model).train()
    images = torch.randn(1, 3, 224, 224)
    flops = benchmark.count_flops(lambda: model.loss(images)['loss'].backward())
    assert f'{flops / 1e9:.1f}' == row[1]
