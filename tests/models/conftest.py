"""Token masks for the parts of the pre-training models."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from dugi_mae.ops import TokenMask, make_token_mask


@pytest.fixture
def random_mask() -> Callable[..., TokenMask]:
    """A function ``(batch, total, count)``: a mask with ``count`` visible tokens.

    They are unsorted, and other ones in every image.
    """

    def draw(batch: int, total: int, count: int) -> TokenMask:
        ids_keep = [torch.randperm(total)[:count] for _ in range(batch)]
        return make_token_mask(torch.stack(ids_keep), total)

    return draw
