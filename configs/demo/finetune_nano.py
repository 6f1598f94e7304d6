# `make demo`, second half: a minute of training from the weights that ship.
_base_ = '../small_target/irstd-nano_sirst.py'
steps = 60
train_dataloader = dict(batch_sampler=dict(first_iters=0))
optim_wrapper = dict(optimizer=dict(lr=5e-4))
train_cfg = dict(max_iters=steps)
val_cfg = None
val_dataloader = None
val_evaluator = None
param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=False, T_max=steps)]
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=steps))
custom_hooks = [dict(type='EMAHook', momentum=0.05, update_buffers=True)]
