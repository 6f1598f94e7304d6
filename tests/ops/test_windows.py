"""Windows of a token grid."""

from __future__ import annotations

import pytest
import torch

from dugi_mae.ops import (
    merge_windows,
    partition_windows,
    real_tokens,
    relative_position_index,
)

GRIDS = [(4, 4), (4, 6), (5, 7), (1, 3), (2, 9)]


@pytest.mark.parametrize('grid', GRIDS)
def test_partition_is_a_loop_over_windows(grid):
    """Window n holds the tokens that a loop over rows and columns puts there."""
    rows, cols = grid
    maps = torch.randn(2, rows, cols, 3)
    windows = iter(partition_windows(maps, 2))
    for image in maps:
        for top in range(0, rows, 2):
            for left in range(0, cols, 2):
                window = torch.zeros(2, 2, 3)
                part = image[top : top + 2, left : left + 2]
                window[: part.shape[0], : part.shape[1]] = part
                assert torch.equal(next(windows), window.flatten(0, 1))
    assert next(windows, None) is None


@pytest.mark.parametrize('window', [1, 2, 3, 8])
@pytest.mark.parametrize('grid', GRIDS)
def test_merge_undoes_partition(grid, window):
    """There and back is the identity on any grid."""
    maps = torch.randn(3, *grid, 2)
    windows = partition_windows(maps, window)
    assert torch.equal(merge_windows(windows, grid, window), maps)


@pytest.mark.parametrize('grid', GRIDS)
def test_real_tokens(grid):
    """Exactly the tokens of the grid are real; complete windows need no mask."""
    rows, cols = grid
    wanted = [
        [y < rows and x < cols for y in (top, top + 1) for x in (left, left + 1)]
        for top in range(0, rows, 2)
        for left in range(0, cols, 2)
    ]
    real = real_tokens(grid, 2)
    if rows % 2 or cols % 2:
        assert real.tolist() == wanted
    else:
        assert real is None


@pytest.mark.parametrize('window', [1, 2, 3])
def test_relative_positions_name_offsets(window):
    """Two pairs share a number exactly when their row and column offsets agree."""
    table = relative_position_index(window)
    seen = {}
    for i in range(window**2):
        for j in range(window**2):
            offset = (i // window - j // window, i % window - j % window)
            seen.setdefault(int(table[i, j]), set()).add(offset)
    assert all(len(offsets) == 1 for offsets in seen.values())
    assert set(seen) == set(range((2 * window - 1) ** 2))
