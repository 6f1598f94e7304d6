# The small-target network alone on NUDT-SIRST, synthetic targets on real backgrounds of
# 256x256 pixels. Of the 663 images of DNANet's training list a fifth is kept to validate;
# its test list goes beside it as `test.txt`.
_base_ = './irstd-nano_sirst.py'
listed = dict(
    data_root='{{$DUGI_DATA:../shared/data}}/nudt-sirst', ann_file='train.txt'
)
train_dataloader = dict(dataset=dict(**listed, split='train'))
val_dataloader = dict(dataset=dict(**listed, split='val'))
test_dataloader = dict(dataset=dict(listed, ann_file='test.txt'))
