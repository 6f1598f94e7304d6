# SIRST v1 at its own scale, for heads that restore full resolution.
_base_ = './sirst_256x256.py'
train_pipeline = [
    *_base_.load,
    # Never smaller: targets of 2 or 3 pixels would vanish.
    dict(
        type='RandomChoice',
        transforms=[
            [dict(type='Resize', scale_factor=s, keep_ratio=True)]
            for s in (1.0, 1.25, 1.5)
        ],
    ),
    dict(type='SmallTargetCrop', crop_size=(256, 256), prob=0.5),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomFlip', prob=0.5, direction='vertical'),
    dict(type='PackSegInputs'),
]
test_pipeline = [*_base_.load, dict(type='PackSegInputs')]
tta_pipeline = [
    _base_.load[0],
    dict(
        type='TestTimeAug',
        transforms=[
            # The scales of training: what is taken for a target at one of them often is
            # not at the others.
            [
                dict(type='Resize', scale_factor=s, keep_ratio=True)
                for s in (1.0, 1.25, 1.5)
            ],
            # One list: of two flips in a row the hosts undo the second alone.
            [
                dict(type='RandomFlip', prob=0.0),
                dict(type='RandomFlip', prob=1.0, direction='horizontal'),
                dict(type='RandomFlip', prob=1.0, direction='vertical'),
            ],
            [_base_.load[1]],
            [dict(type='PackSegInputs')],
        ],
    ),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_evaluator = dict(_delete_=True, type='SmallTargetMetric')
test_evaluator = val_evaluator
