"""The plain ViT with an outside mask."""

from __future__ import annotations

import pytest
import torch
from mmpretrain.models.selfsup.mae import MAEViT
from torch.nn import functional as F
from toys import VIT

from dugi_mae.errors import DuGIError
from dugi_mae.mm.mae_vit import MaskedMAEViT
from dugi_mae.ops import make_token_mask


def vit(cls=MaskedMAEViT, **kwargs):
    """A toy ViT, weights drawn as for training."""
    model = cls(arch=VIT, img_size=64, **kwargs)
    model.init_weights()
    model.eval()
    return model


def test_equals_the_stock_one_on_its_own_mask():
    """Given the mask the stock MAEViT drew, the latent is the same."""
    stock, ours = vit(MAEViT), vit()
    ours.load_state_dict(stock.state_dict())
    images = torch.randn(2, 3, 64, 64)
    latent, mask, ids_restore = stock(images)
    ids_keep = ids_restore.argsort(dim=1)[:, :4]
    token_mask = make_token_mask(ids_keep, 16)
    assert torch.equal(token_mask.mask, mask)
    got = ours(images, token_mask)
    assert got.shape == (2, 1 + 4, 16)
    torch.testing.assert_close(got, latent, rtol=0, atol=1e-5)


def test_a_masked_pixel_is_never_seen():
    """Only visible patches enter; the class token stands first."""
    model = vit()
    token_mask = make_token_mask(torch.tensor([[5, 0, 10]]), 16)
    images = torch.randn(1, 3, 64, 64)
    masked = token_mask.mask.reshape(1, 1, 4, 4)
    masked = masked.repeat_interleave(16, 2).repeat_interleave(16, 3)
    other = images + 10 * torch.randn_like(images) * masked
    assert torch.equal(model(images, token_mask), model(other, token_mask))
    assert model.num_extra_tokens == 1


@pytest.mark.parametrize(('height', 'width'), [(32, 96), (80, 48)])
def test_non_square_images(height, width):
    """The tokens are those of a ViT that has the interpolated positions as its own."""
    # The stock init_weights knows squares only.
    model, other = vit(), MaskedMAEViT(arch=VIT, img_size=(height, width))
    model.pos_embed.data.normal_()
    grid = height // 16, width // 16
    cls_position, position = model.pos_embed.data.split([1, 16], dim=1)
    maps = position.unflatten(1, (4, 4)).permute(0, 3, 1, 2)
    maps = F.interpolate(maps, grid, mode='bicubic', align_corners=False)
    position = maps.flatten(2).transpose(1, 2)
    for name, value in model.named_parameters():
        if name != 'pos_embed':
            other.get_parameter(name).data.copy_(value)
    other.pos_embed.data = torch.cat([cls_position, position], dim=1)

    total = grid[0] * grid[1]
    token_mask = make_token_mask(torch.randperm(total)[:3][None], total)
    images = torch.randn(1, 3, height, width)
    got = model(images, token_mask)
    assert got.shape == (1, 4, 16)
    torch.testing.assert_close(got, other(images, token_mask))


def test_inputs_that_do_not_fit_are_refused():
    """Broken patches, and a mask of another grid or batch: not broadcast or cut."""
    token_mask = make_token_mask(torch.tensor([[0]]), 4)
    with pytest.raises(DuGIError, match='40x32.*multiple of 16'):
        vit()(torch.zeros(1, 3, 40, 32), token_mask)
    for batch, total in ((2, 16), (1, 12), (3, 12)):
        token_mask = make_token_mask(torch.arange(4).expand(batch, -1), total)
        with pytest.raises(DuGIError, match='2 images of 3x4 tokens .*patch_size'):
            vit()(torch.zeros(2, 3, 48, 64), token_mask)


@pytest.mark.parametrize('where', ['argument', 'patch_cfg'])
def test_other_channels(where):
    """``in_channels``, which the stock class only takes inside ``patch_cfg``."""
    kwargs = dict(in_channels=1)
    model = vit(**(kwargs if where == 'argument' else dict(patch_cfg=kwargs)))
    assert (model.in_channels, model.patch_size, model.num_heads) == (1, 16, 2)
    token_mask = make_token_mask(torch.tensor([[0, 2]]), 4)
    assert model(torch.zeros(1, 1, 32, 32), token_mask).shape == (1, 3, 16)


def test_pretrained_weights_survive_init_weights(tmp_path):
    """``init_cfg`` of type ``Pretrained`` is not overwritten by fresh positions."""
    source = vit()
    source.pos_embed.data.normal_()
    source.cls_token.data.normal_()
    path = tmp_path / 'vit.pth'
    torch.save(source.state_dict(), path)
    loaded = MaskedMAEViT(
        arch=VIT, img_size=64, init_cfg=dict(type='Pretrained', checkpoint=str(path))
    )
    loaded.init_weights()
    for name, value in source.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
