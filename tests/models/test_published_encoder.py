"""Converted weights in our models against the published models in float64."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import toys
from published import Published
from torch.nn import functional as F

from dugi_mae import create_encoder, create_pretrainer
from dugi_mae.checkpoints.convert import convert_state_dict
from dugi_mae.checkpoints.io import write_checkpoint
from dugi_mae.models import (
    EntropyMasking,
    GreyValueMasking,
    MaskedAutoencoder,
    RandomMasking,
)

ARCH = dict(toys.ARCH, depths=(1, 2, 2))
MASKINGS = {
    'DuGI-MAE': partial(
        EntropyMasking, estimator='softmax', keep='lowest', keep_order='score'
    ),
    'InfMAE': partial(GreyValueMasking, score='embedding'),
}
KINDS = ['DuGI-MAE', 'InfMAE', 'MCMAE']
pytestmark = pytest.mark.filterwarnings('ignore:the guidance starts fresh')


def converted(published, kind, path, channels=3, **masking) -> MaskedAutoencoder:
    """A pre-training model with a published model's weights in it."""
    result = convert_state_dict(published.state_dict(), 'pretrain')
    write_checkpoint(dict(state_dict=result.state_dict), path / 'converted.pth')
    choose = RandomMasking()
    if kind != 'MCMAE':
        choose = MASKINGS[kind](embed_dims=16, in_channels=channels, **masking)
    return create_pretrainer(
        ARCH,
        path / 'converted.pth',
        in_channels=channels,
        masking=choose,
        guidance=kind == 'DuGI-MAE',
        img_size=64,
        decoder_depth=len(published.decoder_blocks),
        decoder_embed_dims=8,
        decoder_num_heads=2,
    ).eval()


def pictures(channels: int = 3, height: int = 64, width: int = 64) -> torch.Tensor:
    """A noisy, a smooth, a dim and a half empty image."""
    images = torch.randn(4, channels, height, width)
    images[1] = F.avg_pool2d(images[1:2], 9, 1, 4)[0]
    images[2] = images[2] * 0.02 - 2
    images[3, :, :, 24:] = -2.125
    return images


def assert_same(got: torch.Tensor, want: torch.Tensor) -> None:
    """Equal to 1e-4 of float64."""
    torch.testing.assert_close(got, want.float(), rtol=0, atol=1e-4)


@pytest.mark.parametrize('impl', ['sparse', 'dense'])
@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('size', [(64, 64), (48, 80), (32, 32)])
@pytest.mark.parametrize('kind', KINDS)
@torch.no_grad()
def test_the_encoder_gives_the_published_latent(tmp_path, kind, size, channels, impl):
    """Masked conv stages, visible tokens through stage 3, fusion, then the norm.

    For the tokens that our masking chose, on stored and on interpolated positions.
    """
    published = Published(kind, channels)
    model = converted(published, kind, tmp_path, channels)
    model.backbone.impl = impl
    images = pictures(channels, *size)
    token_mask = model.masking(images)
    want = published.double().encode(images.double(), token_mask.ids_keep)
    assert_same(model.backbone(images, token_mask), want)
    assert (model.guidance is None) == (kind != 'DuGI-MAE')


@pytest.mark.parametrize('size', [(64, 64), (32, 96)])
@torch.no_grad()
def test_dugi_mae_sees_what_the_released_code_does(tmp_path, size):
    """The same tokens in the same order, which is not merely the raster order."""
    published, images = Published('DuGI-MAE'), pictures(3, *size)[:3]
    ids_keep = converted(published, 'DuGI-MAE', tmp_path).masking(images).ids_keep
    assert torch.equal(ids_keep, published.softmax_choice(images))
    assert (ids_keep.diff(dim=1) < 0).any()


@pytest.mark.parametrize('size', [(64, 64), (32, 96)])
@pytest.mark.parametrize('order', ['raster', 'score'])
@torch.no_grad()
def test_infmae_sees_what_the_released_code_does(tmp_path, order, size):
    """The same tokens, in raster or in the released order."""
    published, images = Published('InfMAE'), pictures(3, *size)[:3]
    model = converted(published, 'InfMAE', tmp_path, keep_order=order)
    want = published.grey_choice(images)
    if order == 'raster':
        want = want.sort(dim=1).values
    assert torch.equal(model.masking(images).ids_keep, want)


@pytest.mark.parametrize('size', [(64, 64), (48, 80)])
@pytest.mark.parametrize('kind', ['InfMAE', 'MCMAE'])
@torch.no_grad()
def test_decoders_without_guidance_predict_what_the_released_do(tmp_path, kind, size):
    """All the way from an image to predicted pixels."""
    published = Published(kind)
    model = converted(published, kind, tmp_path)
    images = pictures(3, *size)
    got, token_mask = model.predict_tokens(images)
    latent = published.double().encode(images.double(), token_mask.ids_keep)
    grid = [n // 16 for n in size]
    assert_same(got, published.decode(latent, token_mask.ids_keep, *grid))


@pytest.mark.parametrize('kind', ['DuGI-MAE', 'InfMAE'])
@torch.no_grad()
def test_ties_are_broken_by_place(tmp_path, kind):
    """Where tokens tie, as in an empty sky, the choice is valid and repeats itself.

    The released sorts are not stable, so there is no order to compare with.
    """
    model, images = converted(Published(kind), kind, tmp_path), pictures()[3:]
    first, second = model.masking(images), model.masking(images)
    assert torch.equal(first.ids_keep, second.ids_keep)
    assert len(set(first.ids_keep[0].tolist())) == 4


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('size', [(64, 64), (32, 96), (50, 37), (16, 16)])
@pytest.mark.parametrize('kind', KINDS)
@torch.no_grad()
def test_the_dense_encoder_equals_the_published_one(tmp_path, kind, size, channels):
    """F1..F3 are the stage maps of the zero-padded image, F4 is pooled F3.

    The file as it was published and its conversion give the same.
    """
    published, images = Published(kind, channels), pictures(channels, *size)
    torch.save(dict(model=published.state_dict()), tmp_path / 'published.pth')
    result = convert_state_dict(published.state_dict())
    torch.save(dict(state_dict=result.state_dict), tmp_path / 'backbone.pth')
    wanted = published.double().pyramid(images.double())
    for name in ('published.pth', 'backbone.pth'):
        model = create_encoder(ARCH, tmp_path / name, channels, img_size=64)
        for got, want in zip(model.eval()(images), wanted, strict=True):
            assert_same(got, want)
