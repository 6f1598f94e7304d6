"""From raw sensor counts (14/16-bit, float) to grey values an 8-bit model knows.

Every normaliser here is a pure function ``(image, valid, ...) -> grey``:

* ``image`` is ``(H, W)`` in raw counts, any real dtype;
* ``valid`` is ``(H, W)`` boolean, ``False`` where a count means nothing;
* ``grey`` is ``(H, W)`` float32 in ``[0, 1]``, and 0 at invalid pixels.

Statistics are taken over valid pixels only. An image whose valid pixels are all equal
becomes all zero.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy import ndarray

from dugi_mae.errors import DuGIError, check_choice, check_range

Normalizer = Callable[[ndarray, ndarray], ndarray]
#: Float values of this size and more are no counts: files mark missing pixels with the
#: largest number of their type, and the width of such a range would overflow.
MAX_COUNT = 1e30


def valid_pixels(image: ndarray, invalid: Sequence[float] = ()) -> ndarray:
    """Mark the pixels that carry a measurement.

    Args:
        image: ``(H, W)`` raw counts.
        invalid: Counts that stand for "no measurement", such as 0 (holes left by a
            re-projection) or 65535 (saturation). NaN, infinity and floats of
            :data:`MAX_COUNT` and beyond always do.

    Returns:
        ``(H, W)`` boolean.
    """
    valid = np.isfinite(image)
    if image.dtype.kind == 'f' and image.itemsize > 2:  # float16 ends before
        valid &= np.abs(image) < MAX_COUNT
    for value in invalid:
        valid &= image != value
    return valid


def stretch(image: ndarray, valid: ndarray, lo: float, hi: float) -> ndarray:
    """Map ``[lo, hi]`` linearly to ``[0, 1]`` and clip what lies outside.

    As normaliser ``'fixed'`` it keeps images comparable.

    Args:
        image: ``(H, W)`` raw counts.
        valid: ``(H, W)`` boolean.
        lo: Count that becomes 0.
        hi: Count that becomes 1. If it is not above ``lo``, the result is all zero.
    """
    grey = np.zeros(image.shape, np.float32)
    if not hi > lo:
        return grey

    def scale(counts: ndarray) -> ndarray:
        # float64: float32 cannot hold every 32-bit count.
        return np.clip((counts.astype(np.float64) - lo) / (float(hi) - lo), 0, 1)

    if image.dtype == np.uint16:  # each count once: several times faster
        table = scale(np.arange(2**16)).astype(np.float32)
        return np.where(valid, table[image], grey)
    grey[valid] = scale(image[valid])
    return grey


def _percentiles(values: ndarray, low: float, high: float) -> tuple[float, float]:
    """What :func:`numpy.percentile` gives; from a histogram where there can be one."""
    shares = np.array([low, high]) / 100
    if values.dtype != np.uint16:
        return tuple(map(float, np.quantile(values, shares)))
    places = (values.size - 1) * shares
    at_most = np.bincount(values).cumsum()
    below = np.searchsorted(at_most, np.floor(places), side='right')
    above = np.searchsorted(at_most, np.ceil(places), side='right')
    return tuple(map(float, below + (places - np.floor(places)) * (above - below)))


def minmax(image: ndarray, valid: ndarray) -> ndarray:
    """Stretch the full range of the image. One hot pixel flattens everything else."""
    if not valid.any():
        return np.zeros(image.shape, np.float32)
    values = image[valid]
    return stretch(image, valid, float(values.min()), float(values.max()))


def percentile(
    image: ndarray,
    valid: ndarray,
    low: float = 1.0,
    high: float = 99.0,
    margin: float = 1.5,
) -> ndarray:
    """Stretch the range of the bulk of the image, widened by a margin.

    The window is ``[p_low - m, p_high + m]`` with ``m = margin * (p_high - p_low)``,
    cut to the range of the image. ``margin=0`` is the textbook percentile clip.

    Why a margin: hot targets, engines and the sun are a handful of pixels, so a plain
    1/99 clip merges just what a small-target model looks for. In a 16-bit scene with
    61 distinct counts it left 19 grey levels. Percentiles tight enough to keep most
    levels (0.002/99.998) no longer protect a small image from a single hot pixel.
    With the margin that scene keeps more than 50 levels (a scene of 330 counts: all
    an 8-bit image can hold), while the bulk never gets less than ``1 / (1 + 2 *
    margin)`` of the grey range, a quarter by default, wherever the outliers lie.

    Args:
        image: ``(H, W)`` raw counts.
        valid: ``(H, W)`` boolean.
        low: Lower percentile, 0 to 100.
        high: Upper percentile, 0 to 100.
        margin: Widening on either side, in widths of the percentile window.
    """
    if not valid.any():
        return np.zeros(image.shape, np.float32)
    values = image[valid]
    p_low, p_high = _percentiles(values, low, high)
    if p_high <= p_low:  # a flat scene with a few exceptions: they are its content
        return minmax(image, valid)
    widening = margin * (p_high - p_low)
    lo = max(p_low - widening, float(values.min()))
    hi = min(p_high + widening, float(values.max()))
    return stretch(image, valid, lo, hi)


NORMALIZERS: dict[str, Callable[..., ndarray]] = dict(
    percentile=percentile, minmax=minmax, fixed=stretch
)
#: Least and most value of each parameter.
LIMITS = dict(
    low=(0, 100),
    high=(0, 100),
    margin=(0, MAX_COUNT),
    lo=(-MAX_COUNT, MAX_COUNT),
    hi=(-MAX_COUNT, MAX_COUNT),
)


def build_normalizer(spec: str | dict) -> Normalizer:
    """Turn a config value into a normaliser.

    Args:
        spec: A name from :data:`NORMALIZERS`, or ``dict(type=name, **parameters)``.

    Raises:
        DuGIError: If the name or a parameter is unknown, or a value out of its limits.

    Example:
        >>> build_normalizer(dict(type='fixed', lo=6700, hi=7100))  # doctest: +SKIP
    """
    params = dict(spec) if isinstance(spec, dict) else dict(type=spec)
    name = params.pop('type', None)
    check_choice('normalizer', name, NORMALIZERS)
    function = NORMALIZERS[name]
    signature = inspect.signature(function)
    try:
        bound = signature.bind(None, None, **params)
    except TypeError as error:
        takes = ', '.join([*signature.parameters][2:]) or 'no parameter'
        raise DuGIError(f'normalizer {name!r} takes {takes}: {error}') from None
    bound.apply_defaults()
    values = dict([*bound.arguments.items()][2:])
    for key, value in values.items():
        check_range(f'{key} of normalizer {name!r}', value, *LIMITS[key])
    for low, high in (('low', 'high'), ('lo', 'hi')):
        if low in values and not values[low] < values[high]:
            raise DuGIError(
                f'normalizer {name!r} needs {low} < {high}, got {low}={values[low]} '
                f'and {high}={values[high]}'
            )
    return partial(function, **params)
