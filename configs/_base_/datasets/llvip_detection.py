# LLVIP, infrared half: 12,025 training and 3,463 test images of 1280x1024; pedestrians are
# large, so 1024x832 loses little. There is no validation split: the test split is watched
# during training, and the last checkpoint is the one to report. Convert once:
#     python tools/dataset_converters/convert_dataset.py llvip SRC data/coco/llvip
# DUGI_COCO names another folder than data/coco.
_base_ = './infrared-coco_detection.py'
dataset_type = 'LLVIPDataset'
data_root = '{{$DUGI_COCO:data/coco}}/llvip'
scale = (1024, 832)
train_pipeline = [
    dict(step, scale=scale) if 'scale' in step else step
    for step in _base_.train_pipeline
]
test_pipeline = [
    dict(step, scale=scale) if 'scale' in step else step
    for step in _base_.test_pipeline
]
tta_pipeline = [
    _base_.load_image,
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='Resize', scale=s, keep_ratio=True)
                for s in (scale, (1280, 1024))
            ],
            *_base_.tta_pipeline[1].transforms[1:],
        ],
    ),
]
train_dataloader = dict(
    dataset=dict(type=dataset_type, data_root=data_root, pipeline=train_pipeline)
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/test.json',
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + '/annotations/test.json')
test_evaluator = val_evaluator
