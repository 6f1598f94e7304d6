# The small-target network alone on SIRST v1 and NUDT-SIRST together. It is watched on the
# validation part of SIRST v1.
_base_ = './irstd-nano_sirst.py'
sirst = _base_.train_dataloader.dataset
nudt = dict(
    sirst,
    data_root='{{$DUGI_DATA:../shared/data}}/nudt-sirst',
    ann_file='train.txt',
    split='train',
)
# Three times the images: half as many steps more.
first, second, warm_up = 2100, 1400, 63
train_dataloader = dict(
    batch_sampler=dict(first_iters=first),
    dataset=dict(_delete_=True, type='JointDataset', datasets=[sirst, nudt]),
)
warm, fall = _base_.param_scheduler
param_scheduler = [
    dict(warm, end=warm_up),
    dict(fall, begin=warm_up, periods=[first - warm_up, second]),
]
train_cfg = dict(max_iters=first + second, val_interval=700)
