"""The small-target network in plain PyTorch, alone and with a toy encoder."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toys import WIDTHS, conv_vit, stir

from dugi_mae.errors import DuGIError
from dugi_mae.models.small_target import (
    SmallTargetNet,
    reflect_pad,
    small_target_losses,
)


def toy(*feature_channels: int) -> SmallTargetNet:
    """A network of a few channels."""
    return SmallTargetNet(feature_channels, widths=(4, 4, 6, 6, 8))


@pytest.mark.parametrize('size', [(64, 96), (50, 70), (33, 47), (1, 5)])
def test_reflect_pad_equals_numpy(size):
    """Images of any size go on as in a mirror, as often as it takes."""
    images = torch.randn(2, 1, *size)
    grown = [(0, 0), (0, 0), *((0, -n % 32) for n in size)]
    expected = np.pad(images.numpy(), grown, mode='reflect')
    assert np.array_equal(reflect_pad(images).numpy(), expected)


@pytest.mark.parametrize('size', [(64, 64), (50, 70), (33, 47), (9, 61)])
def test_one_probability_a_pixel(size):
    """Images in memory of any size get as many probabilities, low at the start."""
    net = toy().eval()
    images = net.prepare(np.random.randint(0, 256, size, np.uint8))
    prob = net.predict(images)
    assert prob.shape == (1, 1, *size)
    assert prob.mean().item() == pytest.approx(0.01, abs=0.02)


def test_an_encoder_changes_nothing_at_the_start():
    """The adapters are zero: the network gives what it gives without an encoder."""
    alone, joined = toy(), toy(*WIDTHS).eval()
    missing = joined.load_state_dict(alone.state_dict(), strict=False)
    assert all(key.startswith('adapters') for key in missing.missing_keys)
    images = torch.randn(2, 1, 64, 64)
    features = conv_vit(in_channels=1).eval()(images)
    torch.testing.assert_close(joined(images, features), alone.eval()(images))
    stir(joined.adapters)
    assert not torch.allclose(joined(images, features), alone(images))


def test_every_parameter_learns():
    """Once the adapters have moved, the losses reach all of encoder and network."""
    encoder, net = conv_vit(in_channels=1), stir(toy(*WIDTHS))
    images = torch.randn(2, 1, 64, 64)
    label = torch.zeros(2, 1, 64, 64, dtype=torch.long)
    label[..., 8:12, 9:12] = 1
    sum(small_target_losses(net(images, encoder(images)), label).values()).backward()
    for module in (encoder, net):
        for name, parameter in module.named_parameters():
            assert not parameter.requires_grad or parameter.grad.any(), name


def test_single_pixels_are_seen():
    """A pixel moves the logits next to it most: nothing is lost to a coarser grid."""
    net = stir(toy()).eval()
    images = torch.zeros(2, 1, 64, 64)
    images[1, :, 20, 30] = 10
    logits = net(images)
    change = (logits[1, 0] - logits[0, 0]).abs()
    row, col = divmod(change.argmax().item(), 64)
    assert abs(row - 20) <= 4 and abs(col - 30) <= 4


def test_batch_independence():
    """The first image's logits do not depend on the second one."""
    net, images = stir(toy()).eval(), torch.randn(2, 1, 32, 64)
    torch.testing.assert_close(net(images)[:1], net(images[:1]))


@pytest.mark.parametrize('change', [dict(feature_channels=[8]), dict(widths=[8, 16])])
def test_bad_arguments(change):
    """Another number of maps or levels is named."""
    with pytest.raises(DuGIError, match=next(iter(change))):
        SmallTargetNet(**change)


def test_channels_last_at_odd_widths():
    """The same gradients; of a strided 1x1 convolution oneDNN wrote past its memory."""
    gradients = []
    for form in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)
        net = SmallTargetNet(widths=(4, 6, 6, 4, 4)).to(memory_format=form)
        images = torch.randn(2, 1, 64, 64).contiguous(memory_format=form)
        net(images).square().mean().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in net.parameters()]))
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4)
