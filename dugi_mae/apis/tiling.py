"""Run a dense model over a large image tile by tile, without visible seams."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

from torch import Tensor

from dugi_mae.errors import DuGIError

#: Stride of the coarsest map of our models: they are equivariant to shifts by it.
STRIDE = 32


class Tile(NamedTuple):
    """One tile along one axis, in pixels; stops are exclusive.

    Attributes:
        start: First input pixel.
        stop: End of the input.
        keep_start: First pixel whose output is kept.
        keep_stop: End of the kept output.
    """

    start: int
    stop: int
    keep_start: int
    keep_stop: int


def check_tiling(tile: int, overlap: int, stride: int = STRIDE) -> None:
    """Raise unless tiles of this size fit the grid of the model.

    Raises:
        DuGIError: If a size is not a multiple of ``stride``, the tile is smaller than
            two strides, or the overlap leaves no step.
    """
    if tile < 2 * stride or tile % stride:
        below = max(2 * stride, tile // stride * stride)
        raise DuGIError(
            f'tile={tile} does not fit the model: choose a multiple of {stride} from '
            f'{2 * stride} on, for example {below} or {below + stride}'
        )
    if overlap < 0 or overlap % stride or overlap >= tile:
        raise DuGIError(
            f'overlap={overlap} does not fit tile={tile}: choose a multiple of '
            f'{stride} from 0 to {tile - stride}'
        )


def tile_axis(length: int, tile: int, overlap: int, stride: int = STRIDE) -> list[Tile]:
    """Cover one axis with tiles.

    Every start is a multiple of ``stride``, so each tile lies on the same grid as the
    full image. The last tile ends with the image, so that both have the same border; it
    may be up to ``stride - 1`` pixels shorter. The kept parts cover the axis exactly
    once; inner seams lie in the middle of an overlap.

    Args:
        length: Pixels of the axis.
        tile: Side of a tile, see :func:`check_tiling`.
        overlap: Minimum overlap of neighbouring tiles in pixels.
        stride: Starts are multiples of it.
    """
    check_tiling(tile, overlap, stride)
    starts = list(range(0, max(length - tile, 0), tile - overlap))
    starts.append(-(-max(length - tile, 0) // stride) * stride)
    stops = [start + tile for start in starts[:-1]] + [length]
    seams = [
        (stop + start) // 2 for stop, start in zip(stops[:-1], starts[1:], strict=True)
    ]
    keeps = zip([0, *seams], [*seams, length], strict=True)
    return [
        Tile(start, stop, *keep)
        for start, stop, keep in zip(starts, stops, keeps, strict=True)
    ]


def predict_tiled(
    predict: Callable[[Tensor], Tensor],
    images: Tensor,
    tile: int,
    overlap: int,
    stride: int = STRIDE,
) -> Tensor:
    """Predict a dense map tile by tile.

    Every output pixel comes from exactly one tile, at least ``overlap / 2`` pixels away
    from any border of that tile that is not one of the image. The result equals
    ``predict(images)`` for a model whose receptive field reaches no further, that pads
    with zeros and is equivariant to shifts by ``stride``. With global attention,
    position embeddings or pooling to a fixed size the result is an approximation, which
    improves with larger tiles and overlaps.

    Args:
        predict: ``(B, C, h, w)`` -> ``(B, K, h, w)``.
        images: ``(B, C, H, W)``.
        tile: Side of a tile in pixels, a multiple of ``stride``.
        overlap: Overlap of neighbouring tiles in pixels, a multiple of ``stride``.
        stride: Stride of the model in pixels.

    Returns:
        ``(B, K, H, W)``.

    Raises:
        DuGIError: If tile or overlap do not fit the stride.
    """
    height, width = images.shape[-2:]
    rows, cols = (tile_axis(n, tile, overlap, stride) for n in (height, width))
    result = None
    for y, x in product(rows, cols):
        output = predict(images[..., y.start : y.stop, x.start : x.stop])
        if result is None:
            result = output.new_empty(*output.shape[:2], height, width)
        result[..., y.keep_start : y.keep_stop, x.keep_start : x.keep_stop] = output[
            ...,
            y.keep_start - y.start : y.keep_stop - y.start,
            x.keep_start - x.start : x.keep_stop - x.start,
        ]
    return result
