# UPerNet over the pre-trained tiny encoder on SIRST. Name the encoder's file with
# --cfg-options model.backbone.init_cfg.checkpoint=FILE, or train from scratch with
# --cfg-options model.backbone.init_cfg=None.
_base_ = [
    '../_base_/models/upernet_convvit-tiny.py',
    '../_base_/datasets/sirst_256x256.py',
    '../_base_/seg_runtime.py',
]
model = dict(
    decode_head=dict(
        loss_decode=[
            dict(type='CrossEntropyLoss', loss_weight=1.0),
            # Dice of the target alone: it is a thousandth of the pixels.
            dict(
                type='DiceLoss',
                use_sigmoid=False,
                ignore_index=0,
                loss_weight=1.0,
            ),
        ]
    )
)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=5e-4, betas=(0.9, 0.999), weight_decay=0.05),
    constructor='LayerDecayOptimWrapperConstructor',
    paramwise_cfg=dict(layer_decay_rate=0.8),
    clip_grad=dict(max_norm=3.0),
)
max_iters = 1200
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
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=300)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    checkpoint=dict(
        interval=300, max_keep_ckpts=1, save_best='IoU.target', rule='greater'
    )
)
randomness = dict(seed=0)
auto_scale_lr = dict(base_batch_size=8)
