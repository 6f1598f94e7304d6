# Faster R-CNN over the pre-trained base encoder on M3FD-inf: windowed attention.
_base_ = './faster-rcnn_dugi-mae-tiny_fpn_m3fd-inf.py'
model = dict(
    backbone=dict(arch='base', window_size=16, rel_pos_bias=True),
    neck=dict(in_channels=[256, 384, 768, 768]),
)
