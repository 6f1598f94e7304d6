"""The filter's scalars in the log."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from dugi_mae.mm.hooks import ReconstructionHook


class Scalar:
    """A number on a device, which counts how often it is fetched."""

    def __init__(self, value: float) -> None:
        self.value, self.fetched = value, 0

    def item(self) -> float:
        """The value, on the host."""
        self.fetched += 1
        return self.value


@pytest.mark.parametrize(
    'parts', [dict(), dict(guidance=None), dict(guidance=object())]
)
def test_models_without_the_filter(make_runner, parts):
    """They train as ever, and nothing is logged."""
    runner = make_runner()
    vars(runner.model).update(parts)
    ReconstructionHook().after_train_iter(runner, 0)
    assert not [key for key in runner.message_hub.log_scalars if 'afdm' in key]


def test_the_filter_is_logged(make_runner):
    """Its three scalars, by name, fetched where the logger writes and no more."""
    values = dict(radius=0.25, alpha=1.5, beta=-0.5)
    runner = make_runner('iter', hooks=[ReconstructionHook(99)], logger=5)
    afdm = SimpleNamespace(**{k: Scalar(v) for k, v in values.items()})
    vars(runner.model)['guidance'] = SimpleNamespace(afdm=afdm)
    runner.train()
    for name, value in values.items():
        history = runner.message_hub.get_scalar(f'train/afdm_{name}')
        assert history.current() == value
        # Iterations 5 and 10 are logged; each third is the last of an epoch or saved.
        assert getattr(afdm, name).fetched == len({3, 5, 6, 9, 10, 12})
    assert torch.isfinite(runner.model.layer.weight).all()
