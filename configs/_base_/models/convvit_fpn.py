# What turns mmdet's stock two-stage detectors into ours: `convvit_fpn` is the tiny
# encoder, `base_fpn` on top of it the base encoder with windowed attention.
_base_ = './convvit.py'
convvit_fpn = dict(
    data_preprocessor=dict(**_base_.statistics, bgr_to_rgb=False),
    backbone=dict(_delete_=True, **_base_.encoder),
    # The encoder has no output norms: its later maps are a dozen times as large as its
    # first one, and most of each is the same everywhere. As in MCMAE the neck evens
    # them out.
    neck=dict(in_channels=_base_.channels.tiny, norm_cfg=dict(type='BN')),
)
base_fpn = dict(
    backbone=dict(arch='base', window_size=16, rel_pos_bias=True),
    neck=dict(in_channels=_base_.channels.base),
)
