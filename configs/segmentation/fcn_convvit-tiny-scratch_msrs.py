# FCN over the tiny encoder on MSRS from random weights, to compare with the
# pre-trained one.
_base_ = [
    '../_base_/models/fcn_convvit-tiny.py',
    '../_base_/datasets/msrs_480x640.py',
    '../_base_/schedules/seg_adamw_20k.py',
    '../_base_/seg_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=(480, 512)),
    backbone=dict(init_cfg=None),
    decode_head=dict(num_classes=9),
    auxiliary_head=dict(num_classes=9),
)
