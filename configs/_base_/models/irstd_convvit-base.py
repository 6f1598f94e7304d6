# Small-target head with a full-resolution stem over the base encoder.
_base_ = './irstd_convvit-tiny.py'
model = dict(
    backbone=dict(arch='base', drop_path_rate=0.2),
    decode_head=dict(in_channels=[*_base_.channels.base, 3], channels=16),
)
