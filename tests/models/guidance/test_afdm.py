"""The learned filter against the centred spectrum in float64, place by place."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import toys

from dugi_mae.errors import DuGIError
from dugi_mae.models import AdaptiveFrequencyModulation


def modulation(**kwargs) -> AdaptiveFrequencyModulation:
    """A filter with 16 channels and a bias that is not zero."""
    afdm = AdaptiveFrequencyModulation(16, **kwargs)
    afdm.patch_embed.proj.bias.data.normal_()
    return afdm


def filtered(images, mode='highpass', r=0.5, alpha=0.62, beta=7.4) -> np.ndarray:
    """Eq. 3 and the inverse FFT in the centred form, float64."""
    height, width = images.shape[-2:]
    fy = (np.arange(height) - height // 2)[:, None] / height
    fx = (np.arange(width) - width // 2)[None] / width
    distance = np.sqrt(fx**2 + fy**2) / math.sqrt(0.5)
    gain = alpha * np.exp(-beta * (distance / r) ** 2)
    gain = gain if mode == 'lowpass' else 1 - gain
    spectrum = np.fft.fftshift(np.fft.fft2(images.double().numpy()), axes=(-2, -1))
    return np.fft.ifft2(np.fft.ifftshift(spectrum * gain, axes=(-2, -1))).real


def token(images: np.ndarray, place: int, proj) -> np.ndarray:
    """The embedding of one 16x16 patch of one image."""
    cols = images.shape[-1] // 16
    top, left = place // cols * 16, place % cols * 16
    patch = images[:, top : top + 16, left : left + 16]
    weight = proj.weight.detach().double().numpy()
    return (weight * patch).sum(axis=(1, 2, 3)) + proj.bias.detach().double().numpy()


def test_start_values():
    """Training starts at r = 0.5, alpha = 0.62 and beta = 7.4, three scalars."""
    afdm = modulation()
    assert afdm.radius.item() == pytest.approx(0.5, rel=1e-5)
    assert afdm.alpha.item() == pytest.approx(0.62, rel=1e-5)
    assert afdm.beta.item() == pytest.approx(7.4, rel=1e-5)
    scalars = [p for p in afdm.parameters() if p.numel() == 1]
    assert len(scalars) == 3
    assert all(p.requires_grad for p in scalars)


def test_files_with_scalars_load():
    """Our first files hold the three numbers without a dimension."""
    afdm, other = modulation(), modulation()
    with torch.no_grad():
        afdm.raw_beta.fill_(3.0)
    state = {
        name: value.squeeze() if name.startswith('raw_') else value
        for name, value in afdm.state_dict().items()
    }
    other.load_state_dict(state)
    assert torch.equal(other.beta, afdm.beta)


@pytest.mark.parametrize('value', [-30.0, 0.0, 30.0])
def test_scalars_stay_in_their_ranges(value):
    """Whatever training does, r and beta are not negative and alpha is in [0, 1]."""
    afdm = modulation()
    for raw in (afdm.raw_radius, afdm.raw_alpha, afdm.raw_beta):
        raw.data.fill_(value)
    assert afdm.radius > 0
    assert afdm.beta > 0
    assert 0 <= afdm.alpha <= 1


@pytest.mark.parametrize('mode', ['highpass', 'lowpass'])
@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize(('rows', 'cols', 'count'), [(4, 4, 4), (3, 5, 7), (2, 3, 1)])
def test_row_k_is_the_place_of_ids_keep(rows, cols, count, channels, mode):
    """F_freq[b, k] embeds patch ``ids_keep[b, k]`` of the filtered image."""
    afdm = modulation(mode=mode, in_channels=channels)
    images = torch.randn(2, channels, 16 * rows, 16 * cols)
    token_mask = toys.random_mask(2, rows * cols, count)
    got = afdm(torch.zeros(2, count, 16), images, token_mask)
    assert got.shape == (2, count, 16)
    reference = filtered(images, mode)
    for b in range(2):
        for k, place in enumerate(token_mask.ids_keep[b].tolist()):
            want = token(reference[b], place, afdm.patch_embed.proj)
            np.testing.assert_allclose(got[b, k].detach().numpy(), want, atol=1e-4)


@pytest.mark.parametrize(('rows', 'cols', 'count'), [(4, 4, 4), (3, 5, 5), (2, 3, 4)])
def test_align_pool_averages_the_raster_order(rows, cols, count):
    """Row k is the mean of tokens ``floor(k L / K)`` to ``ceil((k + 1) L / K) - 1``."""
    afdm = modulation(align='pool')
    total = rows * cols
    images = torch.randn(1, 3, 16 * rows, 16 * cols)
    got = afdm(torch.zeros(1, count, 16), images, toys.random_mask(1, total, count))
    reference = filtered(images)[0]
    for k in range(count):
        places = range(k * total // count, -(-(k + 1) * total // count))
        tokens = [token(reference, p, afdm.patch_embed.proj) for p in places]
        want = np.mean(tokens, axis=0)
        np.testing.assert_allclose(got[0, k].detach().numpy(), want, atol=1e-4)


def masked_pixels(token_mask, rows: int, cols: int) -> torch.Tensor:
    """``(B, 1, H, W)``, 1 = masked."""
    mask = token_mask.mask.reshape(-1, 1, rows, cols)
    return mask.repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)


@pytest.mark.parametrize('align', ['gather', 'pool'])
def test_source_visible_sees_no_masked_pixel(align):
    """Values and gradients of masked pixels have no influence."""
    afdm = modulation(source='visible', align=align)
    token_mask = toys.random_mask(2, 12, 4)
    masked = masked_pixels(token_mask, 3, 4)
    images = torch.randn(2, 3, 48, 64, requires_grad=True)
    out = afdm(torch.zeros(2, 4, 16), images, token_mask)
    other = images.detach() + 10 * torch.randn_like(images) * masked
    moved = afdm(torch.zeros(2, 4, 16), other, token_mask)
    torch.testing.assert_close(out, moved, rtol=0, atol=1e-5)
    out.square().sum().backward()
    assert (images.grad * masked).abs().max() == 0
    assert (images.grad * (1 - masked)).abs().sum() > 0


def test_source_visible_fills_with_the_visible_mean():
    """It filters the image whose masked patches hold the mean of the visible ones."""
    afdm = modulation(source='visible')
    token_mask = toys.random_mask(1, 6, 2)
    masked = masked_pixels(token_mask, 2, 3)[0, 0].bool()
    images = 5 + torch.randn(1, 3, 32, 48)
    filled = images.clone()
    for c in range(3):
        filled[0, c][masked] = images[0, c][~masked].mean()
    got = afdm(torch.zeros(1, 2, 16), images, token_mask)
    reference = filtered(filled)[0]
    for k, place in enumerate(token_mask.ids_keep[0].tolist()):
        want = token(reference, place, afdm.patch_embed.proj)
        np.testing.assert_allclose(got[0, k].detach().numpy(), want, atol=2e-4)


def test_source_image_sees_the_whole_image():
    """As in the paper, masked pixels reach the guidance through the spectrum."""
    afdm = modulation()
    token_mask = toys.random_mask(1, 12, 4)
    images = torch.randn(1, 3, 48, 64)
    other = images + masked_pixels(token_mask, 3, 4)
    tokens = torch.zeros(1, 4, 16)
    one, two = (afdm(tokens, x, token_mask) for x in (images, other))
    assert (one - two).abs().max() > 1e-3


@pytest.mark.parametrize('mode', ['highpass', 'lowpass'])
def test_gradient_of_the_raw_scalars(mode):
    """Backward through softplus and sigmoid equals float64 finite differences."""
    afdm = modulation(mode=mode, radius=0.7, alpha=0.4, beta=2.0)
    images, weight = torch.randn(1, 1, 20, 12), torch.randn(1, 1, 20, 12)
    (afdm.modulate(images) * weight).sum().backward()
    raws = [p.item() for p in (afdm.raw_radius, afdm.raw_alpha, afdm.raw_beta)]

    def reference(radius, alpha, beta):
        values = dict(
            r=math.log1p(math.exp(radius)),
            alpha=1 / (1 + math.exp(-alpha)),
            beta=math.log1p(math.exp(beta)),
        )
        return (filtered(images, mode, **values) * weight.double().numpy()).sum()

    for i, raw in enumerate((afdm.raw_radius, afdm.raw_alpha, afdm.raw_beta)):
        ends = []
        for sign in (1, -1):
            moved = list(raws)
            moved[i] += sign * 1e-5
            ends.append(reference(*moved))
        want = (ends[0] - ends[1]) / 2e-5
        assert raw.grad.item() == pytest.approx(want, rel=2e-3, abs=1e-4)


@pytest.mark.parametrize(
    ('kwargs', 'match'),
    [
        (dict(mode='highpas'), "mode='highpas'.*did you mean 'highpass'"),
        (dict(source='images'), "did you mean 'image'"),
        (dict(beta=-1.0), 'beta=-1.0'),
        (dict(alpha=1.0), 'alpha=1.0'),
    ],
)
def test_bad_options_are_named(kwargs, match):
    """Options out of range fail when built."""
    with pytest.raises(DuGIError, match=match):
        modulation(**kwargs)
