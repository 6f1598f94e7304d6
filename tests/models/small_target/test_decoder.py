"""The small-target decoder in plain PyTorch, on top of a toy encoder."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from toys import WIDTHS, conv_vit

from dugi_mae.errors import DuGIError
from dugi_mae.models.small_target import SmallTargetDecoder, SoftIoULoss


class Network(nn.Module):
    """Encoder and decoder; with five inputs the decoder also gets the image."""

    def __init__(self, stem: bool = True, **decoder) -> None:
        super().__init__()
        self.stem = stem
        self.encoder = conv_vit()
        self.decoder = SmallTargetDecoder([*WIDTHS, *[3] * stem], channels=4, **decoder)

    def features(self, images):
        return [*self.encoder(images), *[images] * self.stem]

    def forward(self, images):
        return self.decoder(self.features(images))


@pytest.mark.parametrize(
    'stem, size',
    [
        (True, (64, 64)),
        (False, (64, 64)),
        (False, (32, 96)),
        *((True, size) for size in ((50, 70), (33, 47), (20, 61))),
    ],
)
def test_logits_have_the_size_of_the_input(stem, size):
    """One logit a pixel; with the stem for sizes that are no multiple of 32, too."""
    logits = Network(stem).eval()(torch.randn(2, 3, *size))
    assert logits.shape == (2, 1, *size)


def test_starts_silent():
    """A new decoder predicts a probability of about 0.01 everywhere."""
    prob = Network().eval()(torch.randn(2, 3, 64, 64)).sigmoid()
    assert prob.median().item() == pytest.approx(0.01, rel=0.3)


def test_every_parameter_learns():
    """Loss and backward pass reach each parameter; the top-hat is a stem channel."""
    network = Network(top_hat_radius=3, side_outputs=True)
    features = network.features(torch.randn(2, 3, 64, 64))
    maps = network.decoder.decode(features)
    label = torch.zeros(2, 64, 64, dtype=torch.long)
    label[:, 8:12, 9:12] = 1
    heads = [*network.decoder.side_seg, network.decoder.conv_seg]
    loss = 0
    for conv, x in zip(heads, maps, strict=True):
        loss += SoftIoULoss()(nn.functional.interpolate(conv(x), (64, 64)), label)
    loss.backward()
    silent = [n for n, p in network.named_parameters() if p.requires_grad]
    silent = [n for n in silent if not network.get_parameter(n).grad.any()]
    assert not silent
    assert network.decoder.stem[0].conv.in_channels == 3 + 1


def test_stem_sees_single_pixels():
    """With equal features, a pixel still moves the logits next to it."""
    network = Network().eval()
    images = torch.zeros(2, 3, 64, 64)
    images[1, :, 20, 30] = 10
    *features, _ = network.features(torch.zeros_like(images))
    logits = network.decoder([*features, images])
    rows, cols = (logits[1, 0] - logits[0, 0]).nonzero().unbind(1)
    assert 0 < len(rows) <= 400
    assert ((rows - 20).abs() <= 10).all()
    assert ((cols - 30).abs() <= 10).all()


def test_batch_independence():
    """The first image's logits do not depend on the second one."""
    network = Network().eval()
    images = torch.randn(2, 3, 32, 64)
    assert torch.allclose(network(images)[:1], network(images[:1]), atol=1e-5)


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(in_channels=[8, 12]), 'in_channels=.*F1, F2, F3, F4'),
        (dict(num_heads=5), 'num_heads=5'),
        (dict(top_hat_radius=0), 'top_hat_radius=0.*nearest is 1'),
        (
            dict(top_hat_radius=3, in_channels=WIDTHS),
            'top_hat_radius=3.*fifth entry of in_channels',
        ),
    ],
)
def test_bad_arguments(change, message):
    """Settings that the decoder cannot have are named with the remedy."""
    with pytest.raises(DuGIError, match=message):
        SmallTargetDecoder(**{'in_channels': [*WIDTHS, 3], 'channels': 4} | change)
