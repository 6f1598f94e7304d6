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
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=warm_up),
    dict(
        type='CosineRestartLR',
        by_epoch=False,
        begin=warm_up,
        periods=[first - warm_up, second],
        restart_weights=[1.0, 0.5],
        eta_min=0.0,
    ),
]
train_cfg = dict(max_iters=first + second, val_interval=1000)
