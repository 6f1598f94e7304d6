# What the plain ViT-B rows put into a detector: an encoder that a MAE pre-trained, whose
# one resolution ViTPyramid makes into four.
vit_backbone = dict(
    _delete_=True,
    type='mmpretrain.VisionTransformer',
    arch='b',
    img_size=224,
    patch_size=16,
    out_type='featmap',
    drop_path_rate=0.1,
    init_cfg=dict(type='DuGIPretrained', checkpoint=None),
)
vit_neck = [
    dict(type='ViTPyramid', embed_dims=768),
    dict(
        type='FPN',
        in_channels=[768] * 4,
        out_channels=256,
        num_outs=5,
        norm_cfg=dict(type='BN'),
    ),
]
