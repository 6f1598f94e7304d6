# As infrared-coco_detection.py, with masks.
_base_ = './infrared-coco_detection.py'
load_masks = dict(type='LoadAnnotations', with_bbox=True, with_mask=True)
train_pipeline = [
    {{_base_.load_image}},
    load_masks,
    dict(
        type='RandomResize', scale=(640, 512), ratio_range=(0.8, 1.25), keep_ratio=True
    ),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    {{_base_.load_image}},
    dict(type='Resize', scale=(640, 512), keep_ratio=True),
    load_masks,
    {{_base_.pack_results}},
]
# mmdet merges boxes only.
tta_pipeline = None
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(metric=['bbox', 'segm'])
test_evaluator = val_evaluator
