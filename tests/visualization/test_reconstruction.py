"""Panels of a masked autoencoder of plain PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import toys

from dugi_mae.visualization import draw_masking, draw_reconstruction
from dugi_mae.visualization.reconstruction import reconstruction_columns


@pytest.mark.parametrize('guidance', [True, False])
@pytest.mark.parametrize('channels', [1, 3])
def test_panel(guidance, channels):
    """One row per image; more columns, and the filter, make it wider."""
    model = toys.autoencoder(guidance=guidance, in_channels=channels).eval()
    images = model.prepare([toys.noise(64, 96), toys.noise(64, 96, seed=1)])
    panels = [
        draw_masking(images, model.masking(images), model.head.patch_size),
        draw_reconstruction(model, images),
        draw_reconstruction(model, images, [('more', [toys.noise(8, 8, 3)] * 2)]),
    ]
    for panel in panels:
        assert panel.dtype == np.uint8 and panel.shape[2] == 3
        assert len(np.unique(panel)) > 50
    heights, widths = zip(*(panel.shape[:2] for panel in panels), strict=True)
    assert len(set(heights)) == 1
    assert widths[0] < widths[1] < widths[2]


def test_columns():
    """Visible tokens show the image, the others nothing; the composite has both."""
    model = toys.autoencoder().eval()
    images = model.prepare(toys.noise(64, 96))
    result = model.reconstruct(images)
    columns = {c.title: c.arrays[0] for c in reconstruction_columns(model, result)}
    assert list(columns) == [
        *('image', 'token entropy (bits)', 'visible tokens'),
        *('AFDM output', 'reconstruction'),
    ]
    visible = result.visible[0, 0].numpy() > 0
    image, kept = columns['image'], columns['visible tokens']
    assert (kept[visible] == image[visible]).all() and np.isnan(kept[~visible]).all()
    shown = columns['reconstruction']
    assert np.allclose(shown[visible], image[visible])
    assert not np.allclose(shown[~visible], image[~visible])
    assert columns['token entropy (bits)'].shape == (4, 6)
