# UPerNet over a plain ViT-B that a MAE pre-trained, on MSRS, for comparison.
_base_ = ['./upernet_dugi-mae-base_msrs.py', '../_base_/models/mae-vit-base.py']
model = dict(
    backbone=_base_.vit_encoder,
    neck=_base_.vit_pyramid,
    decode_head=dict(in_channels=_base_.vit_channels),
)
