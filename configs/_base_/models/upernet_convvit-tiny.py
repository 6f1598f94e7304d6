# Stock UPerNet over the tiny encoder: trained on crops, tested in windows of 512 pixels
# that overlap by a third. Only the `backbone` is ours.
_base_ = './convvit.py'
common = dict(
    channels=64,
    dropout_ratio=0.1,
    num_classes=2,
    norm_cfg=dict(type='BN', requires_grad=True),
    align_corners=False,
)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        **_base_.statistics,
        # In units of the normalised image: mmseg pads after normalising.
        pad_val=0,
        seg_pad_val=255,
        size=(512, 512),
    ),
    backbone=_base_.encoder,
    decode_head=dict(
        type='UPerHead',
        in_channels=_base_.channels.tiny,
        in_index=[0, 1, 2, 3],
        pool_scales=(1, 2, 3, 6),
        loss_decode=dict(type='CrossEntropyLoss', loss_weight=1.0),
        **common,
    ),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=_base_.channels.tiny[2],
        in_index=2,
        num_convs=1,
        concat_input=False,
        loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.4),
        **common,
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(341, 341)),
)
