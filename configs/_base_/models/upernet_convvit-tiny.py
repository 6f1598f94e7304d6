# Stock UPerNet over the tiny encoder. Only the `backbone` is ours.
_base_ = './segmentor_convvit-tiny.py'
common = dict(
    channels=64,
    dropout_ratio=0.1,
    num_classes=2,
    norm_cfg=dict(type='BN', requires_grad=True),
    align_corners=False,
)
# Settings of any head on all four maps.
four_maps = dict(
    in_channels=_base_.channels.tiny,
    in_index=[0, 1, 2, 3],
    loss_decode=dict(type='CrossEntropyLoss', loss_weight=1.0),
    **common,
)
model = dict(
    decode_head=dict(type='UPerHead', pool_scales=(1, 2, 3, 6), **four_maps),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=_base_.channels.tiny[2],
        in_index=2,
        num_convs=1,
        concat_input=False,
        loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.4),
        **common,
    ),
)
