"""Token entropy against slow loops and against images of known entropy."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch

from dugi_mae.errors import DuGIError
from dugi_mae.ops import softmax_entropy, token_entropy
from dugi_mae.ops.entropy import _n_log2_n


def image_of_levels(levels: torch.Tensor, channels: int, low=-1.7, step=0.013):
    """An image whose channel mean is ``low + step * level``, with unequal channels."""
    grey = low + step * levels.double()
    offsets = {1: [0.0], 3: [0.2, -0.5, 0.3]}[channels]
    return torch.stack([grey + x for x in offsets], dim=1).float()


def slow_entropy(image, patch, bins, value_range=None):
    """Eq. 1 pixel by pixel in float64: ``(C, H, W)`` -> list of bits."""
    channels, height, width = image.shape
    pixels = image.double().tolist()
    grey = [
        [sum(pixels[c][y][x] for c in range(channels)) / channels for x in range(width)]
        for y in range(height)
    ]
    low, high = value_range or (min(map(min, grey)), max(map(max, grey)))
    result = []
    for top in range(0, height, patch):
        for left in range(0, width, patch):
            histogram = Counter()
            for y in range(top, top + patch):
                for x in range(left, left + patch):
                    share = (grey[y][x] - low) / (high - low) if high > low else 0.0
                    level = math.floor(share * (bins - 1) + 0.5)
                    histogram[min(max(level, 0), bins - 1)] += 1
            shares = [n / patch**2 for n in histogram.values()]
            result.append(-sum(p * math.log2(p) for p in shares))
    return result


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize(
    ('height', 'width', 'patch', 'bins'),
    [(32, 32, 16, 256), (16, 48, 16, 256), (40, 24, 8, 256), (24, 24, 4, 16)],
)
def test_token_entropy_equals_the_loop(height, width, patch, bins, channels):
    """Eq. 1 over an image's own range, at any size and channel count."""
    levels = torch.randint(0, bins, (2, height, width))
    # Differently busy tokens, and every image spans the whole range.
    levels[:, : height // 2] //= 4
    levels[:, 0, 0], levels[:, -1, -1] = 0, bins - 1
    images = image_of_levels(levels, channels)
    got = token_entropy(images, patch, bins)
    want = [slow_entropy(image, patch, bins) for image in images]
    assert got.shape == (2, height // patch * (width // patch))
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, torch.tensor(want), rtol=0, atol=1e-5)


def test_each_image_has_its_own_range():
    """Brightness and contrast of one image never touch another's entropy."""
    images = image_of_levels(torch.randint(0, 256, (3, 32, 32)), 3)
    scaled = images * torch.tensor([1.0, 8.0, 0.25]).view(3, 1, 1, 1) + 1.0
    alone = torch.cat([token_entropy(x[None]) for x in scaled])
    assert torch.equal(token_entropy(scaled), alone)
    assert (token_entropy(images)[0] - alone[0]).abs().max() < 0.05


def test_value_range_clamps():
    """``value_range`` is in the tensor's units, and values beyond it fill the ends."""
    low, high = -0.5, 1.0
    levels = torch.randint(-40, 300, (1, 32, 16))
    image = image_of_levels(levels, 3, low, (high - low) / 255)
    got = token_entropy(image, value_range=(low, high))[0]
    want = slow_entropy(image[0], 16, 256, (low, high))
    torch.testing.assert_close(got, torch.tensor(want), rtol=0, atol=1e-5)
    assert not torch.equal(got, token_entropy(image)[0])
    grey = image.mean(dim=1, keepdim=True)
    clamped = token_entropy(grey.clamp(low, high), value_range=(low, high))
    assert torch.equal(clamped, token_entropy(grey, value_range=(low, high)))


@pytest.mark.parametrize('value', [-3.0, 0.0, 1e-8, 65535.0])
@pytest.mark.parametrize('value_range', [None, (0.0, 1.0)])
def test_constant_image_has_no_entropy(value, value_range):
    """A constant image gives exactly 0 bits everywhere, never nan."""
    bits = token_entropy(torch.full((2, 3, 32, 48), value), value_range=value_range)
    assert torch.equal(bits, torch.zeros(2, 6))


def test_uniform_histogram_has_eight_bits():
    """256 equally frequent levels in a 16x16 token are exactly 8 bits."""
    tile = torch.randperm(256).reshape(1, 1, 16, 16).float()
    image = tile.repeat(1, 1, 2, 3)
    assert torch.equal(token_entropy(image), torch.full((1, 6), 8.0))
    assert torch.equal(token_entropy(image, num_bins=2), torch.full((1, 6), 1.0))


@pytest.mark.parametrize('seed', [0, 4])
def test_equal_histograms_tie_exactly(seed):
    """Tokens with the same counts on other levels are true ties, bit by bit."""
    generator = torch.Generator().manual_seed(seed)
    num_levels = 20 + 30 * seed
    cuts = torch.randperm(255, generator=generator)[: num_levels - 1].sort().values + 1
    counts = torch.diff(torch.cat([torch.tensor([0]), cuts, torch.tensor([256])]))
    tokens = []
    for _ in range(12):
        levels = torch.randperm(256, generator=generator)[:num_levels]
        pixels = levels.repeat_interleave(counts)
        tokens.append(pixels[torch.randperm(256, generator=generator)].view(16, 16))
    image = torch.cat([torch.cat(tokens[:6], 1), torch.cat(tokens[6:], 1)])
    bits = token_entropy(image[None, None].float(), value_range=(0, 255))[0]
    assert bits.unique().numel() == 1
    shares = (counts / 256).tolist()
    want = -sum(p * math.log2(p) for p in shares)
    assert bits[0].item() == pytest.approx(want, abs=1e-6)


def test_token_entropy_carries_no_gradient():
    """Scores are for choosing: nothing flows back to the image, which stays as is."""
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    before = image.detach().clone()
    assert not token_entropy(image).requires_grad
    assert torch.equal(image, before)


def test_a_default_device_does_not_reach_the_table():
    """While a model is laid out on the meta device, images are scored as ever."""
    image = torch.rand(1, 1, 22, 22)
    want = token_entropy(image, patch_size=11)
    _n_log2_n.cache_clear()
    with torch.device('meta'):
        got = token_entropy(image, patch_size=11)
    assert torch.equal(got, want)


@pytest.mark.parametrize('patch', [(slice(16), slice(16)), (3, 4)])
def test_pixels_that_are_not_finite_are_the_least_and_the_most(patch):
    """NaN and -inf count as the least finite grey value, inf as the greatest."""
    image = torch.rand(1, 1, 32, 32)
    image[0, 0, 20, 20], image[0, 0, 20, 21] = -1.0, 2.0
    for value, finite in ((torch.nan, -1.0), (-torch.inf, -1.0), (torch.inf, 2.0)):
        odd, plain = image.clone(), image.clone()
        odd[0, 0][patch], plain[0, 0][patch] = value, finite
        assert torch.equal(token_entropy(odd), token_entropy(plain))
        fixed = dict(value_range=(-1.0, 2.0))
        assert torch.equal(token_entropy(odd, **fixed), token_entropy(plain, **fixed))


@pytest.mark.parametrize('dtype', [torch.float64, torch.float16, torch.bfloat16])
def test_other_dtypes_are_scored_in_fp32(dtype):
    """A half or double image is scored as its fp32 copy."""
    image = torch.randint(0, 64, (1, 3, 32, 32)).to(dtype)
    assert torch.equal(token_entropy(image), token_entropy(image.float()))


@pytest.mark.parametrize(
    ('shape', 'kwargs', 'match'),
    [
        ((1, 3, 16, 16), dict(num_bins=1), 'num_bins=1'),
        ((1, 3, 16, 16), dict(value_range=(1.0, 1.0)), r'value_range=\(1.0, 1.0\)'),
        ((1, 3, 40, 32), {}, '40x32 pixels .* multiple of 16'),
    ],
)
def test_bad_arguments_are_named(shape, kwargs, match):
    """Bad input raises DuGIError, one line that names the offending thing."""
    with pytest.raises(DuGIError, match=match) as caught:
        token_entropy(torch.rand(shape), **kwargs)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('scale', [0.1, 1.0, 60.0])
def test_softmax_entropy_equals_the_loop(scale):
    """The released code's estimator: clamped softmax over channels, natural log."""
    embeddings = scale * torch.randn(2, 5, 12)
    got = softmax_entropy(embeddings)
    for b in range(2):
        for t in range(5):
            row = embeddings[b, t].double().tolist()
            exps = [math.exp(v - max(row)) for v in row]
            shares = [max(e / sum(exps), 1e-9) for e in exps]
            want = -sum(p * math.log(p) for p in shares)
            assert got[b, t].item() == pytest.approx(want, abs=1e-5)
