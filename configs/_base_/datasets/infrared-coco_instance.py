# As infrared-coco_detection.py, with masks.
_base_ = './infrared-coco_detection.py'
load_masks = dict(type='LoadAnnotations', with_bbox=True, with_mask=True)
train_pipeline = [
    load_masks if step.type == 'LoadAnnotations' else step
    for step in _base_.train_pipeline
]
test_pipeline = [
    load_masks if step.type == 'LoadAnnotations' else step
    for step in _base_.test_pipeline
]
# mmdet merges boxes only.
tta_pipeline = None
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(metric=['bbox', 'segm'])
test_evaluator = val_evaluator
