# Faster R-CNN over the pre-trained base encoder on any infrared set in COCO format:
# windowed attention. `model = _base_.base_fpn` does the same for Mask R-CNN.
_base_ = './faster-rcnn_dugi-mae-tiny_fpn_infrared-coco.py'
model = _base_.base_fpn
