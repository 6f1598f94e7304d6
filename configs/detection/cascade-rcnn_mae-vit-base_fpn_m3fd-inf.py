# Cascade R-CNN over a plain ViT-B that a MAE pre-trained, for comparison.
_base_ = [
    './cascade-rcnn_dugi-mae-base_fpn_m3fd-inf.py',
    '../_base_/models/mae-vit-base.py',
]
model = dict(
    backbone=dict(_base_.vit_encoder, drop_path_rate=0.1),
    neck=[_base_.vit_pyramid, _base_.vit_fpn],
)
