# Any tree of infrared images; nothing is assumed of its folders.
data_root = 'data/Inf-590K'
train_pipeline = [
    # The smallest crop, a fifth of the area, still has more than its 224 pixels a side.
    dict(type='LoadInfraredImage', reduce_to=512),
    dict(
        type='RandomResizedCrop',
        scale=224,
        crop_ratio_range=(0.2, 1.0),
        backend='cv2',
        interpolation='bicubic',
    ),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]
# As mmpretrain's inferencers want it, which load images themselves.
val_pipeline = [
    dict(type='LoadImageFromFile', backend_args=dict(backend='infrared')),
    dict(type='ResizeEdge', scale=240, edge='short', interpolation='bicubic'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=96,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='InfraredPretrainDataset',
        data_root=data_root,
        pipeline=train_pipeline,
        # Counted, listed and limited by BadFilesHook.
        skip_bad_files=True,
    ),
)
