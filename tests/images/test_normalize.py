"""Raw counts become grey values without losing the scene."""

from __future__ import annotations

import numpy as np
import pytest

from dugi_mae.errors import DuGIError
from dugi_mae.images.normalize import (
    NORMALIZERS,
    build_normalizer,
    minmax,
    percentile,
    stretch,
    valid_pixels,
)

SPECS = ['percentile', 'minmax', dict(type='fixed', lo=6000, hi=7000)]


@pytest.fixture
def counts() -> np.ndarray:
    """``(64, 80)`` uint16: a ramp of 6000..7000 counts, shuffled."""
    ramp = np.linspace(6000, 7000, 64 * 80).round().astype(np.uint16)
    return np.random.default_rng(0).permutation(ramp).reshape(64, 80)


def everywhere(image: np.ndarray) -> np.ndarray:
    return np.ones(image.shape, bool)


@pytest.mark.parametrize('spec', SPECS)
@pytest.mark.parametrize('dtype', [np.uint16, np.uint32, np.float32])
def test_output_is_float32_between_0_and_1(counts, spec, dtype):
    """Every normaliser gives ``(H, W)`` float32 in [0, 1] and uses the range."""
    grey = build_normalizer(spec)(counts.astype(dtype), everywhere(counts))
    assert grey.shape == counts.shape
    assert grey.dtype == np.float32
    assert 0 <= grey.min() < 0.1
    assert 0.9 < grey.max() <= 1


@pytest.mark.parametrize('spec', ['percentile', 'minmax'])
@pytest.mark.parametrize('value', [0, 1234, 65535])
@pytest.mark.filterwarnings('error')
def test_constant_image_is_zero(spec, value):
    """A constant image becomes zero, without a division by zero."""
    image = np.full((32, 32), value, np.uint16)
    assert not build_normalizer(spec)(image, everywhere(image)).any()


@pytest.mark.parametrize('spec', SPECS)
@pytest.mark.filterwarnings('error')
def test_no_valid_pixel_is_zero(spec):
    """An image without any valid pixel becomes zero."""
    image = np.full((32, 32), np.nan, np.float32)
    assert not build_normalizer(spec)(image, valid_pixels(image)).any()


def test_stretch_is_linear_and_clips():
    """The range is mapped linearly; what lies outside is clipped."""
    image = np.array([[50, 100, 150, 200, 300]], np.uint16)
    expected = [[0, 0, 0.5, 1, 1]]
    np.testing.assert_allclose(stretch(image, everywhere(image), 100, 200), expected)


@pytest.mark.parametrize('spec', SPECS)
def test_tables_and_histograms_change_nothing(spec):
    """16-bit counts, which go through both, get the values of 32-bit ones."""
    rng = np.random.default_rng(0)
    normalize = build_normalizer(spec)
    for _ in range(20):
        size, top = rng.integers(1, 40, 2), rng.integers(2, 2**16)
        image = rng.integers(0, top, size).astype(np.uint16)
        valid = rng.random(size) > 0.2
        np.testing.assert_array_equal(
            normalize(image, valid), normalize(image.astype(np.int32), valid)
        )


def test_fixed_keeps_images_comparable(counts):
    """The same count has the same grey value in every image."""
    half = counts[:32]
    np.testing.assert_array_equal(
        stretch(counts, everywhere(counts), 6000, 8000)[:32],
        stretch(half, everywhere(half), 6000, 8000),
    )


def test_plain_percentiles_without_margin(counts):
    """``margin=0`` is the textbook clip: 10 % of the pixels on either end saturate."""
    grey = percentile(counts, everywhere(counts), low=10, high=90, margin=0)
    assert (grey == 0).mean() == pytest.approx(0.1, abs=0.01)
    assert (grey == 1).mean() == pytest.approx(0.1, abs=0.01)


def test_outlier_cannot_flatten_the_scene(counts):
    """A hot pixel squeezes min-max to a few levels, percentile at most to a quarter."""
    hot = counts.copy()
    hot[3, 4] = 65535
    valid = everywhere(hot)
    assert np.ptp(minmax(hot, valid)[hot < 65535]) < 0.02
    assert np.ptp(percentile(hot, valid)[hot < 65535]) > 0.25


def test_small_target_survives_the_default(counts):
    """A few pixels above the bulk stay brighter than all of it."""
    image = counts.copy()
    image[10:12, 10:12] = 7500
    grey = percentile(image, everywhere(image))
    assert grey[10:12, 10:12].min() > grey[image <= 7000].max() + 0.2


def test_exceptions_of_a_flat_scene_survive():
    """If all percentiles coincide, the few other pixels still show."""
    image = np.full((64, 64), 6000, np.uint16)
    image[5, 5] = 6100
    grey = percentile(image, everywhere(image))
    assert grey[5, 5] == 1
    assert grey.sum() == 1


@pytest.mark.parametrize('spec', SPECS)
def test_invalid_pixels_take_no_part(counts, spec):
    """Invalid pixels become 0 and change no other pixel's value."""
    holes = counts.astype(np.float32)
    holes[:2], holes[2:4], holes[4] = 0, 65535, np.nan
    valid = valid_pixels(holes, invalid=(0, 65535))
    assert (~valid).sum() == 5 * 80
    normalize = build_normalizer(spec)
    grey = normalize(holes, valid)
    assert not grey[:5].any()
    np.testing.assert_allclose(grey[5:], normalize(holes[5:], valid[5:]))


@pytest.mark.parametrize('name', NORMALIZERS)
@pytest.mark.parametrize(
    ('dtype', 'odd'),
    [
        (np.float32, (np.nan, np.inf, -np.inf)),
        (np.float32, (np.finfo(np.float32).min,)),
        (np.float64, (1e308, -1e308)),
        (np.float32, (9e29, -9e29)),
        (np.float16, (np.nan, 65504)),
    ],
)
@pytest.mark.filterwarnings('error')
def test_no_count_breaks_a_normaliser(name, dtype, odd):
    """NaN, infinity and the missing-pixel marks of float files stay out of the grey."""
    image = np.random.RandomState(0).uniform(0, 1000, (24, 24)).astype(dtype)
    image.flat[: 100 * len(odd)] = np.repeat(np.array(odd, dtype), 100)
    spec = dict(type=name, lo=0, hi=1000) if name == 'fixed' else name
    grey = build_normalizer(spec)(image, valid_pixels(image))
    assert grey.dtype == np.float32
    assert np.isfinite(grey).all() and grey.min() >= 0 and grey.max() <= 1


@pytest.mark.parametrize(
    ('spec', 'message'),
    [
        ('percentil', "normalizer='percentil' is unknown: did you mean 'percentile'"),
        (dict(low=1), 'normalizer=None is unknown'),
        (dict(type='percentile', hgih=99), "takes low, high, margin: .*'hgih'"),
        ('fixed', "takes lo, hi: .*'lo'"),
        (5, 'normalizer=5 is unknown'),
        (dict(type='percentile', low=99, high=1), 'low < high, got low=99 and high=1$'),
        (dict(type='percentile', low=-5), "low of normalizer 'percentile'=-5.*0 to"),
        (dict(type='percentile', margin=float('inf')), 'margin.*inf'),
        (dict(type='fixed', lo=0, hi=float('nan')), 'hi.*nan'),
        (dict(type='fixed', lo=0, hi=10**400), 'hi.*1000'),
        (dict(type='fixed', lo=2, hi=2), 'needs lo < hi, got lo=2 and hi=2$'),
    ],
)
def test_wrong_spec_is_explained(spec, message):
    """A wrong name, parameter or value is answered with the right one."""
    with pytest.raises(DuGIError, match=message) as caught:
        build_normalizer(spec)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    'spec',
    [
        dict(type='percentile', low=0, high=100, margin=0),
        dict(type='fixed', lo=-300.5, hi=7e4),
    ],
)
def test_limits_are_allowed(counts, spec):
    """Every value up to the limits gives grey values."""
    before = dict(spec)
    grey = build_normalizer(spec)(counts, everywhere(counts))
    assert np.isfinite(grey).all() and grey.max() <= 1
    assert spec == before
