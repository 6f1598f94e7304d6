# Stock Mask R-CNN with FPN over the tiny encoder.
_base_ = ['mmdet::_base_/models/mask-rcnn_r50_fpn.py', './convvit_fpn.py']
model = _base_.convvit_fpn
