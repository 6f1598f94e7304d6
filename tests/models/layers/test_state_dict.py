"""Weights of another number of channels or another image size fit when loaded."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import toys
from torch.nn import functional as F

from dugi_mae.models import (
    AdaptiveFrequencyModulation,
    ConvViT,
    EntropyMasking,
    MaskedDecoder,
)
from dugi_mae.models.layers import TokenEmbed

MASK = toys.random_mask(2, 12, 4)
#: What sees pixels, and a call that shows what it sees.
FOLDING = {
    'encoder': (ConvViT, dict(arch=toys.ARCH), lambda m, x: m.eval()(x)[3]),
    'tokens': (TokenEmbed, dict(embed_dims=8, patch_size=16), lambda m, x: m(x)),
    'filter': (
        AdaptiveFrequencyModulation,
        dict(embed_dims=8),
        lambda m, x: m(x, x, MASK),
    ),
    'masking': (
        EntropyMasking,
        dict(estimator='softmax', embed_dims=8),
        lambda m, x: m.score(x),
    ),
}


@pytest.mark.parametrize(('source', 'target'), [(3, 1), (1, 3), (1, 4), (5, 1)])
@pytest.mark.parametrize('name', FOLDING)
@torch.no_grad()
def test_input_channels_are_folded_for_grey_images(name, source, target):
    """On replicated grey input the folded model does what the original did."""
    cls, kwargs, run = FOLDING[name]
    one, two = (cls(in_channels=n, **kwargs) for n in (source, target))
    state = one.state_dict()
    kept = {k: v.clone() for k, v in state.items()}
    two.load_state_dict(state)
    grey = torch.randn(2, 1, 48, 64)
    results = (
        run(m, grey.expand(-1, n, -1, -1))
        for m, n in zip((one, two), (source, target), strict=True)
    )
    torch.testing.assert_close(*results, rtol=0, atol=1e-4)
    # The dict is still the caller's.
    assert state.keys() == kept.keys()
    assert all(torch.equal(v, kept[k]) for k, v in state.items())


def test_half_precision_is_folded_in_fp32():
    """Sums of fp16 kernels are those of float64: nothing is rounded between."""
    one, two = (TokenEmbed(n, 64, 16) for n in (3, 1))
    state = {k: v.half() for k, v in one.state_dict().items()}
    two.load_state_dict(state)
    wanted = state['proj.weight'].double().sum(dim=1, keepdim=True)
    assert (two.proj.weight.double() - wanted).abs().max() < 1e-6


@pytest.mark.parametrize(('source', 'target'), [(3, 4), (2, 3)])
def test_other_channel_counts_do_not_fit(source, target):
    """Counts without a meaning are refused, as torch refuses them."""
    with pytest.raises(RuntimeError, match='size mismatch for proj.weight'):
        TokenEmbed(target, 8, 4).load_state_dict(TokenEmbed(source, 8, 4).state_dict())


RESIZING = {
    'pos_embed': toys.conv_vit,
    'decoder_pos_embed': partial(MaskedDecoder, 16, 16, 1, decoder_num_heads=2),
}


@pytest.mark.parametrize('img_size', [32, 96, 224])
@pytest.mark.parametrize('name', RESIZING)
def test_positions_are_resized(name, img_size):
    """A state dict made for another ``img_size`` loads, its positions bicubic."""
    source, target = (RESIZING[name](img_size=n) for n in (64, img_size))
    stored = source.get_parameter(name).data.normal_()
    target.load_state_dict(source.state_dict())
    side = img_size // 16
    maps = stored.reshape(1, 4, 4, 16).permute(0, 3, 1, 2)
    maps = F.interpolate(maps, (side, side), mode='bicubic', align_corners=False)
    want = maps.permute(0, 2, 3, 1).reshape(1, -1, 16)
    torch.testing.assert_close(target.get_parameter(name).data, want)
    assert stored.shape == (1, 16, 16)


@pytest.mark.parametrize('shape', [(1, 15, 16), (2, 9, 16), (1, 16, 8)])
def test_positions_that_cannot_be_read_do_not_fit(shape):
    """No square grid, or another width: nothing is guessed."""
    model = toys.conv_vit()
    state = model.state_dict() | dict(pos_embed=torch.zeros(shape))
    with pytest.raises(RuntimeError, match='size mismatch for pos_embed'):
        model.load_state_dict(state)
