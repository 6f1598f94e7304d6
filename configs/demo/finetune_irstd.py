# `make demo`, second half: a few minutes of fine-tuning. Too short to be good.
_base_ = '../small_target/irstd_dugi-mae-tiny_sirst.py'
max_iters = 200
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=max_iters)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=10),
    dict(type='PolyLR', power=1.0, by_epoch=False, begin=10, end=max_iters),
]
default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(interval=max_iters),
)
custom_hooks = []
