# Faster R-CNN over the pre-trained base encoder on M3FD-inf with the schedule that the paper
# prints. MCMAE's crops, jitter and heads are not taken over, see README.md.
_base_ = [
    '../_base_/models/faster-rcnn_convvit-tiny_fpn.py',
    '../_base_/datasets/m3fd-inf_detection.py',
    '../_base_/schedules/det_adamw_260k.py',
    '../_base_/det_runtime.py',
]
model = dict(**_base_.base_fpn, roi_head=dict(bbox_head=dict(num_classes=6)))
train_dataloader = dict(sampler=dict(type='InfiniteSampler'))
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=10000))
log_processor = dict(by_epoch=False)
