"""bfloat16 training on a CPU; slow where the processor emulates it, but the same."""

from __future__ import annotations

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from dugi_mae.mm.cpu_amp import CpuAmpOptimWrapper, has_bfloat16


def test_a_step_is_that_of_float32():
    """Activations are rounded to 8 bits; weights and gradients stay float32."""
    moved, kinds = [], []
    for amp in (False, True):
        torch.manual_seed(0)
        model = nn.Linear(16, 16)
        model.register_forward_hook(lambda *args: kinds.append(args[2].dtype))
        before = model.weight.detach().clone()
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        wrapper = (CpuAmpOptimWrapper if amp else OptimWrapper)(optimizer)
        with wrapper.optim_context(model):
            loss = model(torch.randn(4, 16)).float().square().mean()
        wrapper.update_params(loss)
        assert model.weight.dtype == torch.float32
        moved.append(model.weight.detach() - before)
    assert kinds == [torch.float32, torch.bfloat16]
    torch.testing.assert_close(*moved, rtol=0.05, atol=1e-3)


NAMES = ['_is_amx_tile_supported', '_is_avx512_bf16_supported']


@pytest.mark.parametrize('name', NAMES)
def test_processors_are_told_apart(monkeypatch, name):
    """Either instruction set will do; torch without these functions has neither."""
    for known in NAMES:
        monkeypatch.delattr(torch.cpu, known, raising=False)
    assert not has_bfloat16()
    monkeypatch.setattr(torch.cpu, name, lambda: True, raising=False)
    assert has_bfloat16()
