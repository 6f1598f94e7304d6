# The same from random weights, for comparison.
_base_ = './irstd_dugi-mae-base_sirst.py'
model = dict(backbone=dict(init_cfg=None))
