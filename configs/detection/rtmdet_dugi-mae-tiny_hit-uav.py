# RTMDet over the pre-trained tiny encoder on HIT-UAV: one stage, no anchors.
_base_ = [
    '../_base_/models/rtmdet_convvit-tiny.py',
    '../_base_/datasets/hit-uav_detection.py',
    '../_base_/schedules/det_adamw_36e.py',
    '../_base_/det_runtime.py',
]
model = dict(bbox_head=dict(num_classes=4))
# The head's levels share their convolutions.
optim_wrapper = dict(paramwise_cfg=dict(bypass_duplicate=True))
