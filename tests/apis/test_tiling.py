"""Tiled prediction: no seams for local models, one tile for every pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dugi_mae.apis.tiling import STRIDE, predict_tiled, tile_axis
from dugi_mae.errors import DuGIError

#: One tile exactly, less than one, multiples of the stride and of nothing.
SIZES = [(64, 64), (20, 50), (128, 160), (131, 97), (65, 300)]


class Convs(nn.Module):
    """Zero-padded convolutions that see ``radius`` pixels to every side."""

    def __init__(self, radius: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(2, 2, 3, padding=1) for _ in range(radius))
        )

    def forward(self, x):
        return self.layers(x)


class UNet(nn.Module):
    """Down by 32 and back with a skip: equivariant to shifts by 32 only.

    A coarse cell sees itself, bilinear upsampling its neighbour's half: 48 pixels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(2, 3, STRIDE, stride=STRIDE)
        self.up = nn.Conv2d(5, 1, 1)

    def forward(self, x):
        height, width = x.shape[-2:]
        padded = F.pad(x, (0, -width % STRIDE, 0, -height % STRIDE))
        coarse = F.interpolate(
            self.down(padded), scale_factor=STRIDE, mode='bilinear', align_corners=False
        )
        return self.up(torch.cat([coarse[..., :height, :width], x], dim=1))


@torch.no_grad()
def difference(model, size, tile, overlap, batch=2) -> float:
    """Largest difference between tiled and untiled, in double precision."""
    model = model.double().eval()
    images = torch.randn(batch, 2, *size, dtype=torch.float64)
    tiled = predict_tiled(model, images, tile, overlap)
    whole = model(images)
    assert tiled.shape == whole.shape
    return (tiled - whole).abs().max().item()


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize(('tile', 'overlap'), [(64, 32), (96, 64)])
def test_local_model_has_no_seams(size, tile, overlap):
    """A model that sees no further than half the overlap: tiled equals untiled."""
    assert difference(Convs(overlap // 2), size, tile, overlap) < 1e-9


@pytest.mark.parametrize('size', SIZES)
def test_strided_local_model_has_no_seams(size):
    """Tiles lie on the model's grid, so strides and upsampling show no seams."""
    assert difference(UNet(), size, 160, 96) < 1e-9


def test_a_wider_view_does_show_seams():
    """The tests above can fail: a model that sees beyond the overlap differs."""
    assert difference(Convs(1), (131, 97), 64, 0) > 1e-3


@pytest.mark.parametrize('length', [1, 63, 64, 65, 97, 128, 300, 1918])
@pytest.mark.parametrize(('tile', 'overlap'), [(64, 0), (96, 64), (512, 128)])
def test_tiles_cover_an_axis_once(length, tile, overlap):
    """Kept parts cover each pixel once, far from inner borders, on the grid."""
    tiles = tile_axis(length, tile, overlap)
    count = np.zeros(length, int)
    for t in tiles:
        count[t.keep_start : t.keep_stop] += 1
        assert t.start % STRIDE == 0
        assert 0 <= t.start <= t.keep_start < t.keep_stop <= t.stop <= length
        assert t.stop - t.start <= tile
        assert t.start == 0 or t.keep_start - t.start >= overlap // 2
        assert t.stop == length or t.stop - t.keep_stop >= overlap // 2
        assert t.stop == length or t.stop - t.start == tile
    assert (count == 1).all()
    assert len(tiles) == 1 or tiles[-1].stop - tiles[-1].start > tile - STRIDE
    assert (len(tiles) == 1) == (length <= tile)


@pytest.mark.parametrize(
    ('tile', 'overlap', 'message'),
    [
        (32, 0, 'tile=32.*multiple of 32.*64 or 96'),
        (500, 32, 'tile=500.*480 or 512'),
        (64, 64, 'overlap=64.*tile=64.*from 0 to 32'),
        (64, 20, 'overlap=20.*multiple of 32'),
    ],
)
def test_bad_sizes(tile, overlap, message):
    """Sizes off the model's grid are named, with sizes that would do."""
    with pytest.raises(DuGIError, match=message):
        predict_tiled(nn.Identity(), torch.zeros(1, 2, 8, 8), tile, overlap)
