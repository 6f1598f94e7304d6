"""The guidance blocks against the printed equations with an explicit softmax."""

from __future__ import annotations

import math

import pytest
import torch
import toys

from dugi_mae.errors import DuGIError
from dugi_mae.models import DualDomainGuidance
from dugi_mae.ops import make_token_mask

DIM, HEADS = 16, 2


def guide(**kwargs) -> DualDomainGuidance:
    """A guidance 16 wide with every parameter away from its start."""
    return toys.stir(DualDomainGuidance(DIM, HEADS, **kwargs), 0.2)


def norm(x, module):
    """LayerNorm by its formula, eps 1e-6."""
    centred = x - x.mean(dim=-1, keepdim=True)
    scale = (centred.square().mean(dim=-1, keepdim=True) + 1e-6).sqrt()
    return centred / scale * module.weight.double() + module.bias.double()


def linear(x, module):
    """``x W^T + b``."""
    out = x @ module.weight.double().T
    return out if module.bias is None else out + module.bias.double()


def attention(q, k, v):
    """``softmax(Q K^T / sqrt(d_k)) V``, query by query and head by head."""
    out = torch.zeros_like(q)
    size = DIM // HEADS
    for b in range(q.shape[0]):
        for h in range(HEADS):
            part = slice(h * size, (h + 1) * size)
            for i in range(q.shape[1]):
                scores = k[b, :, part] @ q[b, i, part] / math.sqrt(size)
                weights = (scores - scores.max()).exp()
                out[b, i, part] = (weights / weights.sum()) @ v[b, :, part]
    return out


def mlp(x, block):
    """``y + MLP(LN(y))``."""
    hidden = linear(norm(x, block.norm_mlp), block.mlp.fc1)
    hidden = hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2)))
    return x + linear(hidden, block.mlp.fc2)


def naive_inject(block, z, f):
    """Eq. 5, block 1: ``softmax(Q (K_s + K_f)^T / sqrt(d_k)) (V_s + V_f)``."""
    zn, fn = norm(z, block.norm_tokens), norm(f, block.norm_frequency)
    k = linear(zn, block.key) + linear(fn, block.key_frequency)
    v = linear(zn, block.value) + linear(fn, block.value_frequency)
    out = attention(linear(zn, block.query), k, v)
    return mlp(z + linear(out, block.proj), block)


def naive_refine(block, z, y):
    """Later blocks: query Z, key and value from Z + y."""
    source = norm(z + y, block.norm_guided)
    q = linear(norm(z, block.norm_query), block.query)
    out = attention(q, linear(source, block.key), linear(source, block.value))
    return mlp(z + linear(out, block.proj), block)


@pytest.mark.parametrize('depth', [1, 2, 3])
@pytest.mark.parametrize(('rows', 'cols', 'count'), [(4, 4, 4), (2, 3, 5)])
def test_blocks_equal_the_equations(rows, cols, count, depth):
    """Injection first, refinement after it, the last block's output comes out."""
    guidance = guide(depth=depth)
    images = torch.randn(2, 3, 16 * rows, 16 * cols)
    token_mask = toys.random_mask(2, rows * cols, count)
    z = torch.randn(2, count, DIM)
    with torch.no_grad():
        frequency = guidance.afdm(z, images, token_mask).double()
        want = naive_inject(guidance.inject, z.double(), frequency)
        assert len(guidance.refine) == depth - 1
        for block in guidance.refine:
            want = naive_refine(block, z.double(), want)
        got = guidance(z, images, token_mask)
    assert got.shape == (2, count, DIM)
    torch.testing.assert_close(got, want.float(), rtol=0, atol=1e-4)


def test_three_blocks_by_default():
    """The paper's depth, and separate weights for what comes from the frequency."""
    guidance = DualDomainGuidance(DIM, HEADS)
    assert 1 + len(guidance.refine) == 3
    inject = guidance.inject
    assert inject.key.weight.shape == inject.key_frequency.weight.shape == (DIM, DIM)
    assert inject.key.weight is not inject.key_frequency.weight
    assert inject.value.weight is not inject.value_frequency.weight
    assert inject.mlp.fc1.out_features == 4 * DIM


@pytest.mark.parametrize('num_extra', [1, 2])
def test_extra_tokens_pass_unchanged(num_extra):
    """Tokens without a place are split off, put back, and guide nobody."""
    guidance = guide(num_extra_tokens=num_extra)
    images, token_mask = torch.randn(2, 3, 48, 48), toys.random_mask(2, 9, 4)
    tokens = torch.randn(2, num_extra + 4, DIM)
    out = guidance(tokens, images, token_mask)
    assert torch.equal(out[:, :num_extra], tokens[:, :num_extra])
    plain = guide()
    plain.load_state_dict(guidance.state_dict())
    assert torch.equal(
        out[:, num_extra:], plain(tokens[:, num_extra:], images, token_mask)
    )


def test_rows_stay_with_their_places():
    """Visible tokens and ``ids_keep`` permuted together give permuted guidance."""
    guidance = guide()
    images, tokens = torch.randn(1, 3, 48, 48), torch.randn(1, 5, DIM)
    ids, shuffle = torch.randperm(9)[:5][None], torch.randperm(5)
    one = guidance(tokens, images, make_token_mask(ids, 9))
    two = guidance(tokens[:, shuffle], images, make_token_mask(ids[:, shuffle], 9))
    torch.testing.assert_close(one[:, shuffle], two, rtol=0, atol=1e-5)
    # With the frequency tokens left behind it is another result.
    three = guidance(tokens[:, shuffle], images, make_token_mask(ids, 9))
    assert not torch.allclose(two, three, atol=1e-4)


@pytest.mark.parametrize(
    ('kwargs', 'match'),
    [
        (dict(mode='bandpass'), "mode='bandpass'"),
        (dict(depth=0), 'depth=0'),
        (dict(num_heads=3), 'num_heads=3'),
    ],
)
def test_bad_options_are_named(kwargs, match):
    """Options out of range fail when built, the filter's too."""
    with pytest.raises(DuGIError, match=match):
        DualDomainGuidance(**{'embed_dims': DIM, 'num_heads': HEADS, **kwargs})
