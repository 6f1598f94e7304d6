# The small-target network alone on NUDT-SIRST, synthetic targets on real backgrounds of
# 256x256 pixels. Of the 663 images of DNANet's training list a fifth is kept to validate;
# its test list goes beside it as `test.txt`.
_base_ = './irstd-nano_sirst.py'
# Larger than SIRST v1 and exact to the pixel: more steps pay.
first, second, warm_up = 7000, 1500, 100
listed = dict(
    data_root='{{$DUGI_DATA:../shared/data}}/nudt-sirst', ann_file='train.txt'
)
train_dataloader = dict(
    batch_sampler=dict(first_iters=first), dataset=dict(**listed, split='train')
)
val_dataloader = dict(dataset=dict(**listed, split='val'))
test_dataloader = dict(dataset=dict(listed, ann_file='test.txt'))
warm, fall = _base_.param_scheduler
param_scheduler = [
    dict(warm, end=warm_up),
    dict(fall, begin=warm_up, periods=[first - warm_up, second]),
]
train_cfg = dict(max_iters=first + second, val_interval=1000)
