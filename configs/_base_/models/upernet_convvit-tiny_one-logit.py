# UPerNet for one rare target class. One logit a pixel that starts at a probability of
# 0.01: the target is a thousandth of the pixels.
_base_ = './upernet_convvit-tiny.py'
one_logit = dict(
    num_classes=2,
    out_channels=1,
    threshold=0.5,
    init_cfg=dict(type='Normal', std=0.01, bias=-4.6, override=dict(name='conv_seg')),
)
cross_entropy = dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0)
model = dict(
    decode_head=dict(
        **one_logit, loss_decode=[cross_entropy, dict(type='SoftIoULoss')]
    ),
    auxiliary_head=dict(**one_logit, loss_decode=dict(cross_entropy, loss_weight=0.4)),
)
