"""The classical detectors against slow loops, and what they are for."""

from __future__ import annotations

import numpy as np
import pytest

from dugi_mae.errors import DuGIError
from dugi_mae.evaluation import small_target_scores
from dugi_mae.evaluation.classical import adaptive_threshold, mpcm, top_hat
from dugi_mae.images.synthetic import generate_scene

DETECTORS = pytest.mark.parametrize(
    ('detect', 'size'),
    [(top_hat, 3), (top_hat, 5), (mpcm, (3,)), (mpcm, (3, 5, 7, 9))],
)


def mirrored(image: np.ndarray, y: int, x: int) -> float:
    """A pixel, also outside the image: it goes on as in a mirror on its edge."""
    height, width = image.shape
    y, x = y % (2 * height), x % (2 * width)
    return image[min(y, 2 * height - 1 - y), min(x, 2 * width - 1 - x)]


def slow_filter(image: np.ndarray, radius: int, reduce) -> np.ndarray:
    """Minimum or maximum over the disk around each pixel."""
    result = np.zeros(image.shape)
    reach = range(-radius, radius + 1)
    disk = [(v, u) for v in reach for u in reach if v * v + u * u <= radius * radius]
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            result[y, x] = reduce(mirrored(image, y + v, x + u) for v, u in disk)
    return result


def slow_contrast(image: np.ndarray, y: int, x: int, size: int) -> float:
    """The patch contrast measure of one pixel."""

    def mean(row: int, column: int) -> float:
        half = size // 2
        pixels = [
            mirrored(image, v, u)
            for v in range(row - half, row + half + 1)
            for u in range(column - half, column + half + 1)
        ]
        return sum(pixels) / len(pixels)

    products = []
    for v, u in ((0, size), (size, size), (size, 0), (size, -size)):
        one = mean(y, x) - mean(y + v, x + u)
        other = mean(y, x) - mean(y - v, x - u)
        products.append(one * other if one > 0 and other > 0 else 0.0)
    return min(products)


@pytest.mark.parametrize('radius', [1, 2, 4])
def test_top_hat_equals_the_loops(radius):
    """Image minus its opening by a disk, over the greatest such value."""
    image = np.random.default_rng(0).integers(0, 256, (13, 18)).astype(np.uint8)
    signed = image.astype(int)
    opened = slow_filter(slow_filter(signed, radius, min), radius, max)
    expected = (signed - opened) / (signed - opened).max()
    np.testing.assert_allclose(top_hat(image, radius), expected, rtol=1e-12)
    assert top_hat(np.eye(4), 6).shape == (4, 4)  # a disk larger than the image


@pytest.mark.parametrize('sizes', [(3,), (5, 3)])
def test_mpcm_equals_the_loops(sizes):
    """The least product of opposite differences, the greatest of all sizes."""
    image = np.random.default_rng(0).integers(0, 99, (13, 12)).astype(float)
    image[6:9, 4:7] += 150
    expected = np.zeros(image.shape)
    for y, x in np.ndindex(image.shape):
        expected[y, x] = max(slow_contrast(image, y, x, size) for size in sizes)
    np.testing.assert_allclose(
        mpcm(image, sizes), expected / expected.max(), rtol=1e-9, atol=1e-12
    )
    assert mpcm(np.eye(4), (3, 9)).shape == (4, 4)  # patches larger than the image


@DETECTORS
def test_a_spot_stands_out_of_a_ramp(detect, size):
    """A bright spot has the greatest score, a ramp and an edge hardly any."""
    image = np.tile(np.arange(80.0), (60, 1))
    image[:, 60:] += 100
    image[29:32, 29:32] += 40
    score = detect(image, size)
    assert score.shape == image.shape
    assert score.min() == 0 and score.max() == score[30, 30] == 1
    away = np.ones(image.shape, bool)
    away[20:41, 20:41] = False
    assert score[away].max() < 0.2


@DETECTORS
def test_dark_spots_are_no_targets(detect, size):
    """What is darker than its surroundings has no score."""
    image = np.full((40, 40), 100.0)
    image[19:22, 19:22] -= 60
    score = detect(image, size)
    assert score[19:22, 19:22].max() == 0


@DETECTORS
@pytest.mark.parametrize('value', [0, 7, 0.1])
def test_flat_image(detect, size, value):
    """Without any structure the score is 0, and nothing lies above its threshold."""
    score = detect(np.full((30, 20), value), size)
    assert not score.any()
    assert not (score > adaptive_threshold(score, 3.0)).any()


@DETECTORS
def test_grey_scale_does_not_matter(detect, size):
    """Another gain and offset of the camera, or another dtype, give the same scores."""
    image = generate_scene(3, 64, 64).image
    score = detect(image, size)
    scaled = detect(40 * image.astype(np.uint16) + 700, size)
    np.testing.assert_allclose(scaled, score, rtol=1e-9, atol=1e-9)


def test_adaptive_threshold():
    """Mean + k standard deviations, for one k or many."""
    score = np.random.default_rng(0).random((5, 6))
    assert adaptive_threshold(score, 0) == score.mean()
    thresholds = adaptive_threshold(score, np.array([1, 2.5]))
    assert thresholds == pytest.approx(score.mean() + score.std() * np.array([1, 2.5]))


@pytest.mark.parametrize(('detect', 'k'), [(top_hat, 8.0), (mpcm, 8.0)])
def test_targets_of_scenes_are_found(detect, k):
    """Most targets of synthetic scenes are detected."""
    predictions, labels = [], []
    for seed in range(6):
        scene = generate_scene(seed, 96, 96, num_targets=2)
        score = detect(scene.image)
        predictions.append(score > adaptive_threshold(score, k))
        labels.append(scene.mask)
    assert small_target_scores(predictions, labels)['Pd'] > 0.6


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda image: top_hat(image[..., None]), r'\(9, 9, 1\).*one grey channel'),
        (lambda image: mpcm(image[None]), r'\(1, 9, 9\)'),
        (lambda image: top_hat(image, 0), 'radius=0.*at least 1'),
        (lambda image: mpcm(image, (3, 4)), r'sizes=\(3, 4\).*odd'),
        (lambda image: mpcm(image, ()), r'sizes=\(\)'),
    ],
)
def test_bad_input(call, message):
    """One line that names the value and what to give."""
    with pytest.raises(DuGIError, match=message):
        call(np.zeros((9, 9)))
