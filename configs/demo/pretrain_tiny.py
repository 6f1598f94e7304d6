# `make demo`, first half: a few steps of pre-training from the weights that ship.
_base_ = '../pretrain/dugi-mae_convvit-tiny_infrared-unlabeled.py'
max_iters = 20
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=max_iters)
train_dataloader = dict(batch_size=16, sampler=dict(type='InfiniteSampler'))
val_cfg = None
val_dataloader = None
val_evaluator = None
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=5),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        T_max=max_iters - 5,
        begin=5,
        end=max_iters,
    ),
]
default_hooks = dict(
    logger=dict(interval=10, log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=max_iters),
)
log_processor = dict(by_epoch=False)
custom_hooks = []
