# The same from random weights, for comparison.
_base_ = './irstd_dugi-mae-tiny_irstd1k.py'
model = dict(backbone=dict(init_cfg=None))
