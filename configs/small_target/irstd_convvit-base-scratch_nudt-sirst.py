# The same from random weights, for comparison.
_base_ = './irstd_dugi-mae-base_nudt-sirst.py'
model = dict(backbone=dict(init_cfg=None))
