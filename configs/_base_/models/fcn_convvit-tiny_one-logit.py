# FCN on the four maps at F1's size, for one rare target class: one logit a pixel, from
# a probability of 0.01.
_base_ = './segmentor_convvit-tiny.py'
model = dict(
    decode_head=dict(
        type='FCNHead',
        input_transform='resize_concat',
        in_channels=[64, 128, 192, 192],
        in_index=[0, 1, 2, 3],
        channels=64,
        num_convs=2,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=2,
        out_channels=1,
        threshold=0.5,
        norm_cfg=dict(type='BN', requires_grad=True),
        align_corners=False,
        init_cfg=dict(
            type='Normal', std=0.01, bias=-4.6, override=dict(name='conv_seg')
        ),
        loss_decode=[
            dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
            dict(type='SoftIoULoss'),
        ],
    ),
)
