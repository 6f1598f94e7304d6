# mmseg's runtime; the best checkpoint by the validation split's IoU is kept.
_base_ = './seg_runtime.py'
default_hooks = dict(
    checkpoint=dict(
        interval=500, max_keep_ckpts=1, save_best='small_target/IoU', rule='greater'
    )
)
# Weights averaged over the last tenth of the steps so far: what single checkpoints take
# for targets in clutter changes from one to the next.
custom_hooks = [
    dict(type='EMAHook', ema_type='MomentumAnnealingEMA', gamma=10, update_buffers=True)
]
tta_model = dict(type='SmallTargetTTAModel')
