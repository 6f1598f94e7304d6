# SIRST v1 at its own scale with the authors' split: 256 train, 85 val, 86 test. Set
# DUGI_DATA to the folder that holds your data sets. Misc_111 is released with a mask of
# another size, hence on_mismatch='resize'.
data_root = '{{$DUGI_DATA:../shared/data}}/sirst'
load = [
    dict(type='LoadInfraredImage'),
    dict(type='LoadTargetMask', on_mismatch='resize'),
]
train_pipeline = [
    *load,
    # Never smaller: targets of 2 or 3 pixels would vanish.
    dict(
        type='RandomChoice',
        transforms=[
            [dict(type='Resize', scale_factor=s, keep_ratio=True)]
            for s in (1.0, 1.25, 1.5)
        ],
    ),
    dict(type='TargetCrop', crop_size=(256, 256), prob=0.5),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomFlip', prob=0.5, direction='vertical'),
    dict(type='PackSegInputs'),
]
test_pipeline = [*load, dict(type='PackSegInputs')]
tta_pipeline = [
    load[0],
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='RandomFlip', prob=p, direction='horizontal')
                for p in (0.0, 1.0)
            ],
            [dict(type='RandomFlip', prob=p, direction='vertical') for p in (0.0, 1.0)],
            [load[1]],
            [dict(type='PackSegInputs')],
        ],
    ),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='SIRSTDataset',
        data_root=data_root,
        ann_file='idx_427/train.txt',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='SIRSTDataset',
        data_root=data_root,
        ann_file='idx_427/val.txt',
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='SIRSTDataset',
        data_root=data_root,
        ann_file='idx_427/test.txt',
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='SmallTargetMetric')
test_evaluator = val_evaluator
