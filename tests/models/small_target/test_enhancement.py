"""Feature enhancement: local contrast and top-hat against slow forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.morphology import white_tophat

from dugi_mae.models.small_target import FeatureEnhancement, local_contrast, top_hat


def test_local_contrast_equals_loop():
    """Each cell minus the mean of those neighbours that lie inside the map."""
    x = torch.randn(1, 1, 5, 6, dtype=torch.float64)
    result = local_contrast(x, 3)
    for row in range(5):
        for col in range(6):
            window = x[..., max(0, row - 1) : row + 2, max(0, col - 1) : col + 2]
            expected = x[0, 0, row, col] - window.mean()
            assert result[0, 0, row, col].item() == pytest.approx(expected.item())
    assert not local_contrast(torch.ones(1, 2, 4, 4), 5).any()


@pytest.mark.parametrize('size, radius', [((20, 31), 2), ((9, 40), 5)])
def test_top_hat_equals_scikit_image(size, radius):
    """The white top-hat with a square, in deviations of the image, as a logarithm."""
    images = torch.randn(2, 3, *size, dtype=torch.float64)
    square = np.ones((2 * radius + 1, 2 * radius + 1))
    for image, result in zip(images, top_hat(images, radius), strict=True):
        spots = white_tophat(image.mean(dim=0).numpy(), square)
        expected = np.log1p(spots / spots.std())
        np.testing.assert_allclose(result[0].numpy(), expected, atol=1e-12)


def test_top_hat_ignores_brightness_and_contrast():
    """Another gain and offset change nothing; a constant image gives 0."""
    images = torch.randn(1, 3, 24, 24)
    changed = top_hat(0.4 * images + 1.5, 3)
    torch.testing.assert_close(changed, top_hat(images, 3), rtol=1e-4, atol=1e-5)
    for size in (8, 1):
        constant = top_hat(torch.ones(1, 3, size, size), 3)
        assert torch.equal(constant, torch.zeros(1, 1, size, size))


def test_enhancement_keeps_the_grid():
    """The enhanced map has the new width and the old grid."""
    layer = FeatureEnhancement(6, 8, num_heads=2).eval()
    assert layer(torch.randn(2, 6, 3, 5)).shape == (2, 8, 3, 5)
