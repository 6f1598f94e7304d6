# Cascade R-CNN over a plain ViT-B that a MAE pre-trained, for comparison: one resolution,
# made into four by ViTPyramid.
_base_ = './cascade-rcnn_dugi-mae-base_fpn_m3fd-inf.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.VisionTransformer',
        arch='b',
        img_size=224,
        patch_size=16,
        out_type='featmap',
        drop_path_rate=0.1,
        init_cfg=dict(type='DuGIPretrained', checkpoint=None),
    ),
    neck=[
        dict(type='ViTPyramid', embed_dims=768),
        dict(
            type='FPN',
            in_channels=[768] * 4,
            out_channels=256,
            num_outs=5,
            norm_cfg=dict(type='BN'),
        ),
    ],
)
