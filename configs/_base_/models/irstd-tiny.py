# The small-target network with the maps of the tiny encoder.
_base_ = './irstd-nano.py'
model = dict(
    backbone=dict(**_base_.encoder, in_channels=1),
    decode_head=dict(in_channels=_base_.channels.tiny),
)
