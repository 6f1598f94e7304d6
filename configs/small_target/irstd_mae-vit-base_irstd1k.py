# Small-target head over a plain ViT-B that a MAE pre-trained, on IRSTD-1k, for comparison.
_base_ = ['./irstd_dugi-mae-base_irstd1k.py', '../_base_/models/mae-vit-base.py']
model = dict(
    backbone=_base_.vit_encoder,
    neck=_base_.vit_pyramid,
    decode_head=dict(in_channels=[*_base_.vit_channels, 3]),
)
