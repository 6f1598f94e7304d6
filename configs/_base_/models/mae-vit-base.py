# What the plain ViT-B rows put in the encoder's place: a ViT that a MAE pre-trained, whose
# single resolution ViTPyramid turns into four.
vit_encoder = dict(
    _delete_=True,
    type='mmpretrain.VisionTransformer',
    arch='b',
    img_size=224,
    patch_size=16,
    out_type='featmap',
    drop_path_rate=0.2,
    init_cfg=dict(type='DuGIPretrained', checkpoint=None),
)
vit_pyramid = dict(type='ViTPyramid', embed_dims=768)
vit_channels = [768] * 4
# For detectors.
vit_fpn = dict(
    type='FPN',
    in_channels=vit_channels,
    out_channels=256,
    num_outs=5,
    norm_cfg=dict(type='BN'),
)
