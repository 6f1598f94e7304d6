# Faster R-CNN over a plain ViT-B that a MAE pre-trained, for comparison: one resolution,
# made into four by ViTPyramid.
_base_ = [
    './faster-rcnn_dugi-mae-base_fpn_m3fd-inf.py',
    '../_base_/models/mae-vit-base_fpn.py',
]
model = dict(backbone={{_base_.vit_backbone}}, neck={{_base_.vit_neck}})
