"""``ClassCountHook``: heads and data set agree on the number of classes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from mmengine.registry import HOOKS
from torch import nn

import dugi_mae  # noqa: F401
from dugi_mae.errors import DuGIError


class Head(nn.Module):
    """What the hosts' heads have."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes


def make_model(**heads: int) -> nn.Module:
    """A model of heads, two of them nested as in Cascade R-CNN."""
    model = nn.Module()
    for name, num_classes in heads.items():
        model.add_module(name, Head(num_classes))
    model.backbone = Head(-1)
    model.rpn_head = Head(1)
    model.roi_head = nn.Module()
    model.roi_head.bbox_head = nn.ModuleList([Head(3), Head(3)])
    return model


def start(model: nn.Module, stage: str, metainfo: dict) -> None:
    """What a runner calls before its first iteration."""
    loader = SimpleNamespace(dataset=SimpleNamespace(metainfo=metainfo))
    runner = SimpleNamespace(model=model, **{f'{stage}_dataloader': loader})
    getattr(HOOKS.build(dict(type='ClassCountHook')), f'before_{stage}')(runner)


@pytest.mark.parametrize('stage', ['train', 'val', 'test'])
def test_another_number_raises(stage):
    """The head, both numbers, the classes and the remedy are named."""
    start(make_model(decode_head=3), stage, dict(classes=('a', 'b', 'c')))
    expected = (
        rf'model\.decode_head\.num_classes=2, but {stage}_dataloader\.dataset has 3 '
        r'classes \(a, b, c\): set num_classes to 3'
    )
    with pytest.raises(DuGIError, match=expected):
        start(make_model(decode_head=2), stage, dict(classes=('a', 'b', 'c')))


def test_every_head_counts():
    """Those of a cascade too, but neither an RPN nor what is no head."""
    with pytest.raises(DuGIError, match=r'model\.roi_head\.bbox_head\.0\.num_classes'):
        start(make_model(), 'train', dict(classes=('a', 'b')))
    start(make_model(), 'train', dict(classes=('a', 'b', 'c')))


def test_sets_without_classes_pass():
    """There is nothing to compare with."""
    start(make_model(), 'train', {})
    start(make_model(), 'train', dict(classes=None))
