# NUDT-SIRST, 663 train and 664 test synthetic images of 256x256 pixels, DNANet's split.
# There is no official validation split: the test split is watched during training, and
# the last checkpoint is the one to report.
_base_ = './small_target_sirst_256x256.py'
data_root = '{{$DUGI_DATA:../shared/data}}/nudt-sirst'
train_dataloader = dict(dataset=dict(data_root=data_root, ann_file='50_50/train.txt'))
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file='50_50/test.txt'))
test_dataloader = val_dataloader
