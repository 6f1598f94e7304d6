# MSRS as released, DUGI_DATA/msrs/{train,test}/{ir,Segmentation_labels}/: 1083 train and
# 361 test images of 480x640 pixels, nine classes with "unlabelled", which counts like the
# others. `convert_dataset.py msrs SRC OUT` checks a copy; data_root=OUT works, too. There
# is no official validation split: the test split is watched during training, and the last
# checkpoint is the one to report.
_base_ = './custom_512x512.py'
dataset = dict(
    type='MSRSDataset',
    data_root='{{$DUGI_DATA:../shared/data}}/msrs',
    ann_file='',
    data_prefix=dict(img_path='test/ir', seg_map_path='test/Segmentation_labels'),
)
train_pipeline = [
    _base_.load_image,
    dict(type='LoadAnnotations'),
    dict(
        type='RandomResize', scale=(640, 480), ratio_range=(0.5, 2.0), keep_ratio=True
    ),
    # Without cat_max_ratio: most of nearly every image is one class.
    dict(type='RandomCrop', crop_size=(480, 512)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='InfraredBrightnessContrast'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    dataset=dict(
        dataset,
        data_prefix=dict(img_path='train/ir', seg_map_path='train/Segmentation_labels'),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(dataset=dataset)
test_dataloader = val_dataloader
