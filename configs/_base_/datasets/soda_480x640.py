# SODA as released, DUGI_DATA/soda/{JPEGImages,SegmentationClassOne}/ with its two lists:
# 1168 train and 1000 test images of 480x640 pixels, 21 labels with "_background_". There
# is no validation split: the test split is watched during training, and the last
# checkpoint is the one to report.
_base_ = './msrs_480x640.py'
dataset = dict(
    type='SODADataset',
    data_root='{{$DUGI_DATA:../shared/data}}/soda',
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassOne'),
)
train_dataloader = dict(dataset=dict(dataset, ann_file='train_infrared.txt'))
val_dataloader = dict(dataset=dict(dataset, ann_file='test_infrared.txt'))
test_dataloader = val_dataloader
