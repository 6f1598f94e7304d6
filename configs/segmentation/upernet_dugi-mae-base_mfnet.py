# UPerNet over the pre-trained base encoder on MFNet's thermal images. Name the encoder's file with
# --cfg-options model.backbone.init_cfg.checkpoint=FILE.
_base_ = [
    '../_base_/models/upernet_convvit-base.py',
    '../_base_/datasets/mfnet_480x640.py',
    '../_base_/schedules/seg_adamw_160k.py',
    '../_base_/seg_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=(480, 512)),
    decode_head=dict(num_classes=9),
    auxiliary_head=dict(num_classes=9),
)
