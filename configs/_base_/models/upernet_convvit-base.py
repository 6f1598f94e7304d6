# UPerNet of MCMAE's recipe over the base encoder.
_base_ = './upernet_convvit-tiny.py'
model = dict(
    backbone=dict(arch='base', drop_path_rate=0.2),
    decode_head=dict(in_channels=_base_.channels.base, channels=768),
    auxiliary_head=dict(in_channels=_base_.channels.base[2], channels=256),
)
# A batch spread over many GPUs leaves each too few images for statistics of its own.
sync_bn = 'torch'
