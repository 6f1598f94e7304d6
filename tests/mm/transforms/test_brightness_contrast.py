"""Random brightness and contrast."""

from __future__ import annotations

import numpy as np
import pytest
from mmengine.registry import TRANSFORMS

from dugi_mae.errors import DuGIError
from dugi_mae.mm.transforms import InfraredBrightnessContrast


@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
@pytest.mark.parametrize('shape', [(16, 16), (16, 16, 1), (16, 16, 3)])
def test_a_line_through_the_mean(shape, dtype):
    """Grey values are stretched around their mean and shifted, within the ranges."""
    step = TRANSFORMS.build(dict(type='InfraredBrightnessContrast'))
    image = np.random.randint(80, 170, shape).astype(dtype)
    given, factors, shifts = image.copy(), [], []
    for _ in range(200):
        made = step(dict(img=image))['img']
        assert made.dtype == dtype and made.shape == shape
        factor, offset = np.polyfit(given.ravel(), made.ravel().astype(float), 1)
        factors.append(np.log(factor))
        shifts.append(offset + (factor - 1) * given.mean())
    assert np.array_equal(image, given)
    assert -0.31 < min(factors) < -0.25 and 0.25 < max(factors) < 0.31
    assert -20.5 < min(shifts) < -17 and 17 < max(shifts) < 20.5


def test_values_stay_in_range():
    """Nothing wraps around below 0 or above 255."""
    image = np.arange(256, dtype=np.uint8)[None]
    for _ in range(50):
        made = InfraredBrightnessContrast(1.0, 90)(dict(img=image))['img'][0]
        assert (np.diff(made.astype(int)) >= 0).all()


@pytest.mark.parametrize('name', ['contrast', 'brightness'])
def test_bad_arguments_are_named(name):
    """Ranges that make no sense fail at build time."""
    with pytest.raises(DuGIError, match=f'{name}=-1'):
        InfraredBrightnessContrast(**{name: -1})
