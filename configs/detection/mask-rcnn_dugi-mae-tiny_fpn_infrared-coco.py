# Mask R-CNN over the pre-trained tiny encoder on any infrared set in COCO format whose
# annotations hold masks. Set both num_classes to the number of your classes.
_base_ = [
    '../_base_/models/mask-rcnn_convvit-tiny_fpn.py',
    '../_base_/datasets/infrared-coco_instance.py',
    '../_base_/schedules/det_adamw_36e.py',
    '../_base_/det_runtime.py',
]
model = dict(
    roi_head=dict(bbox_head=dict(num_classes=2), mask_head=dict(num_classes=2))
)
