# Any set with label maps of class numbers: DUGI_DATA/my_set/{images,labels}/, names of
# the images in train.txt, val.txt and test.txt. Name your classes in the config, see
# configs/segmentation/upernet_dugi-mae-tiny_custom.py. Training takes crops of 512
# pixels, testing complete images at their own size, in windows.
data_root = '{{$DUGI_DATA:../shared/data}}/my_set'
# 8-bit, 16-bit, grey, colour: all become three equal channels. For models with one
# channel add color_type='grayscale'.
load_image = dict(type='LoadImageFromFile', backend_args=dict(backend='infrared'))
train_pipeline = [
    load_image,
    dict(type='LoadAnnotations'),
    dict(
        type='RandomResize', scale=(2048, 512), ratio_range=(0.5, 2.0), keep_ratio=True
    ),
    dict(type='RandomCrop', crop_size=(512, 512), cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='InfraredBrightnessContrast'),
    dict(type='PackSegInputs'),
]
test_pipeline = [load_image, dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
tta_pipeline = [
    load_image,
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='Resize', scale_factor=s, keep_ratio=True)
                for s in (0.75, 1.0, 1.25)
            ],
            [dict(type='RandomFlip', prob=p) for p in (0.0, 1.0)],
            [dict(type='LoadAnnotations')],
            [dict(type='PackSegInputs')],
        ],
    ),
]
dataset = dict(
    type='LabelMapDataset',
    data_root=data_root,
    data_prefix=dict(img_path='images', seg_map_path='labels'),
)
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(dataset, ann_file='train.txt', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(dataset, ann_file='val.txt', pipeline=test_pipeline),
)
test_dataloader = dict(
    val_dataloader, dataset=dict(val_dataloader['dataset'], ann_file='test.txt')
)
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
