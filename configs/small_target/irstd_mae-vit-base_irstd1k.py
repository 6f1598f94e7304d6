# Small-target network with a plain ViT-B that a MAE pre-trained, on IRSTD-1k, for
# comparison.
_base_ = ['./irstd_dugi-mae-base_irstd1k.py', '../_base_/models/mae-vit-base.py']
model = dict(
    backbone=dict(**_base_.vit_encoder, in_channels=1),
    neck=_base_.vit_pyramid,
    decode_head=dict(in_channels=_base_.vit_channels),
)
