# MSRS as released, DUGI_DATA/msrs/{train,test}/{ir,Segmentation_labels}/: 1083 train and
# 361 test images of 480x640 pixels, nine classes with "unlabelled", which counts like the
# others. `python tools/dataset_converters/msrs.py SRC OUT` checks a copy; data_root=OUT
# works, too. There is no official validation split: the test split is watched during
# training, and the last checkpoint is the one to report.
_base_ = './index-png_512x512.py'
dataset_type = 'MSRSDataset'
data_root = '{{$DUGI_DATA:../shared/data}}/msrs'
crop_size = (480, 512)
train_pipeline = [
    dict(type='LoadInfraredImage'),
    dict(type='LoadAnnotations'),
    dict(
        type='RandomResize', scale=(640, 480), ratio_range=(0.5, 2.0), keep_ratio=True
    ),
    # Without cat_max_ratio: most of nearly every image is one class.
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomBrightnessContrast'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='',
        data_prefix=dict(img_path='train/ir', seg_map_path='train/Segmentation_labels'),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='',
        data_prefix=dict(img_path='test/ir', seg_map_path='test/Segmentation_labels'),
    )
)
test_dataloader = val_dataloader
