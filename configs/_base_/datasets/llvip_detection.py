# LLVIP, infrared half: 12,025 training and 3,463 test images of 1280x1024; pedestrians are
# large, so 1024x832 loses little. There is no validation split: the test split is watched
# during training, and the last checkpoint is the one to report. Convert once:
#     python tools/dataset_converters/llvip.py SRC data/coco/llvip
# DUGI_COCO names another folder than data/coco.
_base_ = './infrared-coco_detection.py'
dataset_type = 'LLVIPDataset'
data_root = '{{$DUGI_COCO:data/coco}}/llvip'
scale = (1024, 832)
train_pipeline = [
    {{_base_.load_image}},
    {{_base_.load_boxes}},
    dict(type='RandomResize', scale=scale, ratio_range=(0.8, 1.25), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    {{_base_.load_image}},
    dict(type='Resize', scale=scale, keep_ratio=True),
    {{_base_.load_boxes}},
    {{_base_.pack_results}},
]
tta_pipeline = [
    {{_base_.load_image}},
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='Resize', scale=s, keep_ratio=True)
                for s in (scale, (1280, 1024))
            ],
            [dict(type='RandomFlip', prob=prob) for prob in (0.0, 1.0)],
            [{{_base_.load_boxes}}],
            [{{_base_.pack_tta}}],
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
