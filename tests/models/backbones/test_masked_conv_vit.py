"""The encoder of pre-training: sparse equals dense, and nothing masked leaks."""

from __future__ import annotations

import pytest
import torch

from dugi_mae.errors import DuGIError
from dugi_mae.models import ConvViT, MaskedConvViT
from dugi_mae.ops import gather_tokens, make_token_mask

ARCH = dict(embed_dims=(8, 12, 16), depths=(1, 2, 2), num_heads=2)


def toy(impl: str = 'sparse', **kwargs) -> MaskedConvViT:
    """A toy encoder with every parameter away from its start."""
    model = MaskedConvViT(ARCH, impl=impl, img_size=64, **kwargs)
    generator = torch.Generator().manual_seed(7)
    for name, p in model.named_parameters():
        if name != 'pos_embed':
            p.data += 0.1 * torch.randn(p.shape, generator=generator)
    return model


def test_train_and_eval_return_the_model():
    """``model.eval()(x)`` works, as with any torch module."""
    model = toy()
    assert model.eval() is model
    assert model.train() is model


@pytest.mark.parametrize('count', [1, 3, 5])
@pytest.mark.parametrize(('rows', 'cols'), [(4, 4), (2, 3), (1, 6), (5, 3)])
@pytest.mark.parametrize('channels', [1, 3])
def test_sparse_equals_dense(rows, cols, count, channels, random_mask):
    """Both ``impl`` agree to 1e-4, in values and in every gradient."""
    images = torch.randn(2, channels, 16 * rows, 16 * cols)
    token_mask = random_mask(2, rows * cols, count)
    results = {}
    for impl in ('sparse', 'dense'):
        model = toy(impl, in_channels=channels)
        if results:
            model.load_state_dict(results['sparse'][0].state_dict())
        out = model(images, token_mask)
        weight = torch.linspace(-1, 1, out.numel()).view_as(out)
        (out * weight).sum().backward()
        results[impl] = model, out
    (sparse, a), (dense, b) = results['sparse'], results['dense']
    assert a.shape == (2, count, 16)
    torch.testing.assert_close(a, b, rtol=0, atol=1e-4)
    gradients = dict(dense.named_parameters())
    for name, p in sparse.named_parameters():
        if p.requires_grad:
            torch.testing.assert_close(
                p.grad, gradients[name].grad, rtol=1e-4, atol=1e-4, msg=name
            )


@pytest.mark.parametrize('impl', ['sparse', 'dense'])
def test_rows_follow_ids_keep(impl):
    """Row k is the token ``ids_keep[:, k]``, in whatever order these come."""
    model = toy(impl)
    images = torch.randn(2, 3, 48, 64)
    ids = torch.stack([torch.randperm(12)[:5] for _ in range(2)])
    shuffle = torch.randperm(5)
    one = model(images, make_token_mask(ids, 12))
    two = model(images, make_token_mask(ids[:, shuffle], 12))
    torch.testing.assert_close(one[:, shuffle], two, rtol=0, atol=1e-5)
    assert not torch.allclose(one, two, atol=1e-3)


@pytest.mark.parametrize('impl', ['sparse', 'dense'])
@pytest.mark.parametrize(('rows', 'cols', 'count'), [(4, 4, 4), (3, 5, 10)])
def test_a_masked_pixel_is_never_seen(rows, cols, count, impl, random_mask):
    """Whatever stands in masked places, values and gradients are the same."""
    model = toy(impl)
    token_mask = random_mask(2, rows * cols, count)
    masked = token_mask.mask.reshape(2, 1, rows, cols)
    masked = masked.repeat_interleave(16, 2).repeat_interleave(16, 3)
    images = torch.randn(2, 3, 16 * rows, 16 * cols, requires_grad=True)
    out = model(images, token_mask)
    other = images.detach() + 100 * torch.randn_like(images) * masked
    assert torch.equal(out, model(other, token_mask))
    out.square().sum().backward()
    assert (images.grad * masked == 0).all()
    assert (images.grad * (1 - masked)).abs().sum() > 0


@pytest.mark.parametrize('impl', ['sparse', 'dense'])
def test_with_nothing_masked_it_is_the_dense_encoder(impl):
    """All visible: the normed sum of ConvViT's F3 and its two fused finer stages."""
    masked = toy(impl)
    dense = ConvViT(ARCH, img_size=64).eval()
    own = dense.state_dict()
    dense.load_state_dict({k: v for k, v in masked.state_dict().items() if k in own})
    images = torch.randn(2, 3, 64, 96)
    ids = torch.stack([torch.randperm(24) for _ in range(2)])
    got = masked(images, make_token_mask(ids, 24))
    f1, f2, f3, _ = dense(images)
    fused = f3 + masked.stage1_output_decode(f1) + masked.stage2_output_decode(f2)
    want = gather_tokens(masked.norm(fused.flatten(2).transpose(1, 2)), ids)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-4)


@pytest.mark.parametrize('impl', ['sparse', 'dense'])
def test_checkpointing_changes_nothing(impl, random_mask):
    """``with_cp`` gives the same tokens and gradients."""
    images, token_mask = torch.randn(1, 3, 64, 64), random_mask(1, 16, 4)
    plain, cheap = toy(impl), toy(impl, with_cp=True)
    cheap.load_state_dict(plain.state_dict())
    outs = []
    for model in (plain, cheap):
        outs.append(model(images, token_mask))
        outs[-1].square().mean().backward()
    torch.testing.assert_close(*outs)
    gradients = dict(cheap.named_parameters())
    for name, p in plain.named_parameters():
        if p.requires_grad:
            torch.testing.assert_close(p.grad, gradients[name].grad, msg=name)


@pytest.mark.parametrize('impl', ['sparse', 'dense'])
def test_images_of_a_batch_do_not_mix(impl, random_mask):
    """An image gives the same tokens alone."""
    model = toy(impl)
    images, token_mask = torch.randn(3, 3, 48, 64), random_mask(3, 12, 4)
    alone = make_token_mask(token_mask.ids_keep[:1], 12)
    torch.testing.assert_close(
        model(images, token_mask)[:1], model(images[:1], alone), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize('impl', ['sparse', 'dense'])
@pytest.mark.parametrize(('batch', 'total'), [(2, 16), (1, 12), (3, 12)])
def test_a_mask_of_other_images_is_refused(batch, total, impl, random_mask):
    """Another grid or batch is named, not broadcast or cut."""
    with pytest.raises(DuGIError, match='2 images of 3x4 tokens .* one patch_size'):
        toy(impl)(torch.zeros(2, 3, 48, 64), random_mask(batch, total, 4))


def test_bad_impl_and_broken_patches_are_named(random_mask):
    """A misspelt ``impl`` fails when built, a broken patch when seen."""
    with pytest.raises(DuGIError, match="impl='sparce'.*did you mean 'sparse'"):
        MaskedConvViT(ARCH, impl='sparce')
    with pytest.raises(DuGIError, match='40x64 .* multiple of 16'):
        toy()(torch.zeros(1, 3, 40, 64), random_mask(1, 8, 2))


def test_runs_under_autocast(random_mask):
    """Mixed precision gives finite tokens close to those of fp32, both ``impl``."""
    images, token_mask = torch.randn(1, 3, 64, 64), random_mask(1, 16, 4)
    for impl in ('sparse', 'dense'):
        model = toy(impl)
        want = model(images, token_mask)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            got = model(images, token_mask)
        assert torch.isfinite(got).all()
        assert (got.float() - want).abs().mean() < 0.1 * want.abs().mean()
