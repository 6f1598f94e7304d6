# Small-target head over the pre-trained tiny encoder on SIRST v1, to choose settings by:
# trains on the training split alone and validates. Name the encoder's file with
# --cfg-options model.backbone.init_cfg.checkpoint=FILE.
_base_ = [
    '../_base_/models/irstd_convvit-tiny.py',
    '../_base_/datasets/small_target_sirst_128x128.py',
    '../_base_/schedules/small_target_adamw.py',
    '../_base_/small_target_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=(128, 128)),
    # Tests see windows of the size of the crops: attention over a larger image than it
    # was trained on finds targets where there are none.
    test_cfg=dict(mode='slide', crop_size=(128, 128), stride=(64, 64)),
    decode_head=dict(
        loss_decode=[
            dict(type='CrossEntropyLoss', use_sigmoid=True, class_weight=[2.0]),
            # Half of the crops aim at a target: they show five times the share of
            # target pixels that whole images have. The clutter that the others aim at
            # makes up for half of that.
            dict(type='SoftIoULoss', per_image=False, false_alarm_weight=2.0),
        ],
    ),
)
# The encoder has seen few steps of pre-training: let its early layers learn too.
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=0.9))
train_cfg = dict(max_iters=3500, val_interval=500)
