"""Two published small-target networks, to compare with at equal cost.

Written from the papers, without their deep supervision, in the widths of ours:

* ``ACM``: asymmetric contextual modulation in a U-Net (Dai et al., WACV 2021).
* ``DNA``: dense nested attention (Li et al., TIP 2023).
"""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional as F

from dugi_mae.mm.small_target import IRSTDHead
from dugi_mae.models.small_target.network import ResidualBlock, resize

WIDTHS = (8, 16, 32, 64, 128)


def squeeze(channels: int, pooled: bool) -> nn.Sequential:
    """Weights in (0, 1) a channel, of the whole map or of each place."""
    inner = max(channels // 4, 2)
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1) if pooled else nn.Identity(),
        nn.Conv2d(channels, inner, 1),
        nn.Identity() if pooled else nn.BatchNorm2d(inner),
        nn.ReLU(),
        nn.Conv2d(inner, channels, 1),
        nn.Sigmoid(),
    )


class AsymmetricModulation(nn.Module):
    """The deep map says which channels of the shallow one count, and it where.

    ``G(deep) * shallow + L(shallow) * deep`` (ACM, equation 4).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.top_down = squeeze(channels, pooled=True)
        self.bottom_up = squeeze(channels, pooled=False)

    def forward(self, deep: Tensor, shallow: Tensor) -> Tensor:
        """Two maps ``(B, C, H, W)`` -> one."""
        return self.top_down(deep) * shallow + self.bottom_up(shallow) * deep


class ACM(nn.Module):
    """A U-Net of residual blocks whose skips join by asymmetric modulation."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Sequential(ResidualBlock(i, o, s), ResidualBlock(o, o))
            for i, o, s in zip((1, *WIDTHS), WIDTHS, (1, 2, 2, 2, 2), strict=False)
        )
        pairs = list(zip(WIDTHS[1:], WIDTHS, strict=False))
        self.laterals = nn.ModuleList(nn.Conv2d(o, i, 1) for o, i in pairs)
        self.fusions = nn.ModuleList(AsymmetricModulation(i) for _, i in pairs)
        self.decoders = nn.ModuleList(ResidualBlock(i, i) for _, i in pairs)
        self.conv_seg = nn.Conv2d(WIDTHS[0], 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, H, W)`` -> logits ``(B, 1, H, W)``."""
        maps = []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        for number in (3, 2, 1, 0):
            deep = resize(self.laterals[number](x), maps[number])
            x = self.decoders[number](self.fusions[number](deep, maps[number]))
        return self.conv_seg(x)


class AttentionBlock(ResidualBlock):
    """A residual block whose branch passes channel, then spatial attention."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__(in_channels, channels)
        inner = max(channels // 16, 2)
        self.mlp = nn.Sequential(
            nn.Conv2d(channels, inner, 1), nn.ReLU(), nn.Conv2d(inner, channels, 1)
        )
        self.spatial = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C_in, H, W)`` -> ``(B, C, H, W)``."""
        branch = self.conv2(F.relu(self.conv1(x)))
        mean, peak = branch.mean((2, 3), keepdim=True), branch.amax((2, 3), True)
        branch = branch * (self.mlp(mean) + self.mlp(peak)).sigmoid()
        pooled = [branch.mean(1, keepdim=True), branch.amax(1, keepdim=True)]
        branch = branch * self.spatial(torch.cat(pooled, 1)).sigmoid()
        return F.relu(branch + self.skip(x))


class DNA(nn.Module):
    """Nested U-Nets: each node sees all before it, the deeper and the shallower one."""

    def __init__(self) -> None:
        super().__init__()
        depth = len(WIDTHS)
        self.nodes = nn.ModuleDict()
        for column in range(depth):
            for row in range(depth - column):
                shallower = WIDTHS[row - 1] if row else int(column == 0)
                deeper = WIDTHS[row + 1] if column else 0
                channels = WIDTHS[row] * column + shallower + deeper
                self.nodes[f'{row}_{column}'] = AttentionBlock(channels, WIDTHS[row])
        # The pyramid of the last node of each row, at full resolution.
        self.pyramid = nn.ModuleList(nn.Conv2d(w, WIDTHS[0], 1) for w in WIDTHS)
        self.last = AttentionBlock(WIDTHS[0] * depth, WIDTHS[0])
        self.conv_seg = nn.Conv2d(WIDTHS[0], 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, H, W)`` -> logits ``(B, 1, H, W)``."""
        depth = len(WIDTHS)
        rows: list[list[Tensor]] = [[] for _ in WIDTHS]
        for column in range(depth):
            for row in range(depth - column):
                if column == 0:
                    inputs = [F.max_pool2d(rows[row - 1][0], 2) if row else x]
                else:
                    deeper = resize(rows[row + 1][column - 1], rows[row][0])
                    inputs = [*rows[row], deeper]
                    if row:
                        inputs.append(F.max_pool2d(rows[row - 1][column], 2))
                node = self.nodes[f'{row}_{column}']
                rows[row].append(node(torch.cat(inputs, 1)))
        maps = [resize(p(r[-1]), x) for p, r in zip(self.pyramid, rows, strict=True)]
        return self.conv_seg(self.last(torch.cat(maps, 1)))


@MODELS.register_module()
class PeerHead(IRSTDHead):
    """One of the two in place of our network."""

    def __init__(self, net: str) -> None:
        super().__init__()
        self.net = dict(ACM=ACM, DNA=DNA)[net]()
        # As ours: a probability of 0.01 at the start.
        nn.init.constant_(self.net.conv_seg.bias, -4.6)
        self.net.to(memory_format=torch.channels_last)

    def forward(self, inputs: list[Tensor]) -> Tensor:
        """Compute the logits, ``(B, 1, H, W)``, of the image, the last input."""
        return self.net(inputs[-1])
