# Cascade R-CNN over the pre-trained tiny encoder on HIT-UAV.
_base_ = [
    '../_base_/models/cascade-rcnn_convvit-tiny_fpn.py',
    '../_base_/datasets/hit-uav_detection.py',
    '../_base_/schedules/det_adamw_36e.py',
    '../_base_/det_runtime.py',
]
model = dict(
    # Half of people are at most 11 pixels wide: anchors from 12 pixels on.
    rpn_head=dict(anchor_generator=dict(scales=[3, 5])),
    roi_head=dict(
        bbox_head=[
            dict(
                type='Shared2FCBBoxHead',
                in_channels=256,
                fc_out_channels=1024,
                roi_feat_size=7,
                num_classes=4,
                reg_class_agnostic=True,
                bbox_coder=dict(
                    type='DeltaXYWHBBoxCoder',
                    target_stds=[0.1 / i, 0.1 / i, 0.2 / i, 0.2 / i],
                ),
                loss_cls=dict(type='CrossEntropyLoss'),
                loss_bbox=dict(type='SmoothL1Loss', beta=1.0),
            )
            for i in (1, 2, 3)
        ]
    ),
)
