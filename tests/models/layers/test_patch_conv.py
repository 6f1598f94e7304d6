"""Convolutions over patches that do not overlap."""

import pytest
import torch
from torch import nn

from dugi_mae.errors import DuGIError
from dugi_mae.models.layers import TokenEmbed
from dugi_mae.models.layers.patch_conv import PatchConv


@pytest.mark.parametrize(
    'memory_format', [torch.contiguous_format, torch.channels_last]
)
@pytest.mark.parametrize('size', [1, 2, 4])
def test_equals_the_convolution(size, memory_format):
    """Values and gradients are those of ``nn.Conv2d`` with the same weights."""
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 10, size, size).double()
    patch = PatchConv(6, 10, size).double()
    patch.load_state_dict(conv.state_dict())
    x = torch.randn(3, 6, 4, 8, dtype=torch.float64).to(memory_format=memory_format)
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    outputs = [m(i) for m, i in zip((conv, patch), inputs, strict=True)]
    torch.testing.assert_close(outputs[1], outputs[0])
    weights = torch.randn_like(outputs[0])
    for output in outputs:
        (output * weights).sum().backward()
    torch.testing.assert_close(inputs[1].grad, inputs[0].grad)
    torch.testing.assert_close(patch.weight.grad, conv.weight.grad)
    torch.testing.assert_close(patch.bias.grad, conv.bias.grad)


def test_broken_patches_are_refused():
    """Pixels that fill no patch are not dropped in silence."""
    with pytest.raises(DuGIError, match='not made of whole 2x2 patches'):
        PatchConv(1, 1, 2)(torch.zeros(1, 1, 4, 5))


@pytest.mark.parametrize('make', [PatchConv, TokenEmbed])
def test_another_number_of_channels_is_named(make):
    """Both counts and the argument, not the shapes of a matrix product."""
    with pytest.raises(DuGIError, match='images with 1 channels .* in_channels=3: set'):
        make(3, 8, 4)(torch.zeros(1, 1, 8, 8))
