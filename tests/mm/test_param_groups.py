"""Groups of equal settings, and optimizers that take them at once."""

from __future__ import annotations

import pytest
import torch
from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from dugi_mae.mm.param_groups import GroupedOptimWrapperConstructor

PARAMWISE = dict(
    norm_decay_mult=0.0, custom_keys={'1': dict(lr_mult=0.1), '0.bias': dict()}
)


def make_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4), nn.LayerNorm(4))


@pytest.mark.parametrize('kind', ['SGD', 'AdamW', 'Adagrad'])
def test_steps_are_those_of_mmengine(kind):
    """Fewer groups with the same settings; every weight moves as before."""
    settings = dict(optimizer=dict(type=kind, lr=0.1, weight_decay=0.3))
    models, groups = [], []
    for constructor in (DefaultOptimWrapperConstructor, GroupedOptimWrapperConstructor):
        model = make_model()
        wrapper = constructor(dict(settings), PARAMWISE)(model)
        for _ in range(3):
            wrapper.update_params(model(torch.ones(2, 3)).square().sum())
        models.append(model)
        groups.append(wrapper.optimizer.param_groups)
    for own, other in zip(*(m.parameters() for m in models), strict=True):
        torch.testing.assert_close(own, other)
    assert [len(g) for g in groups] == [6, 3]
    assert bool(groups[1][0]['fused']) == (kind != 'Adagrad')
    assert 'fused' not in settings['optimizer']


def test_the_config_decides():
    """An optimizer that is to take one tensor at a time does."""
    settings = dict(optimizer=dict(type='SGD', lr=0.1, weight_decay=0.3, fused=False))
    wrapper = GroupedOptimWrapperConstructor(settings, PARAMWISE)(make_model())
    assert not wrapper.optimizer.param_groups[0]['fused']
