# Small-target head over the pre-trained tiny encoder on SIRST v1. Name its file with
# --cfg-options model.backbone.init_cfg.checkpoint=FILE.
_base_ = [
    '../_base_/models/irstd_convvit-tiny.py',
    '../_base_/datasets/small_target_sirst_128x128.py',
    '../_base_/schedules/small_target_adamw.py',
    '../_base_/small_target_runtime.py',
]
model = dict(data_preprocessor=dict(size=(128, 128)))
