# Stock Cascade R-CNN with FPN over the tiny encoder: only preprocessor, `backbone` and
# widths are ours.
_base_ = 'mmdet::_base_/models/cascade-rcnn_r50_fpn.py'
model = dict(
    data_preprocessor=dict(
        # Those of pre-training.
        mean=[108.375] * 3,
        std=[51.0] * 3,
        bgr_to_rgb=False,
    ),
    backbone=dict(
        _delete_=True,
        type='mmpretrain.ConvViT',
        arch='tiny',
        drop_path_rate=0.1,
        init_cfg=dict(type='DuGIPretrained', checkpoint=None),
    ),
    # The encoder has no output norms: its later maps are a dozen times as large as its
    # first one, and most of each is the same everywhere. As in MCMAE the neck evens
    # them out.
    neck=dict(in_channels=[64, 128, 192, 192], norm_cfg=dict(type='BN')),
)
