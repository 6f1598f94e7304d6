"""Both encoders against a naive transcription of the published architecture."""

from __future__ import annotations

import math

import pytest
import torch
import toys
from torch.nn import functional as F

from dugi_mae.ops import make_token_mask

ARCH = dict(toys.ARCH, depths=(1, 2, 2))


def norm(x, weight, bias, eps):
    """LayerNorm over the last axis, by its formula."""
    centred = x - x.mean(dim=-1, keepdim=True)
    var = centred.square().mean(dim=-1, keepdim=True)
    return centred / (var + eps).sqrt() * weight + bias


def norm_map(x, weight, bias, eps=1e-5):
    """LayerNorm over the channels of a map."""
    return norm(x.movedim(1, -1), weight, bias, eps).movedim(-1, 1)


def gelu(x):
    """The exact one."""
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def naive_stages(state, images, arch, mask=None):
    """Three stage maps of the published encoder, in float64, nothing shared with ours.

    Args:
        state: Parameters under their published names.
        images: ``(B, C, H, W)``, whole 16-pixel tokens.
        arch: Depths and heads.
        mask: ``(B, rows, cols)``, 1 = masked, or ``None``.
    """
    state = {k: v.double() for k, v in state.items()}

    def embed(x, i, patch):
        x = F.conv2d(
            x,
            state[f'patch_embed{i}.proj.weight'],
            state[f'patch_embed{i}.proj.bias'],
            stride=patch,
        )
        name = f'patch_embed{i}.norm.'
        return gelu(norm_map(x, state[name + 'weight'], state[name + 'bias']))

    def conv_stage(x, i, scale):
        visible = 1.0
        if mask is not None:
            visible = 1 - mask.double()[:, None]
            visible = visible.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
        for block in range(arch['depths'][i - 1]):
            p = f'blocks{i}.{block}.'
            w = {k[len(p) :]: v for k, v in state.items() if k.startswith(p)}
            y = norm_map(x, w['norm1.weight'], w['norm1.bias'])
            y = F.conv2d(y, w['conv1.weight'], w['conv1.bias']) * visible
            dw = w['attn.weight']
            y = F.conv2d(y, dw, w['attn.bias'], padding=2, groups=len(dw))
            x = x + F.conv2d(y, w['conv2.weight'], w['conv2.bias'])
            y = norm_map(x, w['norm2.weight'], w['norm2.bias'])
            y = gelu(F.conv2d(y, w['mlp.fc1.weight'], w['mlp.fc1.bias']))
            x = x + F.conv2d(y, w['mlp.fc2.weight'], w['mlp.fc2.bias'])
        return x

    stage1 = conv_stage(embed(images.double(), 1, 4), 1, 4)
    stage2 = conv_stage(embed(stage1, 2, 2), 2, 2)
    return stage1, stage2, embed(stage2, 3, 2)


def naive_position(state, stored, grid):
    """The stored table, bicubic where the grid differs."""
    table = state['pos_embed'].double()
    if stored == grid:
        return table
    maps = table.reshape(1, *stored, -1).permute(0, 3, 1, 2)
    maps = F.interpolate(maps, grid, mode='bicubic', align_corners=False)
    return maps.flatten(2).transpose(1, 2)


def naive_attention_stage(state, tokens, arch):
    """Pre-norm ViT blocks with an explicit softmax, head by head."""
    state = {k: v.double() for k, v in state.items()}
    dim, heads = arch['embed_dims'][2], arch['num_heads']
    size = dim // heads
    for block in range(arch['depths'][2]):
        p = f'blocks3.{block}.'
        w = {k[len(p) :]: v for k, v in state.items() if k.startswith(p)}
        y = norm(tokens, w['norm1.weight'], w['norm1.bias'], 1e-6)
        qkv = y @ w['attn.qkv.weight'].T + w['attn.qkv.bias']
        outs = []
        for h in range(heads):
            q, k, v = (
                qkv[..., part * dim + h * size : part * dim + (h + 1) * size]
                for part in range(3)
            )
            scores = q @ k.transpose(1, 2) / math.sqrt(size)
            exps = scores.exp()
            outs.append(exps / exps.sum(dim=-1, keepdim=True) @ v)
        y = torch.cat(outs, dim=-1)
        tokens = tokens + y @ w['attn.proj.weight'].T + w['attn.proj.bias']
        y = norm(tokens, w['norm2.weight'], w['norm2.bias'], 1e-6)
        y = gelu(y @ w['mlp.fc1.weight'].T + w['mlp.fc1.bias'])
        tokens = tokens + y @ w['mlp.fc2.weight'].T + w['mlp.fc2.bias']
    return tokens


def naive_linear_embed(state, maps):
    """The Linear after the third patch embedding, on tokens in raster order."""
    tokens = maps.flatten(2).transpose(1, 2)
    weight = state['patch_embed4.weight'].double()
    return tokens @ weight.T + state['patch_embed4.bias'].double()


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize(('height', 'width'), [(64, 64), (32, 96), (50, 37), (16, 16)])
def test_dense_encoder_equals_the_transcription(height, width, channels):
    """F1..F3 are the raw stage outputs of the zero-padded image, F4 is pooled F3."""
    model = toys.stir(toys.conv_vit(arch=ARCH, in_channels=channels)).eval()
    state = model.state_dict()
    images = torch.randn(2, channels, height, width)
    padded = F.pad(images, (0, -width % 32, 0, -height % 32))
    stage1, stage2, maps = naive_stages(state, padded, ARCH)
    grid = maps.shape[-2:]
    tokens = naive_linear_embed(state, maps)
    tokens = tokens + naive_position(state, (4, 4), tuple(grid))
    tokens = naive_attention_stage(state, tokens, ARCH)
    stage3 = tokens.transpose(1, 2).reshape(2, 16, *grid)
    stage4 = F.max_pool2d(stage3, 2)
    got = model(images)
    for i, want in enumerate((stage1, stage2, stage3, stage4)):
        stride = 4 * 2**i
        rows, cols = math.ceil(height / stride), math.ceil(width / stride)
        want = want[..., :rows, :cols].float()
        torch.testing.assert_close(got[i], want, rtol=0, atol=1e-4)


@pytest.mark.parametrize('impl', ['sparse', 'dense'])
@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize(('rows', 'cols', 'count'), [(4, 4, 4), (3, 5, 6), (2, 2, 1)])
def test_masked_encoder_equals_the_transcription(rows, cols, count, channels, impl):
    """Masked conv stages, visible tokens through stage 3, fusion, then the norm."""
    model = toys.masked_conv_vit(arch=ARCH, in_channels=channels, impl=impl)
    toys.stir(model).eval()
    state = model.state_dict()
    images = torch.randn(2, channels, 16 * rows, 16 * cols)
    ids = torch.stack([torch.randperm(rows * cols)[:count] for _ in range(2)])
    token_mask = make_token_mask(ids, rows * cols)
    got = model(images, token_mask)

    mask = torch.ones(2, rows * cols)
    for b in range(2):
        mask[b, ids[b]] = 0
    mask = mask.reshape(2, rows, cols)
    stage1, stage2, maps = naive_stages(state, images, ARCH, mask)
    tokens = naive_linear_embed(state, maps)
    tokens = tokens + naive_position(state, (4, 4), (rows, cols))
    fused = 0
    for name, maps, stride in (
        ('stage1_output_decode', stage1, 4),
        ('stage2_output_decode', stage2, 2),
    ):
        weight, bias = (state[f'{name}.{k}'].double() for k in ('weight', 'bias'))
        maps = F.conv2d(maps, weight, bias, stride=stride)
        fused = fused + maps.flatten(2).transpose(1, 2)
    for b in range(2):
        visible = torch.stack([tokens[b, i] for i in ids[b].tolist()])
        visible = naive_attention_stage(state, visible[None], ARCH)[0]
        visible = visible + torch.stack([fused[b, i] for i in ids[b].tolist()])
        weight, bias = state['norm.weight'].double(), state['norm.bias'].double()
        want = norm(visible, weight, bias, 1e-6).float()
        torch.testing.assert_close(got[b], want, rtol=0, atol=1e-4)
