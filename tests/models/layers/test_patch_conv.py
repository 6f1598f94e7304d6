"""Convolutions over patches that do not overlap."""

import pytest
import torch
import toys
from torch import nn

from dugi_mae.models.layers.patch_conv import PatchConv


@pytest.mark.parametrize(
    'memory_format', [torch.contiguous_format, torch.channels_last]
)
@pytest.mark.parametrize('size', [1, 2, 4])
def test_equals_the_convolution(size, memory_format):
    """Values and gradients are those of ``nn.Conv2d`` with the same weights."""
    conv = nn.Conv2d(6, 10, size, size).double()
    patch = PatchConv(6, 10, size).double()
    x = torch.randn(3, 6, 4, 8, dtype=torch.float64).to(memory_format=memory_format)
    inputs = {module: x.clone().requires_grad_() for module in (conv, patch)}
    toys.assert_same_training(conv, patch, lambda module: module(inputs[module]))
    torch.testing.assert_close(inputs[patch].grad, inputs[conv].grad)


@pytest.mark.parametrize('size', [(4, 5), (3, 4)])
def test_broken_patches_are_refused(size):
    """Pixels that make no complete patch are not dropped silently."""
    with pytest.raises(RuntimeError):
        PatchConv(1, 1, 2)(torch.zeros(1, 1, *size))
