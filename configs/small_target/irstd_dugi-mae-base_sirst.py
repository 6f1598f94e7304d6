# Small-target head over the pre-trained base encoder on SIRST v1. Name its file with
# --cfg-options model.backbone.init_cfg.checkpoint=FILE.
_base_ = [
    '../_base_/models/irstd_convvit-base.py',
    '../_base_/datasets/small_target_sirst_256x256.py',
    '../_base_/schedules/small_target_adamw.py',
    '../_base_/small_target_runtime.py',
]
optim_wrapper = dict(optimizer=dict(lr=2e-4))
train_cfg = dict(max_iters=20000, val_interval=1000)
default_hooks = dict(checkpoint=dict(interval=1000))
