# The same from random weights, for comparison.
_base_ = './faster-rcnn_dugi-mae-base_fpn_m3fd-inf.py'
model = dict(backbone=dict(init_cfg=None))
