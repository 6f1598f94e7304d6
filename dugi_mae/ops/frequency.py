"""Radial filters in the frequency domain (paper, Eq. 3)."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from dugi_mae.errors import check_choice

FILTER_MODES = ('highpass', 'lowpass')


@functools.lru_cache(maxsize=32)
def spectrum_distance(
    height: int, width: int, device: torch.device | str = 'cpu'
) -> Tensor:
    """Distance of every ``rfft2`` coefficient from the zero frequency.

    In units of the largest distance of any spectrum, ``sqrt(0.5)`` cycles per pixel,
    so a frequency has the same distance at every image size. The table has no
    parameters, therefore it may be cached; the filter made from it must not be.

    Args:
        height: H in pixels.
        width: W in pixels.
        device: Where the table is needed.

    Returns:
        ``(H, W // 2 + 1)`` float32 in ``[0, 1]``, in :func:`torch.fft.rfft2`'s order.
    """
    options = dict(dtype=torch.float64, device='cpu')
    # Training may ask for the table that inference has asked for first.
    with torch.inference_mode(False):
        fy = torch.fft.fftfreq(height, **options)[:, None]
        fx = torch.fft.rfftfreq(width, **options)[None, :]
        distance = torch.sqrt(fx**2 + fy**2) / math.sqrt(0.5)
        return distance.float().to(device)


def radial_filter(
    distance: Tensor,
    radius: Tensor | float,
    alpha: Tensor | float,
    beta: Tensor | float,
    mode: str = 'highpass',
) -> Tensor:
    r"""Gain of every frequency.

    ``lowpass`` is the printed Eq. 3, :math:`H = \alpha e^{-\beta (D/r)^2}`;
    ``highpass`` is what the paper's text describes,
    :math:`H = 1 - \alpha e^{-\beta (D/r)^2}`: the low-frequency centre is attenuated
    by up to ``alpha`` and the rest passes. Only ``beta / radius**2`` is identifiable.

    Args:
        distance: D, of any shape, see :func:`spectrum_distance`.
        radius: r > 0.
        alpha: Attenuation degree in ``[0, 1]``.
        beta: Attenuation rate > 0.
        mode: ``'highpass'`` or ``'lowpass'``.

    Returns:
        H, of the shape of ``distance``.
    """
    check_choice('mode', mode, FILTER_MODES)
    bump = alpha * torch.exp(-beta * (distance / radius) ** 2)
    return bump if mode == 'lowpass' else 1 - bump


def filter_images(images: Tensor, gain: Tensor) -> Tensor:
    """Multiply the spectrum of every image and channel by a real gain.

    Always in fp32 outside autocast: half-precision FFTs do not exist on a CPU and
    need power-of-two sizes on a GPU.

    Args:
        images: ``(B, C, H, W)``.
        gain: ``(H, W // 2 + 1)``, in the order of :func:`torch.fft.rfft2`.

    Returns:
        ``(B, C, H, W)`` float32.
    """
    with torch.autocast(images.device.type, enabled=False):
        spectrum = torch.fft.rfft2(images.float())
        return torch.fft.irfft2(spectrum * gain.float(), s=images.shape[-2:])


def centred_log_spectrum(images: Tensor) -> Tensor:
    """Log magnitude with the zero frequency in the middle, for pictures.

    Args:
        images: ``(B, C, H, W)``.

    Returns:
        ``(B, C, H, W)`` float32, ``log(1 + |F|)``, centre at ``(H // 2, W // 2)``.
    """
    spectrum = torch.fft.fft2(images.detach().float())
    return torch.fft.fftshift(spectrum.abs().log1p(), dim=(-2, -1))
