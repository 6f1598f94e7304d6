# Stock UPerNet over the pre-trained tiny encoder on SIRST v1, to compare with `IRSTDHead`:
# same data, loss and schedule.
_base_ = [
    '../_base_/models/upernet_convvit-tiny_one-logit.py',
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
            dict(type='SoftIoULoss', per_image=False, false_alarm_weight=2.0),
        ],
    ),
)
train_dataloader = dict(dataset=dict(ann_file='idx_427/trainval.txt'))
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=0.9))
train_cfg = dict(max_iters=3500)
# The last checkpoint counts: there is nothing left to choose one by.
val_dataloader = None
val_evaluator = None
val_cfg = None
default_hooks = dict(checkpoint=dict(save_best=None))
