# UPerNet over the pre-trained tiny encoder on SIRST. Name the encoder's file with
# --cfg-options model.backbone.init_cfg.checkpoint=FILE, or train from scratch with
# --cfg-options model.backbone.init_cfg=None.
_base_ = [
    '../_base_/models/upernet_convvit-tiny.py',
    '../_base_/datasets/sirst_256x256.py',
    '../_base_/seg_runtime.py',
]
# One logit a pixel that starts at a probability of 0.01: the target is a thousandth of
# the pixels.
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
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.999), weight_decay=0.05),
    constructor='LayerDecayOptimWrapperConstructor',
    paramwise_cfg=dict(layer_decay_rate=0.8),
    clip_grad=dict(max_norm=3.0),
)
max_iters = 800
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=50),
    dict(
        type='PolyLR',
        power=1.0,
        by_epoch=False,
        begin=50,
        end=max_iters,
        eta_min=0.0,
    ),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=200)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    checkpoint=dict(
        interval=200, max_keep_ckpts=1, save_best='IoU.target', rule='greater'
    )
)
randomness = dict(seed=0)
auto_scale_lr = dict(base_batch_size=8)
