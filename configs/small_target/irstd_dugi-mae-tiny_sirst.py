# The small-target network with the pre-trained tiny encoder on SIRST v1. Name its file
# with --cfg-options model.backbone.init_cfg.checkpoint=FILE.
_base_ = ['../_base_/models/irstd-tiny.py', '../_base_/small_target.py']
# The encoder knows something already.
optim_wrapper = dict(
    constructor='LayerDecayOptimWrapperConstructor',
    paramwise_cfg=dict(
        layer_decay_rate=0.9, custom_keys=dict(backbone=dict(lr_mult=0.3))
    ),
)
