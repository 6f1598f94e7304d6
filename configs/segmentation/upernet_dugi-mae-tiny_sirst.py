# UPerNet over the pre-trained tiny encoder on SIRST. Name the encoder's file with
# --cfg-options model.backbone.init_cfg.checkpoint=FILE, or train from scratch with
# --cfg-options model.backbone.init_cfg=None.
_base_ = [
    '../_base_/models/upernet_convvit-tiny_one-logit.py',
    '../_base_/datasets/sirst_256x256.py',
    '../_base_/schedules/small_target_adamw.py',
    '../_base_/seg_runtime.py',
]
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=50),
    dict(type='PolyLR', power=1.0, by_epoch=False, begin=50, eta_min=0.0),
]
train_cfg = dict(max_iters=800, val_interval=200)
default_hooks = dict(
    checkpoint=dict(
        interval=200, max_keep_ckpts=1, save_best='IoU.target', rule='greater'
    )
)
tta_model = dict(_delete_=True, type='SmallTargetTTAModel')
