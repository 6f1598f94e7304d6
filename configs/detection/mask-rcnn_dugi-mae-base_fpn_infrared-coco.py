# Mask R-CNN over the pre-trained base encoder on any infrared set in COCO format whose
# annotations hold masks: windowed attention.
_base_ = './mask-rcnn_dugi-mae-tiny_fpn_infrared-coco.py'
model = dict(
    backbone=dict(arch='base', window_size=16, rel_pos_bias=True),
    neck=dict(in_channels=[256, 384, 768, 768]),
)
