"""The reconstruction errors as a metric of mmengine."""

from __future__ import annotations

import pytest
import torch
from mmengine.registry import METRICS

import dugi_mae.mm.metrics  # noqa: F401
from dugi_mae.evaluation.reconstruction import mean_errors, reconstruction_errors


@pytest.mark.parametrize('prefix', [None, 'val'])
def test_equals_the_functions(prefix):
    """Any host finds it; batches of any size, the average is over the images."""
    metric = METRICS.build(
        dict(type='ReconstructionMetric', patch_size=8, prefix=prefix)
    )
    samples = [
        dict(
            image=torch.randn(1, 16, 16),
            prediction=torch.randn(1, 16, 16),
            token_mask=torch.tensor([[0, 1], [1, i]]),
        )
        for i in (0, 1, 1)
    ]
    for batch in (samples[:2], samples[2:]):
        metric.process({}, batch)
    errors = [reconstruction_errors(*sample.values(), 8) for sample in samples]
    expected = mean_errors(errors).items()
    assert metric.evaluate(3) == {
        f'{prefix or "reconstruction"}/{key}': value for key, value in expected
    }
