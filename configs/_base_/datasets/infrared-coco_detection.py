# Any infrared set in COCO format: DUGI_COCO/my_set/annotations/{train,val}.json and
# DUGI_COCO/my_set/images/, DUGI_COCO being a folder you name in the environment, by
# default data/coco in this checkout. tools/dataset_converters/convert_dataset.py writes this
# layout. The classes are those of the annotation file; set num_classes of the model to
# their number, or choose some with dataset.metainfo=dict(classes=('name', ...)).
# Images without boxes stay in; filter_cfg=dict(filter_empty_gt=True) would drop them.
data_root = '{{$DUGI_COCO:data/coco}}/my_set'
# 8-bit, 16-bit, grey, colour: all become three equal channels, so only geometric
# augmentation is used. For models with one channel add color_type='grayscale'.
load_image = dict(type='LoadImageFromFile', backend_args=dict(backend='infrared'))
load_boxes = dict(type='LoadAnnotations', with_bbox=True)
pack_results = dict(
    type='PackDetInputs',
    meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
)
pack_tta = dict(
    type='PackDetInputs',
    meta_keys=(*pack_results['meta_keys'], 'flip', 'flip_direction'),
)
train_pipeline = [
    load_image,
    load_boxes,
    dict(
        type='RandomResize', scale=(640, 512), ratio_range=(0.8, 1.25), keep_ratio=True
    ),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    load_image,
    dict(type='Resize', scale=(640, 512), keep_ratio=True),
    load_boxes,
    pack_results,
]
tta_pipeline = [
    load_image,
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='Resize', scale=scale, keep_ratio=True)
                for scale in ((640, 512), (800, 640))
            ],
            [dict(type='RandomFlip', prob=prob) for prob in (0.0, 1.0)],
            [load_boxes],
            [pack_tta],
        ],
    ),
]
dataset = dict(
    type='InfraredCocoDataset', data_root=data_root, data_prefix=dict(img='images/')
)
train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='AspectRatioBatchSampler'),
    dataset=dict(dataset, ann_file='annotations/train.json', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        dataset,
        ann_file='annotations/val.json',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
# COCO's metrics; classes are matched by name.
val_evaluator = dict(
    type='InfraredCocoMetric',
    ann_file=data_root + '/annotations/val.json',
    metric='bbox',
    classwise=True,
)
test_evaluator = val_evaluator
