# FCN over the pre-trained base encoder on SODA. Name the encoder's file with
# --cfg-options model.backbone.init_cfg.checkpoint=FILE.
_base_ = [
    '../_base_/models/fcn_convvit-base.py',
    '../_base_/datasets/soda_480x640.py',
    '../_base_/schedules/seg_adamw_160k.py',
    '../_base_/seg_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=(480, 512)),
    decode_head=dict(num_classes=21),
    auxiliary_head=dict(num_classes=21),
)
