# Cascade R-CNN over the pre-trained tiny encoder on any infrared set in COCO format.
# Set num_classes to the number of your classes.
_base_ = [
    '../_base_/models/cascade-rcnn_convvit-tiny_fpn.py',
    '../_base_/datasets/infrared-coco_detection.py',
    '../_base_/schedules/det_adamw_36e.py',
    '../_base_/det_runtime.py',
]
model = dict(
    roi_head=dict(
        bbox_head=[dict(h, num_classes=2) for h in _base_.model.roi_head.bbox_head]
    ),
)
