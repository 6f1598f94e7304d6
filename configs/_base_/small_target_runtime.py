# mmseg's runtime; the best checkpoint by the validation split's IoU is kept.
_base_ = './seg_runtime.py'
default_hooks = dict(
    checkpoint=dict(
        interval=500, max_keep_ckpts=1, save_best='small_target/IoU', rule='greater'
    )
)
tta_model = dict(type='SmallTargetTTAModel')
