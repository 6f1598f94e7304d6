"""Radial filters against the centred full spectrum in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dugi_mae.errors import DuGIError
from dugi_mae.ops import (
    centred_log_spectrum,
    filter_images,
    radial_filter,
    spectrum_distance,
)

SIZES = [(16, 16), (15, 15), (16, 24), (9, 14), (14, 9), (33, 20), (1, 8)]


def centred_distance(height: int, width: int) -> np.ndarray:
    """D of a shifted full spectrum, loops only: centre at ``(H // 2, W // 2)``."""
    table = np.zeros((height, width))
    for u in range(height):
        for v in range(width):
            fy, fx = (u - height // 2) / height, (v - width // 2) / width
            table[u, v] = math.sqrt(fx * fx + fy * fy) / math.sqrt(0.5)
    return table


def reference_filter(images, gain: np.ndarray) -> np.ndarray:
    """Shift, multiply by a centred gain, shift back, real part; all in float64."""
    spectrum = np.fft.fftshift(np.fft.fft2(np.asarray(images, float)), axes=(-2, -1))
    back = np.fft.ifft2(np.fft.ifftshift(spectrum * gain, axes=(-2, -1)))
    return back.real


@pytest.mark.parametrize(('height', 'width'), SIZES)
def test_distance_equals_the_centred_form(height, width):
    """The ``rfft2`` table is the left part of the unshifted centred one."""
    table = spectrum_distance(height, width)
    want = np.fft.ifftshift(centred_distance(height, width))[:, : width // 2 + 1]
    assert table.dtype == torch.float32
    assert table.shape == (height, width // 2 + 1)
    assert table.min() == 0
    assert table.max() <= 1
    assert table[0, 0] == 0
    np.testing.assert_allclose(table.numpy(), want, atol=1e-6)


@pytest.fixture
def forget_distances():
    """Leave no cached table of another test, and none to the next."""
    spectrum_distance.cache_clear()
    yield
    spectrum_distance.cache_clear()


@pytest.mark.usefixtures('forget_distances')
def test_a_table_made_for_inference_serves_training():
    """Gradients flow through a table that inference mode asked for first."""
    with torch.inference_mode():
        spectrum_distance(6, 8)
    radius = torch.tensor(0.5, requires_grad=True)
    radial_filter(spectrum_distance(6, 8), radius, 0.6, 7.0).sum().backward()
    assert radius.grad != 0


@pytest.mark.usefixtures('forget_distances')
def test_a_default_device_does_not_reach_the_table():
    """While a model is laid out on the meta device, the table has its numbers."""
    with torch.device('meta'):
        table = spectrum_distance(6, 8, torch.device('cpu'))
    np.testing.assert_allclose(
        table, np.fft.ifftshift(centred_distance(6, 8))[:, :5], atol=1e-6
    )


@pytest.mark.parametrize('mode', ['highpass', 'lowpass'])
@pytest.mark.parametrize(('r', 'alpha', 'beta'), [(0.5, 0.62, 7.4), (1.3, 0.2, 0.7)])
def test_gain_is_the_printed_and_the_described_one(mode, r, alpha, beta):
    """Eq. 3 for lowpass, 1 minus it for highpass."""
    distance = torch.linspace(0, 1, 11)
    gain = radial_filter(distance, r, alpha, beta, mode)
    for d, g in zip(distance.tolist(), gain.tolist(), strict=True):
        bump = alpha * math.exp(-beta * (d / r) ** 2)
        assert g == pytest.approx(bump if mode == 'lowpass' else 1 - bump, abs=1e-6)


def test_unknown_mode_is_named():
    """A misspelt mode raises DuGIError with the nearest known one."""
    with pytest.raises(DuGIError, match="mode='hipass'.*did you mean 'highpass'"):
        radial_filter(torch.zeros(2), 1.0, 0.5, 1.0, 'hipass')


@pytest.mark.parametrize('mode', ['highpass', 'lowpass'])
@pytest.mark.parametrize(('height', 'width'), SIZES)
def test_filter_equals_the_centred_full_spectrum(height, width, mode):
    """``irfft2(rfft2(x) * H)`` is the paper's centred FFT form at any size."""
    images = torch.randn(2, 3, height, width)
    bump = 0.62 * np.exp(-7.4 * (centred_distance(height, width) / 0.5) ** 2)
    want = reference_filter(images, bump if mode == 'lowpass' else 1 - bump)
    gain = radial_filter(spectrum_distance(height, width), 0.5, 0.62, 7.4, mode)
    got = filter_images(images, gain)
    assert got.shape == images.shape
    np.testing.assert_allclose(got.numpy(), want, atol=2e-5)


def test_filter_runs_in_fp32_under_autocast():
    """Autocast changes neither dtype nor values: the FFT stays in fp32."""
    images = torch.randn(1, 3, 18, 20)
    gain = radial_filter(spectrum_distance(18, 20), 0.5, 0.62, 7.4)
    want = filter_images(images, gain)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        got = filter_images(images, gain)
        half = filter_images(images.bfloat16(), gain.bfloat16())
    assert got.dtype == half.dtype == torch.float32
    assert torch.equal(got, want)


@pytest.mark.parametrize(('height', 'width'), [(8, 8), (9, 7)])
def test_centred_log_spectrum(height, width):
    """``log(1 + |F|)`` with the zero frequency at ``(H // 2, W // 2)``."""
    images = torch.rand(1, 2, height, width)
    got = centred_log_spectrum(images)
    full = np.log1p(np.abs(np.fft.fftshift(np.fft.fft2(images), axes=(-2, -1))))
    np.testing.assert_allclose(got.numpy(), full, atol=1e-4)
    peak = got[0, 0].argmax().item()
    assert (peak // width, peak % width) == (height // 2, width // 2)
