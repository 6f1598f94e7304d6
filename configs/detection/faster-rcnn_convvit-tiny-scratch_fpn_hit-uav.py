# The same from random weights, for comparison.
_base_ = './faster-rcnn_dugi-mae-tiny_fpn_hit-uav.py'
model = dict(backbone=dict(init_cfg=None))
