# MFNet, thermal images alone: 784 train, 392 val and 393 test images of 480x640 pixels,
# classes as in MSRS. Released files keep thermal in a fourth channel; take it out once:
#     python tools/dataset_converters/mfnet.py path/to/ir_seg_dataset $DUGI_DATA/mfnet
_base_ = './msrs_480x640.py'
dataset_type = 'MFNetDataset'
data_root = '{{$DUGI_DATA:../shared/data}}/mfnet'
data_prefix = dict(img_path='thermal', seg_map_path='labels')
train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='splits/train.txt',
        data_prefix=data_prefix,
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='splits/val.txt',
        data_prefix=data_prefix,
    )
)
test_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='splits/test.txt',
        data_prefix=data_prefix,
    )
)
