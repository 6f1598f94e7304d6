"""The published MCMAE, InfMAE and DuGI-MAE models, written down naively.

Nothing here knows dugi_mae: dense maps, loops over images, tokens and heads, and the
authors' parameter names as state dict. In float64 after ``.double()``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def over_channels(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    """A LayerNorm at every place of a map."""
    return norm(x.movedim(1, 3)).movedim(3, 1)


def pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    """A 1x1 convolution."""
    return nn.Conv2d(inputs, outputs, 1)


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
    """Softmax attention, every head by itself."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        heads = []
        parts = [y.chunk(self.heads, dim=2) for y in self.qkv(x).chunk(3, dim=2)]
        for q, k, v in zip(*parts, strict=True):
            score = q @ k.transpose(1, 2) / q.shape[2] ** 0.5
            heads.append(score.softmax(dim=2) @ v)
        return self.proj(torch.cat(heads, dim=2))


class TransformerBlock(nn.Module):
    """Pre-norm attention and MLP."""

    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.attn, self.mlp = Attention(width, heads), TwoLayers(nn.Linear, width)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ReleasedGuidance(nn.Module):
    """Parameters of the released guidance, which ours does not take."""

    def __init__(self, width):
        super().__init__()
        self.mat_qkv = nn.Linear(width, 3 * width, bias=False)
        for name in ('q_bias', 'v_bias', 'zero_k_bias'):
            self.register_parameter(name, nn.Parameter(torch.randn(width)))
        self.proj = nn.Linear(width, width)


class Published(nn.Module):
    """An encoder and decoder under their published names.

    Args:
        kind: ``'MCMAE'``, ``'InfMAE'`` or ``'DuGI-MAE'``.
        channels: Of the image.
        widths: Channels of the three stages.
        depths: Blocks of the three stages.
        heads: Of attention.
        grid: Side of the position embeddings.
        decoder: Channels of the decoder.
    """

    def __init__(
        self,
        kind: str,
        channels: int = 3,
        widths: Sequence[int] = (8, 12, 16),
        depths: Sequence[int] = (1, 2, 2),
        heads: int = 2,
        grid: int = 4,
        decoder: int = 8,
    ) -> None:
        super().__init__()
        a, b, c = widths
        if kind != 'MCMAE':
            self.patch_embed = nn.Module()
            self.patch_embed.proj = nn.Conv2d(channels, c, 16, 16)
        self.patch_embed1 = Embed(channels, a, 4)
        self.patch_embed2, self.patch_embed3 = Embed(a, b, 2), Embed(b, c, 2)
        self.patch_embed4 = nn.Linear(c, c)
        self.pos_embed = nn.Parameter(torch.randn(1, grid**2, c))
        self.blocks1 = nn.ModuleList(MaskedConvBlock(a) for _ in range(depths[0]))
        self.blocks2 = nn.ModuleList(MaskedConvBlock(b) for _ in range(depths[1]))
        self.blocks3 = nn.ModuleList(
            TransformerBlock(c, heads) for _ in range(depths[2])
        )
        self.stage1_output_decode = nn.Conv2d(a, c, 4, 4)
        self.stage2_output_decode = nn.Conv2d(b, c, 2, 2)
        self.norm = nn.LayerNorm(c, eps=1e-6)
        self.decoder_embed = nn.Linear(c, decoder)
        self.mask_token = nn.Parameter(torch.randn(1, 1, decoder))
        self.decoder_pos_embed = nn.Parameter(torch.randn(1, grid**2, decoder))
        self.decoder_blocks = nn.ModuleList(
            TransformerBlock(decoder, heads) for _ in range(8 if kind == 'MCMAE' else 2)
        )
        self.decoder_norm = nn.LayerNorm(decoder, eps=1e-6)
        self.decoder_pred = nn.Linear(decoder, 256 * channels)
        if kind == 'DuGI-MAE':
            self.var_transformers = nn.ModuleList(ReleasedGuidance(c) for _ in range(3))
            self.var_ffns = nn.ModuleList(TwoLayers(nn.Linear, c) for _ in range(3))
        for p in self.parameters():  # norms and biases too
            p.data += 0.2 * torch.randn_like(p)

    def softmax_choice(self, images: Tensor) -> Tensor:
        """Tokens of lowest softmax entropy, in the order of a descending sort."""
        scores = self.patch_embed.proj(images).flatten(2).transpose(1, 2)
        prob = scores.softmax(dim=2).clamp(min=1e-9)
        order = (-(prob * prob.log()).sum(dim=2)).argsort(dim=1, descending=True)
        return order[:, int(0.75 * order.shape[1]) :]

    def grey_choice(self, images: Tensor) -> Tensor:
        """Every fourth token of the ascending means of the embedding, in that order."""
        scores = self.patch_embed.proj(images).flatten(2).transpose(1, 2)
        return scores.mean(dim=2).argsort(dim=1)[:, ::4]

    def encode(self, images: Tensor, ids: Tensor) -> Tensor:
        """Latent rows of the tokens ``ids (B, K)``, in their order."""
        rows, cols = images.shape[2] // 16, images.shape[3] // 16
        seen = images.new_zeros(len(images), 1, rows, cols)
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
        position = resized(self.pos_embed, rows, cols)
        x = x + torch.stack([position[0, kept] for kept in ids])
        for block in self.blocks3:
            x = block(x)
        return self.norm(x + fused)

    def decode(self, latent: Tensor, ids: Tensor, rows: int, cols: int) -> Tensor:
        """Predicted pixels of every token, the visible ones put back to their place."""
        x = self.mask_token.repeat(len(ids), rows * cols, 1)
        for b, kept in enumerate(ids.tolist()):
            for row, token in enumerate(kept):
                x[b, token] = self.decoder_embed(latent[b, row])
        x = x + resized(self.decoder_pos_embed, rows, cols)
        for block in self.decoder_blocks:
            x = block(x)
        return self.decoder_pred(self.decoder_norm(x))

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """Maps of the three stages and the pooled third, of the zero-padded image."""
        height, width = images.shape[-2:]
        x, maps = F.pad(images, (0, -width % 32, 0, -height % 32)), []
        for embed, blocks in (
            (self.patch_embed1, self.blocks1),
            (self.patch_embed2, self.blocks2),
        ):
            x = embed(x)
            for block in blocks:
                x = block(x, 1)
            maps.append(x)
        x = self.patch_embed3(x)
        size = x.shape[2:]
        x = self.patch_embed4(x.flatten(2).transpose(1, 2))
        x = x + resized(self.pos_embed, *size)
        for block in self.blocks3:
            x = block(x)
        maps.append(x.transpose(1, 2).unflatten(2, size))
        maps.append(F.max_pool2d(maps[-1], 2))
        return [
            x[..., : math.ceil(height / stride), : math.ceil(width / stride)]
            for x, stride in zip(maps, (4, 8, 16, 32), strict=True)
        ]


def resized(table: Tensor, rows: int, cols: int) -> Tensor:
    """A position embedding of a square grid, bicubic where another is wanted."""
    side = math.isqrt(table.shape[1])
    maps = table.reshape(1, side, side, -1).permute(0, 3, 1, 2)
    if (rows, cols) != (side, side):
        maps = F.interpolate(maps, (rows, cols), mode='bicubic', align_corners=False)
    return maps.flatten(2).transpose(1, 2)
