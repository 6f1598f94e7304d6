# `make demo`, second half: a few minutes of fine-tuning. Too short to be good.
_base_ = '../small_target/irstd_dugi-mae-tiny_sirst.py'
first, second = 120, 40
train_dataloader = dict(
    batch_size=8, batch_sampler=dict(second_batch_size=2, first_iters=first)
)
train_cfg = dict(max_iters=first + second)
val_cfg = None
val_dataloader = None
val_evaluator = None
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=10),
    dict(
        type='CosineRestartLR',
        by_epoch=False,
        begin=10,
        periods=[first - 10, second],
        restart_weights=[1.0, 0.5],
        eta_min=0.0,
    ),
]
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=first + second))
custom_hooks = [
    dict(
        type='AveragedRestartHook',
        first_iters=first,
        momentum=0.05,
        update_buffers=True,
    )
]
