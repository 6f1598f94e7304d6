# UPerNet over a plain ViT-B that a MAE pre-trained, on MSRS, for comparison: one resolution,
# made into four by ViTPyramid.
_base_ = './upernet_dugi-mae-base_msrs.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.VisionTransformer',
        arch='b',
        img_size=224,
        patch_size=16,
        out_type='featmap',
        drop_path_rate=0.2,
        init_cfg=dict(type='DuGIPretrained', checkpoint=None),
    ),
    neck=dict(type='ViTPyramid', embed_dims=768),
    decode_head=dict(in_channels=[768] * 4),
)
