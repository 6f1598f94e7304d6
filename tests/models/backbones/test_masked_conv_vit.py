"""The encoder of pre-training: sparse equals dense, and nothing masked leaks."""

from __future__ import annotations

import pytest
import torch
import toys

from dugi_mae.errors import DuGIError
from dugi_mae.models import MaskedConvViT
from dugi_mae.ops import gather_tokens, make_token_mask

IMPLS = pytest.mark.parametrize('impl', ['sparse', 'dense'])


def encoder(impl: str = 'sparse', **kwargs) -> MaskedConvViT:
    """A toy encoder with every parameter away from its start."""
    arch = dict(toys.ARCH, depths=(1, 2, 2))
    return toys.stir(toys.masked_conv_vit(arch=arch, impl=impl, **kwargs))


@pytest.mark.parametrize('count', [1, 3, 5])
@pytest.mark.parametrize(('rows', 'cols'), [(4, 4), (2, 3), (1, 6), (5, 3)])
@pytest.mark.parametrize('channels', [1, 3])
def test_sparse_equals_dense(rows, cols, count, channels):
    """Both ``impl`` agree to 1e-4, in values and in every gradient."""
    images = torch.randn(2, channels, 16 * rows, 16 * cols)
    token_mask = toys.random_mask(2, rows * cols, count)
    models = [encoder(impl, in_channels=channels) for impl in ('sparse', 'dense')]
    toys.assert_same_training(
        *models, lambda model: model(images, token_mask), rtol=1e-4, atol=1e-4
    )


@IMPLS
def test_checkpointing_changes_nothing(impl):
    """``with_cp`` gives the same tokens and gradients."""
    images, token_mask = torch.randn(1, 3, 64, 64), toys.random_mask(1, 16, 4)
    models = [encoder(impl, with_cp=cp) for cp in (False, True)]
    toys.assert_same_training(*models, lambda model: model(images, token_mask))


@IMPLS
def test_rows_follow_ids_keep(impl):
    """Row k is the token ``ids_keep[:, k]``, in whatever order these come."""
    model = encoder(impl)
    images = torch.randn(2, 3, 48, 64)
    ids = torch.stack([torch.randperm(12)[:5] for _ in range(2)])
    shuffle = torch.randperm(5)
    one = model(images, make_token_mask(ids, 12))
    two = model(images, make_token_mask(ids[:, shuffle], 12))
    assert one.shape == (2, 5, 16)
    torch.testing.assert_close(one[:, shuffle], two, rtol=0, atol=1e-5)
    assert not torch.allclose(one, two, atol=1e-3)


@IMPLS
@pytest.mark.parametrize(('rows', 'cols', 'count'), [(4, 4, 4), (3, 5, 10)])
def test_a_masked_pixel_is_never_seen(rows, cols, count, impl):
    """Whatever stands in masked places, values and gradients are the same."""
    model = encoder(impl)
    token_mask = toys.random_mask(2, rows * cols, count)
    masked = token_mask.mask.reshape(2, 1, rows, cols)
    masked = masked.repeat_interleave(16, 2).repeat_interleave(16, 3)
    images = torch.randn(2, 3, 16 * rows, 16 * cols, requires_grad=True)
    out = model(images, token_mask)
    other = images.detach() + 100 * torch.randn_like(images) * masked
    assert torch.equal(out, model(other, token_mask))
    out.square().sum().backward()
    assert (images.grad * masked == 0).all()
    assert (images.grad * (1 - masked)).abs().sum() > 0


@IMPLS
def test_with_nothing_masked_it_is_the_dense_encoder(impl):
    """All visible: the normed sum of ConvViT's F3 and its two fused finer stages."""
    masked = encoder(impl)
    dense = toys.conv_vit(arch=masked.arch._asdict()).eval()
    own = dense.state_dict()
    dense.load_state_dict({k: v for k, v in masked.state_dict().items() if k in own})
    images = torch.randn(2, 3, 64, 96)
    ids = torch.stack([torch.randperm(24) for _ in range(2)])
    got = masked(images, make_token_mask(ids, 24))
    f1, f2, f3, _ = dense(images)
    fused = f3 + masked.stage1_output_decode(f1) + masked.stage2_output_decode(f2)
    want = gather_tokens(masked.norm(fused.flatten(2).transpose(1, 2)), ids)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-4)


@IMPLS
@pytest.mark.parametrize(('batch', 'total'), [(2, 16), (1, 12), (3, 12)])
def test_a_mask_of_other_images_is_refused(batch, total, impl):
    """Another grid or batch is named, not broadcast or cut."""
    with pytest.raises(DuGIError, match='2 images of 3x4 tokens .* patch_size'):
        encoder(impl)(torch.zeros(2, 3, 48, 64), toys.random_mask(batch, total, 4))


def test_bad_impl_and_broken_patches_are_named():
    """A misspelt ``impl`` fails when built, a broken patch when seen."""
    with pytest.raises(DuGIError, match="impl='sparce'.*did you mean 'sparse'"):
        encoder('sparce')
    with pytest.raises(DuGIError, match='40x64 .* multiple of 16'):
        encoder()(torch.zeros(1, 3, 40, 64), toys.random_mask(1, 8, 2))
