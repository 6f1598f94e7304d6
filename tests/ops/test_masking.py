"""Token masks: the choice by score, and moving tokens out and back in."""

from __future__ import annotations

import pytest
import torch

from dugi_mae.errors import DuGIError
from dugi_mae.ops import (
    TokenMask,
    check_mask,
    gather_tokens,
    grid_mask,
    keep_by_score,
    make_token_mask,
    num_visible,
    restore_tokens,
)


def slow_keep(scores: list[float], count: int, keep: str) -> list[int]:
    """The last ``count`` indices of a stable insertion sort, in its order."""
    order: list[int] = []
    for i, score in enumerate(scores):
        place = len(order)
        while place and (
            scores[order[place - 1]] > score
            if keep == 'highest'
            else scores[order[place - 1]] < score
        ):
            place -= 1
        order.insert(place, i)
    return order[len(order) - count :]


def check_consistent(token_mask: TokenMask, num_tokens: int) -> None:
    """What every mask promises, place by place."""
    ids_keep, ids_restore, mask = token_mask
    assert (ids_keep.dtype, ids_restore.dtype) == (torch.int64, torch.int64)
    assert mask.dtype == torch.float32
    assert ids_restore.shape == mask.shape == (len(ids_keep), num_tokens)
    assert not mask.requires_grad
    for b in range(len(ids_keep)):
        kept = ids_keep[b].tolist()
        masked = [i for i in range(num_tokens) if i not in kept]
        assert len(set(kept)) == len(kept)
        assert mask[b].tolist() == [float(i in masked) for i in range(num_tokens)]
        assert token_mask.ids_masked[b].tolist() == masked
        rows = kept + masked
        assert [rows[r] for r in ids_restore[b].tolist()] == list(range(num_tokens))


@pytest.mark.parametrize('ratio', [0.1, 0.6, 0.75, 0.99])
def test_num_visible_over_many_grids(ratio):
    """``K = L - int(L * ratio)`` whenever a visible and a masked token remain."""
    for num_tokens in range(1, 401):
        want = num_tokens - int(num_tokens * ratio)
        if 1 <= want <= num_tokens - 1:
            assert num_visible(num_tokens, ratio) == want
        else:
            with pytest.raises(
                DuGIError, match=rf'mask_ratio={ratio} .*{want} of.*0\.75'
            ):
                num_visible(num_tokens, ratio)


@pytest.mark.parametrize('keep', ['highest', 'lowest'])
@pytest.mark.parametrize('keep_order', ['raster', 'score'])
@pytest.mark.parametrize(('num_tokens', 'ratio'), [(16, 0.75), (15, 0.5), (7, 0.3)])
@pytest.mark.parametrize('ties', [False, True])
def test_keep_by_score_equals_a_stable_sort(num_tokens, ratio, keep, keep_order, ties):
    """The last K of a stable sort stay, so ties go to the later place."""
    scores = torch.rand(4, num_tokens)
    if ties:
        scores = torch.randint(0, 3, (4, num_tokens)).float()
    token_mask = keep_by_score(scores, ratio, keep, keep_order)
    check_consistent(token_mask, num_tokens)
    count = num_tokens - int(num_tokens * ratio)
    for b in range(4):
        want = slow_keep(scores[b].tolist(), count, keep)
        if keep_order == 'raster':
            want = sorted(want)
        assert token_mask.ids_keep[b].tolist() == want


def test_scores_with_gradient_make_a_mask_without():
    """A mask is a choice: no gradient flows through it."""
    scores = torch.rand(1, 8, requires_grad=True)
    assert not any(x.requires_grad for x in keep_by_score(scores, 0.5))


@pytest.mark.parametrize(
    ('kwargs', 'match'),
    [
        (dict(keep='higest'), "keep='higest' is unknown: did you mean 'highest'"),
        (dict(keep_order='rank'), "keep_order='rank' is unknown.*'raster', 'score'"),
        (dict(mask_ratio=0.01), 'keeps 8 of 8'),
    ],
)
def test_keep_by_score_names_bad_options(kwargs, match):
    """An unknown option is named, with the nearest known one."""
    with pytest.raises(DuGIError, match=match):
        keep_by_score(torch.rand(1, 8), **{'mask_ratio': 0.5, **kwargs})


def test_make_token_mask_keeps_the_given_order():
    """An unsorted choice stays as given and its mask is consistent."""
    ids_keep = torch.tensor([[5, 0, 3], [1, 7, 2]])
    token_mask = make_token_mask(ids_keep, 8)
    assert torch.equal(token_mask.ids_keep, ids_keep)
    check_consistent(token_mask, 8)


def mae_mask(batch: int, num_tokens: int, count: int) -> TokenMask:
    """The mask as MAE's own code draws it: masked tokens follow in random order."""
    ids_shuffle = torch.rand(batch, num_tokens).argsort(dim=1)
    ids_restore = ids_shuffle.argsort(dim=1)
    mask = (torch.arange(num_tokens) >= count).float().expand(batch, -1)
    return TokenMask(ids_shuffle[:, :count], ids_restore, mask.gather(1, ids_restore))


def test_masked_tokens_ascend_in_a_mask_of_another_order():
    """``ids_masked`` is in raster order, whatever ``ids_restore`` says."""
    token_mask = mae_mask(3, 12, 4)
    for mask, ids in zip(token_mask.mask, token_mask.ids_masked, strict=True):
        assert ids.tolist() == [i for i in range(12) if mask[i] == 1]


@pytest.mark.parametrize('count', [2, 4])
def test_tokens_that_the_mask_did_not_choose_are_refused(count):
    """One token too few or too many would shift all others to wrong places."""
    token_mask = make_token_mask(torch.tensor([[4, 1, 0]]), 6)
    with pytest.raises(DuGIError, match=f'{count} visible tokens .* chose 3.*extra'):
        restore_tokens(torch.zeros(1, count, 2), torch.zeros(1, 1, 2), token_mask)


@pytest.mark.parametrize(
    ('batch', 'grid', 'message'),
    [
        (2, (3, 4), '2 images of 3x4 tokens .* 1 image of 8 tokens'),
        (1, (2, 3), '1 image of 2x3 tokens .* 1 image of 8 tokens'),
    ],
)
def test_a_mask_of_other_images_is_refused(batch, grid, message):
    """Both sizes are named where batch or number of tokens differ."""
    token_mask = make_token_mask(torch.tensor([[4, 1]]), 8)
    check_mask(token_mask, 1, (2, 4))
    with pytest.raises(DuGIError, match=message):
        check_mask(token_mask, batch, grid)


@pytest.mark.parametrize('order', ['raster', 'shuffled'])
@pytest.mark.parametrize(('num_tokens', 'count'), [(12, 3), (16, 15), (9, 1)])
def test_every_token_returns_to_its_own_place(num_tokens, count, order):
    """Gather then restore puts each visible token where it was, and no other."""
    tokens = torch.randn(3, num_tokens, 5)
    ids_keep = torch.stack([torch.randperm(num_tokens)[:count] for _ in range(3)])
    if order == 'raster':
        ids_keep = ids_keep.sort(dim=1).values
    token_mask = make_token_mask(ids_keep, num_tokens)
    visible = gather_tokens(tokens, ids_keep)
    mask_token = torch.full((1, 1, 5), 77.0)
    restored = restore_tokens(visible, mask_token, token_mask)
    for b in range(3):
        kept = ids_keep[b].tolist()
        for k, place in enumerate(kept):
            assert torch.equal(visible[b, k], tokens[b, place])
        for place in range(num_tokens):
            want = tokens[b, place] if place in kept else mask_token[0, 0]
            assert torch.equal(restored[b, place], want)


def test_restore_takes_one_filling_a_place_too():
    """A ``(B, L - K, D)`` filling lands at the masked places in raster order."""
    token_mask = make_token_mask(torch.tensor([[4, 1]]), 6)
    filling = torch.arange(4.0).view(1, 4, 1)
    restored = restore_tokens(torch.tensor([[[40.0], [10.0]]]), filling, token_mask)
    assert restored.flatten().tolist() == [0, 10, 1, 2, 40, 3]


@pytest.mark.parametrize('scale', [1, 2, 4])
def test_grid_mask_marks_complete_tokens(scale):
    """One token is ``scale x scale`` cells, 1 where visible."""
    rows, cols = 3, 5
    token_mask = make_token_mask(torch.tensor([[0, 7, 14], [3, 4, 9]]), rows * cols)
    marked = grid_mask(token_mask, (rows, cols), scale)
    assert marked.shape == (2, 1, rows * scale, cols * scale)
    assert marked.dtype == torch.float32
    for b in range(2):
        kept = token_mask.ids_keep[b].tolist()
        for y in range(rows * scale):
            for x in range(cols * scale):
                token = y // scale * cols + x // scale
                assert marked[b, 0, y, x] == float(token in kept)
