"""Where the features of a padded image are those of the image, and where not."""

from __future__ import annotations

import math

import pytest
import torch
import toys
from torch import nn
from torch.nn import functional as F

from dugi_mae.models import ConvViT

STRIDES = (4, 8, 16, 32)
#: Cells of F1 and F2 that a cell sees to each side: two for each 5x5 convolution, and
#: what a cell of F2 sees of F1.
REACH = (2, 1 + 2 * 2)


def encoder(**kwargs) -> ConvViT:
    """An encoder whose position embedding and norms are not as they start."""
    arch = dict(toys.ARCH, depths=(1, 2, 3))
    return toys.stir(toys.conv_vit(arch=arch, **kwargs)).eval()


def pad(image: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """The image in the upper left corner of zeros."""
    return F.pad(image, (0, width - image.shape[3], 0, height - image.shape[2]))


def cells(height: int, width: int, stride: int) -> tuple:
    """The cells that an image has in a padded map."""
    return ..., slice(math.ceil(height / stride)), slice(math.ceil(width / stride))


@pytest.mark.parametrize('windows', [{}, dict(window_size=2, rel_pos_bias=True)])
@pytest.mark.parametrize('size', [(64, 96), (40, 72), (33, 95), (100, 36)])
@torch.no_grad()
def test_an_image_is_as_good_as_its_copy_padded_to_32(size, windows):
    """Equal bit by bit on all levels: hosts may pad the last images of a set."""
    model, image = encoder(**windows), torch.randn(1, 3, *size)
    padded = pad(image, *(math.ceil(n / 32) * 32 for n in size))
    for alone, host, stride in zip(model(image), model(padded), STRIDES, strict=True):
        assert torch.equal(alone, host[cells(*size, stride)])


@torch.no_grad()
def test_a_batch_pads_but_does_not_mix():
    """Beside a larger image a small one has the features of its padded self."""
    model = encoder()
    small, large = torch.randn(1, 3, 40, 72), torch.randn(1, 3, 128, 128)
    padded = pad(small, 128, 128)
    outs = [model(x) for x in (torch.cat([padded, large]), padded, large)]
    for both, one, other in zip(*outs, strict=True):
        torch.testing.assert_close(both, torch.cat([one, other]), rtol=0, atol=1e-5)


@torch.no_grad()
def test_what_padding_beyond_32_changes():
    """F1 and F2 stay the same away from the edge; F3 and F4 do not, nor can they.

    A convolution sees padding as far as it reaches. The attention blocks attend to the
    size of the batch, and positions are those of its grid: as in MCMAE's detectors.
    """
    size, model = (64, 96), encoder()  # a multiple of 32: alone there is no padding
    image = torch.randn(1, 3, *size)
    alone, together = model(image), model(pad(image, 128, 160))
    for level, reach in enumerate(REACH):
        rows, cols = (n // STRIDES[level] for n in size)
        inside = (..., slice(rows - reach), slice(cols - reach))
        one, two = alone[level][inside], together[level][inside]
        assert one.numel()
        torch.testing.assert_close(one, two, rtol=0, atol=1e-5)
        edge = together[level][..., rows - 1, :cols] - alone[level][..., rows - 1, :]
        assert edge.abs().max() > 1e-3
    for level in (2, 3):
        two = together[level][cells(*size, STRIDES[level])]
        assert (alone[level] - two).abs().max() > 1e-3


@pytest.mark.parametrize('size', [(64, 64), (128, 32), (32, 128), (96, 160), (40, 200)])
@torch.no_grad()
def test_positions_fit_any_grid(size):
    """Without blocks and image, F3 is the 4x4 embedding resized to the grid, bicubic.

    Grids larger, smaller and longer than the stored one; a row of the embedding stays a
    row of the image.
    """
    model = encoder()
    model.blocks3 = nn.ModuleList()
    nn.init.zeros_(model.patch_embed4.weight)
    nn.init.zeros_(model.patch_embed4.bias)
    grid = tuple(math.ceil(n / 32) * 2 for n in size)
    stored = model.pos_embed.reshape(1, 4, 4, 16).permute(0, 3, 1, 2)
    expected = F.interpolate(stored, grid, mode='bicubic', align_corners=False)
    expected = expected[cells(*size, 16)]
    torch.testing.assert_close(model(torch.randn(1, 3, *size))[2], expected)
