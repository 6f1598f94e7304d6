# Stock FCN over the pre-trained tiny encoder on SIRST v1, to compare with `IRSTDHead`:
# same data and schedule.
_base_ = [
    '../_base_/models/fcn_convvit-tiny_one-logit.py',
    '../_base_/datasets/small_target_sirst_128x128.py',
    '../_base_/schedules/small_target_adamw.py',
    '../_base_/small_target_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=(128, 128)),
    # Tests see windows of the size of the crops: attention over a larger image than it
    # was trained on finds targets where there are none.
    test_cfg=dict(mode='slide', crop_size=(128, 128), stride=(64, 64)),
)
