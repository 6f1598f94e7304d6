"""The filter's scalars in the log."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub
from torch import nn

from dugi_mae.mm import ReconstructionHook


def model(**parts: object) -> nn.Module:
    """A model with some attributes."""
    result = nn.Linear(1, 1)
    for name, part in parts.items():
        setattr(result, name, part)
    return result


@pytest.mark.parametrize(
    'parts', [dict(), dict(guidance=None), dict(guidance=object())]
)
def test_models_without_the_filter(parts):
    """They train as ever, and nothing is logged."""
    before = set(MessageHub.get_current_instance().log_scalars)
    ReconstructionHook().after_train_iter(SimpleNamespace(model=model(**parts)), 0)
    assert set(MessageHub.get_current_instance().log_scalars) == before


def test_the_filter_is_logged():
    """Its three scalars, by name."""
    values = dict(radius=0.25, alpha=1.5, beta=-0.5)
    afdm = SimpleNamespace(**{k: torch.tensor(v) for k, v in values.items()})
    guided = model(guidance=SimpleNamespace(afdm=afdm))
    ReconstructionHook().after_train_iter(SimpleNamespace(model=guided), 0)
    hub = MessageHub.get_current_instance()
    for name, value in values.items():
        assert hub.get_scalar(f'train/afdm_{name}').current() == value
