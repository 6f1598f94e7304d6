# MFNet, thermal images alone: 784 train, 392 val and 393 test images of 480x640 pixels,
# classes as in MSRS. Released files keep thermal in a fourth channel; take it out once:
#     python tools/dataset_converters/convert_dataset.py mfnet SRC $DUGI_DATA/mfnet
_base_ = './msrs_480x640.py'
dataset = dict(
    type='MFNetDataset',
    data_root='{{$DUGI_DATA:../shared/data}}/mfnet',
    data_prefix=dict(img_path='thermal', seg_map_path='labels'),
)
train_dataloader = dict(dataset=dict(dataset, ann_file='splits/train.txt'))
val_dataloader = dict(dataset=dict(dataset, ann_file='splits/val.txt'))
test_dataloader = dict(dataset=dict(dataset, ann_file='splits/test.txt'))
