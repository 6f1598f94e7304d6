# SIRST v1 with the authors' split: 256 train, 85 val, 86 test. Set DUGI_DATA to the
# folder that holds your data sets. Misc_111 is released with a mask of another size,
# hence on_mismatch='resize'. Images are enlarged about twice: targets are 3 to 10
# pixels wide and the encoder's finest map has stride 4. Predictions come back at, and
# are scored at, the image's own resolution.
data_root = '{{$DUGI_DATA:../shared/data}}/sirst'
load = [
    dict(type='LoadImageFromFile', backend_args=dict(backend='infrared')),
    dict(type='LoadTargetMask', on_mismatch='resize'),
]
train_pipeline = [
    *load,
    dict(
        type='RandomChoice',
        transforms=[
            [dict(type='Resize', scale_factor=s, keep_ratio=True)]
            for s in (1.5, 2.0, 2.5)
        ],
    ),
    # A crop of background alone would be one class at 100 %: it is drawn again.
    dict(type='RandomCrop', crop_size=(256, 256), cat_max_ratio=0.9999),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomFlip', prob=0.5, direction='vertical'),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    load[0],
    dict(type='Resize', scale_factor=2.0, keep_ratio=True),
    load[1],
    dict(type='PackSegInputs'),
]
tta_pipeline = [
    load[0],
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='Resize', scale_factor=s, keep_ratio=True)
                for s in (1.5, 2.0, 2.5)
            ],
            [dict(type='RandomFlip', prob=p) for p in (0.0, 1.0)],
            [load[1]],
            [dict(type='PackSegInputs')],
        ],
    ),
]
dataset = dict(type='SIRSTDataset', data_root=data_root)
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(dataset, ann_file='idx_427/train.txt', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(dataset, ann_file='idx_427/val.txt', pipeline=test_pipeline),
)
test_dataloader = dict(
    val_dataloader, dataset=dict(val_dataloader['dataset'], ann_file='idx_427/test.txt')
)
val_evaluator = dict(type='ClassIoUMetric', iou_metrics=['mIoU', 'mFscore'])
test_evaluator = val_evaluator
