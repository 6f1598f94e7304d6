# The schedule that the paper prints for M3FD-inf: 260k iterations, learning rate 1e-6,
# weight decay 0.1. Warm-up, cosine and no layer decay are MCMAE's, whose rate is 80 times
# higher; the paper is silent on them and on the batch.
_base_ = './det_adamw_36e.py'
optim_wrapper = dict(
    optimizer=dict(lr=1e-6), paramwise_cfg=dict(layer_decay_rate=1.0), clip_grad=None
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=460),
    dict(type='CosineAnnealingLR', by_epoch=False),
]
train_cfg = dict(
    _delete_=True, type='IterBasedTrainLoop', max_iters=260000, val_interval=10000
)
