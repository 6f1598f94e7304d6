"""The maps of the encoder as a stock detector of mmdet cuts them.

That stock detectors and segmentors train with it is tested in ``test_swapping.py``.
"""

from __future__ import annotations

import pytest
import torch
import toys
from mmengine.registry import MODELS, DefaultScope

import dugi_mae.mmpretrain  # noqa: F401  registers the encoder

CONV_VIT = [dict(type='mmpretrain.ConvViT', arch=toys.ARCH, img_size=64)]
#: A plain ViT with our pyramid behind it.
VIT = [
    dict(type='mmpretrain.VisionTransformer', arch=toys.VIT, img_size=64)
    | dict(patch_size=16, out_type='featmap'),
    dict(type='ViTPyramid', embed_dims=toys.VIT['embed_dims']),
]


@pytest.mark.parametrize('parts', [CONV_VIT, VIT])
def test_regions_are_cut_from_their_place(parts):
    """RoIAlign of mmcv gives what torchvision's gives: it misreads no map of ours."""
    pytest.importorskip('mmdet')
    roi_align = pytest.importorskip('torchvision.ops').roi_align
    layer = dict(type='RoIAlign', output_size=7, sampling_ratio=0)
    extractor = dict(type='SingleRoIExtractor', roi_layer=layer, out_channels=16)
    with DefaultScope.overwrite_default_scope('mmdet'):
        *parts, extractor = map(
            MODELS.build, [*parts, extractor | dict(featmap_strides=[4])]
        )
    maps = torch.randn(2, 3, 64, 96)
    for part in parts:
        part.eval()  # mmpretrain's returns nothing
        maps = part(maps)
    rois = torch.tensor([[0, 3.2, 4.1, 40.0, 33.0], [1, 50.0, 10.0, 80.0, 60.0]])
    cut = extractor(maps[:1], rois)
    torch.testing.assert_close(cut, roi_align(maps[0], rois, 7, 1 / 4, 0, True))
