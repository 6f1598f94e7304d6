"""Random brightness and contrast."""

from __future__ import annotations

import numpy as np
import pytest
from mmengine.registry import TRANSFORMS

from dugi_mae.errors import DuGIError
from dugi_mae.mm.transforms import InfraredBrightnessContrast


def draws(channels: int, dtype=np.uint8, number: int = 400, **kwargs) -> np.ndarray:
    """What becomes of the grey values 0 to 255, ``(number, 256, channels)``."""
    step = TRANSFORMS.build(dict(type='InfraredBrightnessContrast', **kwargs))
    assert repr(step).startswith('InfraredBrightnessContrast(brightness_delta=32, con')
    image = np.arange(256).astype(dtype)[None, :, None].repeat(channels, axis=2)
    given = image.copy()
    made = [step(dict(img=image))['img'] for _ in range(number)]
    assert np.array_equal(image, given)
    assert all(x.dtype == dtype and x.shape == image.shape for x in made)
    return np.concatenate(made)


@pytest.mark.parametrize('channels', [1, 3])
def test_each_with_probability_one_half(channels):
    """A quarter stays as it is, half is shifted, half stretched, channels equal."""
    made = draws(channels)
    assert (made == made[..., :1]).all()
    grey = made[..., 0].astype(int)
    assert np.mean((grey == np.arange(256)).all(1)) == pytest.approx(0.25, abs=0.08)
    steps = np.diff(grey, axis=1)
    stretched = (steps > 1).any(1) | (steps[:, 100:150] == 0).any(1)
    assert stretched.mean() == pytest.approx(0.5, abs=0.1)


def test_strengths_are_those_of_the_host():
    """Over many draws a grey value is spread as by mmseg's distortion."""
    host = pytest.importorskip('mmseg.datasets').PhotoMetricDistortion(
        saturation_range=(1.0, 1.0), hue_delta=1
    )
    image = np.full((1, 1, 3), 120, np.uint8)
    want = [int(host(dict(img=image))['img'][0, 0, 0]) for _ in range(4000)]
    ours = draws(3, number=4000)[:, 120, 0]
    shares = np.linspace(5, 95, 10)
    assert np.percentile(ours, shares) == pytest.approx(
        np.percentile(want, shares), abs=6
    )


def test_floats_stay_unrounded():
    """Images loaded with ``to_float32`` keep their dtype and stay in range."""
    made = draws(1, np.float32)
    assert (made % 1 != 0).any()
    assert made.min() >= 0
    assert made.max() <= 255


@pytest.mark.parametrize(
    ('kwargs', 'match'),
    [
        (dict(brightness_delta=-1), 'brightness_delta=-1.*0 to 255'),
        (dict(contrast_range=(1.5, 0.5)), r'contrast_range=\(1.5, 0.5\): give'),
        (dict(contrast_range=(0, 1)), 'both above 0'),
    ],
)
def test_bad_arguments_are_named(kwargs, match):
    """Ranges that make no sense fail at build time."""
    with pytest.raises(DuGIError, match=match):
        InfraredBrightnessContrast(**kwargs)
