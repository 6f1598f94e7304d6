"""Thermal backgrounds drawn from a random generator: sky, clouds, ground, buildings.

Everything is an apparent temperature in kelvin, ``(H, W)`` float64, before the sensor.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy import fft, ndarray
from numpy.random import Generator

Size = tuple[int, int]


def fractal_noise(
    rng: Generator, size: Size, slope: float, stretch: float = 1.0
) -> ndarray:
    """Noise whose amplitude falls as ``1 / f**slope``, as natural textures do.

    Args:
        rng: Source of randomness.
        size: H, W in pixels.
        slope: 0 is white noise, 1 grass and soil, 2 clouds.
        stretch: How many times longer than high the features are.

    Returns:
        ``(H, W)`` with zero mean and unit variance.
    """
    fy, fx = fft.fftfreq(size[0])[:, None], fft.rfftfreq(size[1])[None]
    radius = np.hypot(fy, fx * stretch)
    radius[0, 0] = np.inf
    spectrum = fft.rfft2(rng.standard_normal(size)) / radius**slope
    noise = fft.irfft2(spectrum, s=size)
    return (noise - noise.mean()) / noise.std()


def blur(scene: ndarray, sigma: float) -> ndarray:
    """A Gaussian point-spread function over ``(H, W)``, mirrored at the borders."""
    side = 2 * round(4 * sigma) + 1
    return cv2.GaussianBlur(scene, (side, side), sigma, borderType=cv2.BORDER_REFLECT)


def draw_sky(rng: Generator, size: Size) -> ndarray:
    """A clear sky, colder towards the zenith, with warmer clouds before it."""
    rows = np.linspace(0, 1, size[0])[:, None]
    sky = rng.uniform(262, 276) + rng.uniform(1, 8) * rows**2
    sky = sky + rng.uniform(0.05, 0.3) * fractal_noise(rng, size, 1.6)
    # Clouds have edges: only where the noise exceeds a threshold is there one, and it
    # is the warmer the thicker it is.
    shape = fractal_noise(rng, size, rng.uniform(1.6, 2.1), rng.uniform(1, 2.5))
    depth = np.clip(shape - rng.uniform(-1.5, 2.0), 0, None)
    return sky + rng.uniform(1, 8) * (1 - np.exp(-depth / rng.uniform(0.2, 1.0)))


def draw_ground(rng: Generator, size: Size) -> ndarray:
    """Soil and vegetation, with some warm or cold rectangular things on it."""
    ground = rng.uniform(274, 290) + rng.uniform(0.5, 2.5) * fractal_noise(
        rng, size, rng.uniform(1.1, 1.6), rng.uniform(0.5, 4)
    )
    height, width = size
    for _ in range(rng.integers(0, 6)):
        h, w = (int(s * rng.uniform(0.03, 0.18)) + 2 for s in size)
        y, x = rng.integers(0, height - h), rng.integers(0, width - w)
        _paint(rng, ground, (y, x, h, w), ground.mean() + rng.normal(0, 4))
    return ground


def draw_skyline(rng: Generator, size: Size) -> ndarray:
    """Sky above a ragged horizon, with ground and buildings below it."""
    height, width = size
    sky, scene = draw_sky(rng, size), draw_ground(rng, size)
    ridge = fractal_noise(rng, (1, width), rng.uniform(1.0, 2.0))[0]
    level = rng.uniform(0.5, 0.85) + rng.uniform(0, 0.06) * ridge
    tilt = rng.uniform(-0.1, 0.1) * np.linspace(-1, 1, width)
    horizon = (height * np.clip(level + tilt, 0.2, 0.95)).astype(int)
    # Walls radiate like the ground around them, but sharp-edged and upwards.
    walls = scene.mean()
    for _ in range(rng.integers(0, 4)):
        w = int(width * rng.uniform(0.05, 0.2)) + 2
        x = rng.integers(0, width - w)
        top = max(horizon[x : x + w].min() - int(height * rng.uniform(0.02, 0.25)), 0)
        _paint(rng, scene, (top, x, height - top, w), walls + rng.normal(0, 4))
        horizon[x : x + w] = np.minimum(horizon[x : x + w], top)
    return np.where(np.arange(height)[:, None] < horizon, sky, scene)


def _paint(
    rng: Generator,
    scene: ndarray,
    box: tuple[int, int, int, int],
    temperature: float,
) -> None:
    """Fill a box y, x, height, width of a scene with an uneven surface, in place."""
    y, x, h, w = box
    surface = 0.3 * fractal_noise(rng, (h, w), 1.0) + np.linspace(0, 1, h)[:, None]
    scene[y : y + h, x : x + w] = temperature + surface


def draw_background(rng: Generator, size: Size) -> ndarray:
    """A scene without targets, as the optics project it.

    Args:
        rng: Source of randomness.
        size: H, W in pixels.

    Returns:
        ``(H, W)`` apparent temperatures in kelvin.
    """
    kinds = (draw_sky, draw_skyline, draw_ground)
    scene = kinds[rng.choice(len(kinds), p=(0.5, 0.3, 0.2))](rng, size)
    return blur(scene, rng.uniform(0.7, 1.1))
