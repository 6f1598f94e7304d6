"""Converted weights in our models against the published encoders, written down naively.

The module below knows nothing of dugi_mae: dense maps, loops over tokens and heads, and
the published parameter names as its state dict.
"""

from __future__ import annotations

from functools import partial

import pytest
import torch
import toys
from torch import nn
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

WIDTHS, DEPTHS, HEADS = toys.ARCH['embed_dims'], (1, 2, 2), toys.ARCH['num_heads']
ARCH = dict(toys.ARCH, depths=DEPTHS)
GRID = 6
MASKINGS = {
    'DuGI-MAE': partial(
        EntropyMasking, estimator='softmax', keep='lowest', keep_order='score'
    ),
    'InfMAE': partial(GreyValueMasking, score='embedding'),
}
KINDS = ['DuGI-MAE', 'InfMAE', 'MCMAE']


class Embed(nn.Module):
    """Strided convolution, LayerNorm over channels, GELU."""

    def __init__(self, channels, width, patch):
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch, patch)
        self.norm = nn.LayerNorm(width, eps=1e-5)

    def forward(self, x):
        return F.gelu(over_channels(self.norm, self.proj(x)))


class TwoLayers(nn.Module):
    """``fc2(gelu(fc1(x)))`` of linear layers or 1x1 convolutions."""

    def __init__(self, layer, width):
        super().__init__()
        self.fc1, self.fc2 = layer(width, 4 * width), layer(4 * width, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


def pointwise(inputs, outputs):
    """A 1x1 convolution."""
    return nn.Conv2d(inputs, outputs, 1)


def over_channels(norm, x):
    """A LayerNorm at every place of a map."""
    return norm(x.movedim(1, 3)).movedim(3, 1)


class MaskedConvBlock(nn.Module):
    """``x += conv2(dw5x5(mask * conv1(norm1(x))))``, ``x += mlp(norm2(x))``."""

    def __init__(self, width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-5)
        self.conv1, self.conv2 = pointwise(width, width), pointwise(width, width)
        self.attn = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.norm2 = nn.LayerNorm(width, eps=1e-5)
        self.mlp = TwoLayers(pointwise, width)

    def forward(self, x, visible):
        y = visible * self.conv1(over_channels(self.norm1, x))
        x = x + self.conv2(self.attn(y))
        return x + self.mlp(over_channels(self.norm2, x))


class Attention(nn.Module):
    """Softmax attention, one image and one head at a time."""

    def __init__(self, width):
        super().__init__()
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        width = x.shape[2]
        size = width // HEADS
        images = []
        for rows in self.qkv(x):
            heads = []
            for h in range(HEADS):
                q, k, v = (
                    rows[:, part * width + h * size :][:, :size] for part in range(3)
                )
                heads.append(((q @ k.T) / size**0.5).softmax(dim=1) @ v)
            images.append(torch.cat(heads, dim=1))
        return self.proj(torch.stack(images))


class TransformerBlock(nn.Module):
    """Pre-norm attention and MLP."""

    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.attn, self.mlp = Attention(width), TwoLayers(nn.Linear, width)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Published(nn.Module):
    """The published encoders, with the decoder's parameters beside them."""

    def __init__(self, kind, channels=3):
        super().__init__()
        a, b, c = WIDTHS
        if kind != 'MCMAE':
            self.patch_embed = nn.Module()
            self.patch_embed.proj = nn.Conv2d(channels, c, 16, 16)
        self.patch_embed1 = Embed(channels, a, 4)
        self.patch_embed2, self.patch_embed3 = Embed(a, b, 2), Embed(b, c, 2)
        self.patch_embed4 = nn.Linear(c, c)
        self.pos_embed = nn.Parameter(torch.randn(1, GRID**2, c))
        self.blocks1 = nn.ModuleList(MaskedConvBlock(a) for _ in range(DEPTHS[0]))
        self.blocks2 = nn.ModuleList(MaskedConvBlock(b) for _ in range(DEPTHS[1]))
        self.blocks3 = nn.ModuleList(TransformerBlock(c) for _ in range(DEPTHS[2]))
        self.stage1_output_decode = nn.Conv2d(a, c, 4, 4)
        self.stage2_output_decode = nn.Conv2d(b, c, 2, 2)
        self.norm = nn.LayerNorm(c, eps=1e-6)
        self.decoder_embed = nn.Linear(c, 8)
        self.mask_token = nn.Parameter(torch.randn(1, 1, 8))
        self.decoder_pos_embed = nn.Parameter(torch.randn(1, GRID**2, 8))
        depth = 8 if kind == 'MCMAE' else 2
        self.decoder_blocks = nn.ModuleList(TransformerBlock(8) for _ in range(depth))
        self.decoder_norm = nn.LayerNorm(8, eps=1e-6)
        self.decoder_pred = nn.Linear(8, 256 * channels)
        if kind == 'DuGI-MAE':
            self.var_ffns = nn.ModuleList(TwoLayers(nn.Linear, c) for _ in range(3))
        for p in self.parameters():  # norms and biases too
            p.data += 0.2 * torch.randn_like(p)

    def released_softmax_choice(self, images):
        """Tokens of lowest softmax entropy, in the order of a descending sort."""
        scores = self.patch_embed.proj(images).flatten(2).transpose(1, 2)
        prob = scores.softmax(dim=2).clamp(min=1e-9)
        order = (-(prob * prob.log()).sum(dim=2)).argsort(dim=1, descending=True)
        return order[:, int(0.75 * order.shape[1]) :]

    def released_grey_choice(self, images):
        """Every fourth token of the ascending means of the embedding, in that order."""
        scores = self.patch_embed.proj(images).flatten(2).transpose(1, 2)
        return scores.mean(dim=2).argsort(dim=1)[:, ::4]

    def encode(self, images, ids):
        """Latent rows of the tokens ``ids (B, K)``, in their order."""
        rows, cols = images.shape[2] // 16, images.shape[3] // 16
        seen = torch.zeros(len(images), 1, rows, cols)
        for b, kept in enumerate(ids.tolist()):
            for token in kept:
                seen[b, 0, token // cols, token % cols] = 1

        def tokens(maps):
            return torch.stack(
                [
                    torch.stack([maps[b, :, i // cols, i % cols] for i in kept])
                    for b, kept in enumerate(ids.tolist())
                ]
            )

        x = self.patch_embed1(images)
        for block in self.blocks1:
            x = block(x, seen.repeat_interleave(4, 2).repeat_interleave(4, 3))
        fused = tokens(self.stage1_output_decode(x))
        x = self.patch_embed2(x)
        for block in self.blocks2:
            x = block(x, seen.repeat_interleave(2, 2).repeat_interleave(2, 3))
        fused = fused + tokens(self.stage2_output_decode(x))
        x = self.patch_embed4(tokens(self.patch_embed3(x)))
        x = x + torch.stack([self.pos_embed[0, kept] for kept in ids])
        for block in self.blocks3:
            x = block(x)
        return self.norm(x + fused)

    def decode(self, latent, ids):
        """Predicted pixels of every token, the visible ones put back to their place."""
        x = self.mask_token.repeat(len(ids), GRID**2, 1)
        for b, kept in enumerate(ids.tolist()):
            for row, token in enumerate(kept):
                x[b, token] = self.decoder_embed(latent[b, row])
        x = x + self.decoder_pos_embed
        for block in self.decoder_blocks:
            x = block(x)
        return self.decoder_pred(self.decoder_norm(x))

    def dense(self, images):
        """Maps of the three stages of the whole image."""
        first = self.patch_embed1(images)
        for block in self.blocks1:
            first = block(first, 1)
        second = self.patch_embed2(first)
        for block in self.blocks2:
            second = block(second, 1)
        x = self.patch_embed3(second)
        size = x.shape[2:]
        x = self.patch_embed4(x.flatten(2).transpose(1, 2)) + self.pos_embed
        for block in self.blocks3:
            x = block(x)
        return first, second, x.transpose(1, 2).unflatten(2, size)


def converted(published, kind, path, **masking) -> MaskedAutoencoder:
    """A pre-training model with a published model's weights in it."""
    result = convert_state_dict(published.state_dict(), 'pretrain')
    write_checkpoint(dict(state_dict=result.state_dict), path / 'converted.pth')
    choose = RandomMasking()
    if kind != 'MCMAE':
        choose = MASKINGS[kind](embed_dims=WIDTHS[2], **masking)
    return create_pretrainer(
        ARCH,
        path / 'converted.pth',
        masking=choose,
        guidance=kind == 'DuGI-MAE',
        img_size=16 * GRID,
        decoder_depth=len(published.decoder_blocks),
        decoder_embed_dims=8,
        decoder_num_heads=HEADS,
    ).eval()


def pictures():
    """A noisy, a smooth, a dim and a half empty image."""
    images = torch.randn(4, 3, 16 * GRID, 16 * GRID)
    images[1] = F.avg_pool2d(images[1:2], 9, 1, 4)[0]
    images[2] = images[2] * 0.02 - 2
    images[3, :, :, 40:] = -2.125
    return images


@pytest.mark.filterwarnings('ignore:the guidance starts fresh')
@pytest.mark.parametrize('impl', ['sparse', 'dense'])
@torch.no_grad()
def test_dugi_mae_sees_and_encodes_what_the_released_code_does(tmp_path, impl):
    """Preset, DuGI-MAE: the same tokens in the same order, the same latent rows."""
    published = Published('DuGI-MAE')
    model = converted(published, 'DuGI-MAE', tmp_path)
    model.backbone.impl = impl
    images = pictures()[:3]
    token_mask = model.masking(images)
    assert torch.equal(token_mask.ids_keep, published.released_softmax_choice(images))
    assert token_mask.ids_keep.shape == (3, 9)
    assert (token_mask.ids_keep.diff(dim=1) < 0).any()  # not merely the raster order
    got = model.backbone(images, token_mask)
    want = published.encode(images, token_mask.ids_keep)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-4)


@torch.no_grad()
def test_infmae_sees_and_encodes_what_the_released_code_does(tmp_path):
    """InfMAE: the same tokens and latent rows, in raster or in the released order."""
    published = Published('InfMAE')
    images = pictures()[:3]
    released = published.released_grey_choice(images)
    for order, want_ids in (
        ('raster', released.sort(dim=1).values),
        ('score', released),
    ):
        model = converted(published, 'InfMAE', tmp_path, keep_order=order)
        token_mask = model.masking(images)
        assert torch.equal(token_mask.ids_keep, want_ids)
        got = model.backbone(images, token_mask)
        want = published.encode(images, want_ids)
        torch.testing.assert_close(got, want, rtol=0, atol=1e-4)
    assert model.guidance is None


@torch.no_grad()
def test_mcmae_encodes_what_the_released_code_does(tmp_path):
    """MCMAE: random tokens, so the latent is compared for the tokens drawn."""
    published = Published('MCMAE')
    model = converted(published, 'MCMAE', tmp_path)
    images = pictures()
    token_mask = model.masking(images)
    got = model.backbone(images, token_mask)
    want = published.encode(images, token_mask.ids_keep)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-4)
    assert model.guidance is None


@pytest.mark.parametrize('kind', ['InfMAE', 'MCMAE'])
@torch.no_grad()
def test_decoders_without_guidance_predict_what_the_released_ones_do(tmp_path, kind):
    """The whole way from an image to predicted pixels."""
    published = Published(kind)
    model = converted(published, kind, tmp_path)
    images = pictures()
    got, token_mask = model.predict_tokens(images)
    latent = published.encode(images, token_mask.ids_keep)
    want = published.decode(latent, token_mask.ids_keep)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-4)


@pytest.mark.filterwarnings('ignore:the guidance starts fresh')
@pytest.mark.parametrize('kind', ['DuGI-MAE', 'InfMAE'])
@torch.no_grad()
def test_ties_are_broken_by_place(tmp_path, kind):
    """Where tokens tie, as in an empty sky, the choice is valid and repeats itself.

    The released sorts are not stable, so there is no order to compare with.
    """
    published = Published(kind)
    model = converted(published, kind, tmp_path)
    images = pictures()[3:]
    first, second = model.masking(images), model.masking(images)
    assert torch.equal(first.ids_keep, second.ids_keep)
    assert len(set(first.ids_keep[0].tolist())) == 9


@pytest.mark.parametrize('kind', KINDS)
@torch.no_grad()
def test_dense_encoder_equals_the_published_one(tmp_path, kind):
    """The file as it was published and its conversion give the unmasked stage maps."""
    published, images = Published(kind), pictures()
    torch.save(dict(model=published.state_dict()), tmp_path / 'published.pth')
    result = convert_state_dict(published.state_dict())
    torch.save(dict(state_dict=result.state_dict), tmp_path / 'backbone.pth')
    for name in ('published.pth', 'backbone.pth'):
        model = create_encoder(
            ARCH, tmp_path / name, out_indices=(0, 1, 2), img_size=16 * GRID
        )
        maps = zip(model.eval()(images), published.dense(images), strict=True)
        for got, want in maps:
            torch.testing.assert_close(got, want, rtol=0, atol=1e-4)
