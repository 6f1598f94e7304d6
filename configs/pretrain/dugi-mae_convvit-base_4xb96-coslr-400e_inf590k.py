# The paper's pre-training: DuGI-MAE, base encoder, Inf-590K, 4 GPUs x 96 images.
_base_ = [
    '../_base_/models/dugi-mae_convvit-base.py',
    '../_base_/datasets/inf590k_bs96.py',
    '../_base_/schedules/pretrain_adamw_400e.py',
    '../_base_/pretrain_runtime.py',
]
default_hooks = dict(logger=dict(interval=100))
