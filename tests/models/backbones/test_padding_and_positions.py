"""Where the feature of a padded image is that of the image, and where it cannot be."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dugi_mae.models import ConvViT

ARCH = dict(embed_dims=(8, 12, 16), depths=(1, 2, 3), num_heads=2)
STRIDES = (4, 8, 16, 32)
MEAN, STD = 108.375, 51.0
#: Cells of F1 and F2 that a cell sees to each side: two for each 5x5 convolution, and
#: what a cell of F2 sees of F1.
REACH = (2, 1 + 2 * 2)


@pytest.fixture
def encoder() -> ConvViT:
    """An encoder whose position embedding and norms are not as they start."""
    model = ConvViT(ARCH, img_size=64).eval()
    for p in model.parameters():
        p.data += 0.1 * torch.randn_like(p)
    return model


@pytest.fixture
def preprocess():
    """The preprocessor of mmdet as our detection configs set it."""
    pytest.importorskip('mmdet')
    from mmdet.models import DetDataPreprocessor

    module = DetDataPreprocessor(
        mean=[MEAN] * 3, std=[STD] * 3, pad_size_divisor=32, pad_value=0
    )

    def run(*images: torch.Tensor) -> torch.Tensor:
        from mmdet.structures import DetDataSample

        samples = [
            DetDataSample(metainfo=dict(img_shape=tuple(image.shape[1:])))
            for image in images
        ]
        return module(dict(inputs=list(images), data_samples=samples))['inputs']

    return run


def raw(height: int, width: int) -> torch.Tensor:
    """A random 8-bit image, ``(3, H, W)``."""
    return torch.randint(0, 256, (1, height, width), dtype=torch.uint8).repeat(3, 1, 1)


def normalized(image: torch.Tensor) -> torch.Tensor:
    """``(1, 3, H, W)`` as it is without any padding."""
    return ((image.float() - MEAN) / STD)[None]


def cells(height: int, width: int, stride: int) -> tuple[slice, slice]:
    """The cells that an image has in a padded map."""
    return slice(math.ceil(height / stride)), slice(math.ceil(width / stride))


@pytest.mark.parametrize('size', [(64, 96), (40, 72), (33, 95), (100, 36)])
@torch.no_grad()
def test_a_host_pads_one_image_as_the_encoder_does(encoder, preprocess, size):
    """A single image, padded by mmdet to a multiple of 32, has the features it has.

    Equal bit by bit on all levels: mmdet pads after normalising, with the zeros that
    the encoder would have added.
    """
    image = raw(*size)
    padded = preprocess(image)
    assert padded.shape[-2:] == tuple(math.ceil(n / 32) * 32 for n in size)
    assert torch.equal(padded[..., : size[0], : size[1]], normalized(image))
    for alone, host, stride in zip(
        encoder(normalized(image)), encoder(padded), STRIDES, strict=True
    ):
        assert torch.equal(alone, host[(..., *cells(*size, stride))])


@torch.no_grad()
def test_a_batch_pads_but_does_not_mix(encoder, preprocess):
    """Beside a larger image a small one has the features of its padded self.

    The other image decides how far it is padded, and nothing else.
    """
    small, large = raw(40, 72), raw(100, 120)
    together = encoder(preprocess(small, large))
    padded = F.pad(normalized(small), (0, 128 - 72, 0, 128 - 40))
    for both, alone in zip(together, encoder(padded), strict=True):
        torch.testing.assert_close(both[:1], alone, rtol=0, atol=1e-5)
    for both, alone in zip(together, encoder(preprocess(large)), strict=True):
        torch.testing.assert_close(both[1:], alone, rtol=0, atol=1e-5)


@torch.no_grad()
def test_what_padding_beyond_32_changes(encoder, preprocess):
    """F1 and F2 stay the same away from the edge; F3 and F4 do not, nor can they.

    A convolution sees padding as far as it reaches. The attention blocks attend to the
    whole batch's size, and positions are those of its grid: as in MCMAE's detectors.
    """
    size = (64, 96)  # a multiple of 32: alone there is no padding at all
    small, large = raw(*size), raw(128, 160)
    alone, together = encoder(preprocess(small)), encoder(preprocess(small, large))
    for level, reach in enumerate(REACH):
        rows, cols = (n // STRIDES[level] for n in size)
        one = alone[level][..., : rows - reach, : cols - reach]
        two = together[level][:1, :, : rows - reach, : cols - reach]
        assert one.numel()
        torch.testing.assert_close(one, two, rtol=0, atol=1e-5)
        edge = together[level][:1, :, rows - 1, :cols] - alone[level][..., rows - 1, :]
        assert edge.abs().max() > 1e-3
    for level in (2, 3):
        two = together[level][(slice(1), slice(None), *cells(*size, STRIDES[level]))]
        assert (alone[level] - two).abs().max() > 1e-3


@pytest.mark.parametrize('size', [(64, 64), (128, 32), (32, 128), (96, 160), (40, 200)])
@torch.no_grad()
def test_positions_fit_any_grid(encoder, size):
    """Without blocks and image, F3 is the 4x4 embedding resized to the grid, bicubic.

    Grids larger, smaller and longer than the stored one; a row of the embedding stays a
    row of the image.
    """
    encoder.blocks3 = nn.ModuleList()
    nn.init.zeros_(encoder.patch_embed4.weight)
    nn.init.zeros_(encoder.patch_embed4.bias)
    grid = tuple(math.ceil(n / 32) * 2 for n in size)
    stored = encoder.pos_embed.reshape(1, 4, 4, 16).permute(0, 3, 1, 2)
    expected = F.interpolate(stored, grid, mode='bicubic', align_corners=False)
    expected = expected[(..., *cells(*size, 16))]
    torch.testing.assert_close(encoder(torch.randn(1, 3, *size))[2], expected)


@torch.no_grad()
def test_positions_turn_with_the_grid(encoder):
    """A transposed embedding on a transposed grid is the transposed embedding."""
    tall = encoder.position((6, 3)).reshape(6, 3, 16)
    stored = encoder.pos_embed.data.reshape(4, 4, 16)
    encoder.pos_embed.data = stored.transpose(0, 1).reshape(1, 16, 16)
    wide = encoder.position((3, 6)).reshape(3, 6, 16)
    torch.testing.assert_close(wide, tall.transpose(0, 1))
