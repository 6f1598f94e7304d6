"""The reconstruction errors against slow loops."""

from __future__ import annotations

import pytest
import torch

from dugi_mae.evaluation import fill_nearest_visible, reconstruction_errors
from dugi_mae.evaluation.reconstruction import mean_errors


def slow_nearest(mask) -> list[int]:
    """For every place its nearest visible one, the first in raster order of equals."""
    rows, cols = mask.shape
    result = []
    for y in range(rows):
        for x in range(cols):
            best = None
            for v in range(rows):
                for u in range(cols):
                    distance = (v - y) ** 2 + (u - x) ** 2
                    if mask[v, u] == 0 and (best is None or distance < best[0]):
                        best = distance, v * cols + u
            result.append(best[1])
    return result


def random_mask(rows: int, cols: int, visible: int) -> torch.Tensor:
    """A ``(rows, cols)`` mask, 1 = masked."""
    mask = torch.ones(rows * cols)
    mask[torch.randperm(rows * cols)[:visible]] = 0
    return mask.reshape(rows, cols)


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize(
    ('rows', 'cols', 'visible'),
    [(4, 4, 4), (3, 7, 2), (1, 6, 1), (14, 14, 49), (2, 2, 3)],
)
def test_fill_nearest_visible_equals_the_loop(rows, cols, visible, seed):
    """Each masked token copies its nearest visible one; visible ones stay."""
    torch.manual_seed(seed)
    mask = random_mask(rows, cols, visible)
    tokens = torch.randn(rows * cols, 3)
    filled = fill_nearest_visible(tokens, mask)
    for place, source in enumerate(slow_nearest(mask)):
        assert torch.equal(filled[place], tokens[source])


def slow_errors(image, prediction, mask, patch):
    """Squared errors of model, mean and nearest filling, pixel by pixel."""
    channels, height, width = image.shape
    cols = width // patch
    nearest = slow_nearest(mask)
    means = [image[c].double().mean().item() for c in range(channels)]
    sums, count = [0.0, 0.0, 0.0], 0
    for y in range(height):
        for x in range(width):
            if mask[y // patch, x // patch] == 0:
                continue
            source = nearest[y // patch * cols + x // patch]
            v, u = source // cols * patch + y % patch, source % cols * patch + x % patch
            for c in range(channels):
                pixel = image[c, y, x].item()
                sums[0] += (prediction[c, y, x].item() - pixel) ** 2
                sums[1] += (means[c] - pixel) ** 2
                sums[2] += (image[c, v, u].item() - pixel) ** 2
                count += 1
    return [s / count for s in sums]


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize(('rows', 'cols', 'patch'), [(3, 3, 4), (2, 5, 4), (2, 2, 16)])
def test_errors_equal_the_loop(rows, cols, patch, channels):
    """Masked-pixel errors of an image; a set has their means and ratios."""
    found, expected = [], []
    for _ in range(3):
        image = 2 + torch.randn(channels, rows * patch, cols * patch)
        prediction, mask = torch.randn_like(image), random_mask(rows, cols, 2)
        found.append(reconstruction_errors(image, prediction, mask, patch))
        expected.append(slow_errors(image, prediction, mask, patch))
        assert found[-1] == pytest.approx(expected[-1], rel=1e-4)
    model, mean, nearest = (sum(e[i] for e in expected) / 3 for i in range(3))
    assert mean_errors(found) == {
        'masked_mse': pytest.approx(model, rel=1e-4),
        'mean_fill_mse': pytest.approx(mean, rel=1e-4),
        'nearest_fill_mse': pytest.approx(nearest, rel=1e-4),
        'ratio_to_mean_fill': pytest.approx(model / mean, rel=1e-4),
        'ratio_to_nearest_fill': pytest.approx(model / nearest, rel=1e-4),
    }


def test_perfect_and_mean_predictions():
    """An error at visible places only is none; the image's mean has the ratio 1."""
    image, mask = torch.randn(3, 32, 32), torch.tensor([[0.0, 1.0], [1.0, 1.0]])
    prediction = image.clone()
    prediction[:, :16, :16] += 100
    assert reconstruction_errors(image, prediction, mask).masked_mse == 0
    mean = image.mean(dim=(1, 2), keepdim=True).expand_as(image)
    errors = reconstruction_errors(image, mean, mask)
    assert mean_errors([errors])['ratio_to_mean_fill'] == pytest.approx(1, rel=1e-5)
