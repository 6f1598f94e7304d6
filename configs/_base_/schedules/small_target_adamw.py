# AdamW with layer decay; the learning rate falls to 0 over `max_iters`, which a config
# sets in `train_cfg`.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.999), weight_decay=0.05),
    constructor='LayerDecayOptimWrapperConstructor',
    paramwise_cfg=dict(
        layer_decay_rate=0.8,
        # Soft IoU sums probabilities: at 0.01 each, the background outweighs the targets.
        # At the common rate AdamW moves a weight by 1.75 in 3500 steps, which is too
        # little for the last layer to tell the two apart sharply.
        custom_keys={'decode_head.conv_seg': dict(lr_mult=10.0, decay_mult=0.0)},
    ),
    clip_grad=dict(max_norm=3.0),
)
param_scheduler = [
    # In 20 steps the last layer silences every pixel before the maps below tell targets
    # apart, and takes 250 steps to find back; in 100 it never does.
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=100),
    dict(type='PolyLR', power=1.0, by_epoch=False, begin=100, eta_min=0.0),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=3000, val_interval=500)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
randomness = dict(seed=0)
auto_scale_lr = dict(base_batch_size=8)
