# Stock FCN over the pre-trained tiny encoder on IRSTD-1k, to compare with `IRSTDHead`:
# same data and schedule.
_base_ = [
    '../_base_/models/fcn_convvit-tiny_one-logit.py',
    '../_base_/datasets/small_target_irstd1k_256x256.py',
    '../_base_/schedules/small_target_adamw.py',
    '../_base_/small_target_runtime.py',
]
train_cfg = dict(max_iters=20000, val_interval=1000)
default_hooks = dict(checkpoint=dict(interval=1000, save_best=None))
