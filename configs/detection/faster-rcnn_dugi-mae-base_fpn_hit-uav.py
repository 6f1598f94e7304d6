# Faster R-CNN over the pre-trained base encoder on HIT-UAV: windowed attention, whole
# images, the neck and the heads of mmdet.
_base_ = [
    '../_base_/models/faster-rcnn_convvit-tiny_fpn.py',
    '../_base_/datasets/hit-uav_detection.py',
    '../_base_/schedules/det_adamw_36e.py',
    '../_base_/det_runtime.py',
]
model = dict(
    backbone=dict(arch='base', window_size=16, rel_pos_bias=True),
    neck=dict(in_channels=[256, 384, 768, 768]),
    # Half of people are at most 11 pixels wide: anchors from 12 pixels on.
    rpn_head=dict(anchor_generator=dict(scales=[3, 5])),
    roi_head=dict(bbox_head=dict(num_classes=4)),
)
