# M3FD, infrared half ("M3FD-inf"): 4,200 images, mostly 1024x768. There is no official
# split; the converter draws 3,360/840 from seed 0 and records the lists' hashes. Frames
# follow one another closely, so a random split flatters. Convert once:
#     python tools/dataset_converters/convert_dataset.py m3fd SRC data/coco/m3fd
# DUGI_COCO names another folder than data/coco.
_base_ = './infrared-coco_detection.py'
data_root = '{{$DUGI_COCO:data/coco}}/m3fd'
dataset = dict(
    data_root=data_root,
    metainfo=dict(classes=('People', 'Car', 'Bus', 'Motorcycle', 'Lamp', 'Truck')),
)
scale = (1024, 768)
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
                for s in (scale, (1280, 960))
            ],
            *_base_.tta_pipeline[1].transforms[1:],
        ],
    ),
]
train_dataloader = dict(dataset=dict(dataset, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(dataset, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + '/annotations/val.json')
test_evaluator = val_evaluator
