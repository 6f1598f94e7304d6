# DuGI-MAE, tiny encoder, on a small unlabelled folder: about an hour on 2 CPU cores
# for 2,600 images. Departs from the paper's recipe where so few steps need it: small
# batches and a higher learning rate.
_base_ = [
    '../_base_/models/dugi-mae_convvit-tiny.py',
    '../_base_/datasets/infrared-unlabeled_bs32.py',
    '../_base_/schedules/pretrain_adamw_400e.py',
    '../_base_/pretrain_runtime.py',
]
max_epochs = 16
warmup_epochs = 1
optim_wrapper = dict(optimizer=dict(lr=1e-3), clip_grad=dict(max_norm=3.0))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-2,
        by_epoch=True,
        begin=0,
        end=warmup_epochs,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs - warmup_epochs,
        by_epoch=True,
        begin=warmup_epochs,
        end=max_epochs,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=max_epochs, val_interval=2)
default_hooks = dict(logger=dict(interval=20))
auto_scale_lr = dict(base_batch_size=32)
