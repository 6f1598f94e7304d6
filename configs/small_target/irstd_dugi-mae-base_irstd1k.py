# The small-target network with the pre-trained base encoder on IRSTD-1k as released, 800
# train and 201 test images of 512x512 pixels. There is no official validation split: the
# test split is watched during training, and the last checkpoint is the one to report.
# Name the encoder's file with --cfg-options model.backbone.init_cfg.checkpoint=FILE.
_base_ = './irstd_dugi-mae-tiny_sirst.py'
model = dict(
    backbone=dict(arch='base', drop_path_rate=0.2),
    decode_head=dict(in_channels=_base_.channels.base),
)
data_root = '{{$DUGI_DATA:../shared/data}}/irstd1k'
train_dataloader = dict(dataset=dict(data_root=data_root, ann_file='trainval.txt'))
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file='test.txt'))
test_dataloader = val_dataloader
