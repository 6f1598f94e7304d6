"""Position embeddings against slow loops."""

from __future__ import annotations

import math

import pytest
import torch

from dugi_mae.errors import DuGIError
from dugi_mae.ops import resize_pos_embed, sincos_pos_embed


@pytest.mark.parametrize(
    ('grid', 'dim'), [((2, 2), 4), ((14, 14), 16), ((3, 5), 8), ((7, 2), 12)]
)
def test_sincos_equals_the_formula_of_mae(grid, dim):
    """Columns first, then rows; sines, then cosines; 10000 ** (-i / (D / 4))."""
    embed = sincos_pos_embed(grid, dim)
    assert embed.shape == (1, grid[0] * grid[1], dim)
    assert embed.dtype == torch.float32
    quarter = dim // 4
    for row in range(grid[0]):
        for col in range(grid[1]):
            for i in range(quarter):
                omega = 10000 ** (-i / quarter)
                got = embed[0, row * grid[1] + col]
                assert got[i].item() == pytest.approx(math.sin(col * omega), abs=1e-6)
                want = math.cos(col * omega)
                assert got[quarter + i].item() == pytest.approx(want, abs=1e-6)
                want = math.sin(row * omega)
                assert got[2 * quarter + i].item() == pytest.approx(want, abs=1e-6)
                want = math.cos(row * omega)
                assert got[3 * quarter + i].item() == pytest.approx(want, abs=1e-6)


@pytest.mark.parametrize('dim', [6, 2, 7])
def test_sincos_refuses_odd_widths(dim):
    """A width that does not divide by 4 is named."""
    with pytest.raises(DuGIError, match=f'width {dim}: it must divide by 4'):
        sincos_pos_embed((2, 2), dim)


def cubic(t: float) -> float:
    """Keys' kernel with a = -0.75, torch's bicubic."""
    t, a = abs(t), -0.75
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0


def taps(target: int, source: int) -> list[list[float]]:
    """Row i: the weight of every source cell in target cell i, borders repeated."""
    table = [[0.0] * source for _ in range(target)]
    for i in range(target):
        centre = (i + 0.5) * source / target - 0.5
        first = math.floor(centre) - 1
        for j in range(first, first + 4):
            table[i][min(max(j, 0), source - 1)] += cubic(centre - j)
    return table


@pytest.mark.parametrize('target', [(4, 4), (5, 2), (3, 9), (8, 8)])
def test_resize_is_bicubic_on_any_grid(target):
    """Half-pixel bicubic interpolation, rows and columns apart, non-square too."""
    source = (4, 3)
    embed = torch.randn(1, source[0] * source[1], 6)
    got = resize_pos_embed(embed, source, target)
    ky = torch.tensor(taps(target[0], source[0]), dtype=torch.float64)
    kx = torch.tensor(taps(target[1], source[1]), dtype=torch.float64)
    maps = embed.double().reshape(*source, 6)
    want = torch.einsum('ys,xt,std->yxd', ky, kx, maps).reshape(1, -1, 6)
    torch.testing.assert_close(got.double(), want, rtol=0, atol=1e-5)


def test_resize_to_the_same_grid_is_the_identity():
    """No interpolation, and not even a copy, where the grids are equal."""
    embed = torch.randn(1, 6, 4)
    assert resize_pos_embed(embed, (2, 3), (2, 3)) is embed


def test_resize_keeps_the_dtype():
    """A half-precision table stays one."""
    embed = torch.randn(1, 4, 4).bfloat16()
    assert resize_pos_embed(embed, (2, 2), (3, 5)).dtype == torch.bfloat16
