# Faster R-CNN over the pre-trained base encoder on M3FD-inf: windowed attention.
_base_ = [
    '../_base_/models/faster-rcnn_convvit-tiny_fpn.py',
    '../_base_/datasets/m3fd-inf_detection.py',
    '../_base_/schedules/det_adamw_36e.py',
    '../_base_/det_runtime.py',
]
model = dict(**_base_.base_fpn, roi_head=dict(bbox_head=dict(num_classes=6)))
