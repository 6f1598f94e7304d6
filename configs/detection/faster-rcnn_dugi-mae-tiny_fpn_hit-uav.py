# Faster R-CNN over the pre-trained tiny encoder on HIT-UAV, sized for an hour on one CPU
# core: crops of a quarter of an image, narrow neck and heads.
_base_ = [
    '../_base_/models/faster-rcnn_convvit-tiny_fpn.py',
    '../_base_/datasets/hit-uav_detection.py',
    '../_base_/schedules/det_adamw_36e.py',
    '../_base_/det_runtime.py',
]
model = dict(
    # Without norms in the neck, and at 4e-4, the loss grew again within four epochs.
    neck=dict(out_channels=128, norm_cfg=dict(type='GN', num_groups=16)),
    rpn_head=dict(
        in_channels=128,
        feat_channels=128,
        # Half of people are less than 15 pixels wide: anchors from 16 pixels on.
        anchor_generator=dict(scales=[4]),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=128),
        bbox_head=dict(in_channels=128, fc_out_channels=512, num_classes=4),
    ),
    train_cfg=dict(rpn_proposal=dict(nms_pre=1000), rcnn=dict(sampler=dict(num=128))),
)
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        pipeline=[
            dict(type='LoadInfraredImage'),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='RandomCrop', crop_size=(256, 320), allow_negative_crop=True),
            # Seen from above, up is any direction.
            dict(
                type='RandomFlip',
                prob=[0.25] * 3,
                direction=['horizontal', 'vertical', 'diagonal'],
            ),
            dict(type='PackDetInputs'),
        ]
    ),
)
optim_wrapper = dict(optimizer=dict(lr=2e-4), paramwise_cfg=dict(layer_decay_rate=0.9))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True, T_max=8),
]
train_cfg = dict(max_epochs=8, val_interval=4)
auto_scale_lr = dict(base_batch_size=4)
