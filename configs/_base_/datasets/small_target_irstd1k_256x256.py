# IRSTD-1k as released, `IRSTD1k_Img/` and `IRSTD1k_Label/`, 800 train and 201 test images
# of 512x512 pixels. There is no official validation split: the test split is watched
# during training, and the last checkpoint is the one to report.
_base_ = './small_target_sirst_256x256.py'
data_root = '{{$DUGI_DATA:../shared/data}}/irstd1k'
train_dataloader = dict(dataset=dict(data_root=data_root, ann_file='trainval.txt'))
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file='test.txt'))
test_dataloader = val_dataloader
