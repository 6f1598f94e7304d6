# The recipe for small targets, and SIRST v1 with the authors' split: 256 train, 85 val, 86
# test. Set DUGI_DATA to the folder that holds your data sets. Misc_111 is released with a
# mask of another size, hence on_mismatch='resize'. Images keep their own scale and are
# scored whole.
_base_ = './seg_runtime.py'
data_root = '{{$DUGI_DATA:../shared/data}}/sirst'
load = [
    dict(
        type='LoadImageFromFile',
        color_type='grayscale',
        backend_args=dict(backend='infrared'),
    ),
    dict(type='LoadTargetMask', on_mismatch='resize'),
]
vary = [
    # Together the eight ways to turn and mirror a square, each as often.
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomRotFlip', rotate_prob=0.0, flip_prob=1.0),
    dict(type='InfraredBrightnessContrast'),
    dict(type='PackSegInputs'),
]
# At their own scale: enlarged targets have other outlines, and clutter looks like them.
aimed = dict(type='SmallTargetCrop', crop_size=(128, 128), prob=0.5)
# Crops that aim teach that targets are common; at the end the network sees scenes.
unaimed = dict(aimed, crop_size=(256, 256), prob=0.0)
test_pipeline = [*load, dict(type='PackSegInputs')]
# Two stages: batches of 16 for `first` steps, then, from the averaged weights, batches of
# 4 of larger crops for `second`. The learning rate falls to 0 in each.
first, second, warm_up = 1400, 930, 42
dataset = dict(type='SIRSTDataset', data_root=data_root)
train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    batch_sampler=dict(
        type='TwoStageBatchSampler', second_batch_size=4, first_iters=first
    ),
    dataset=dict(
        dataset,
        ann_file='idx_427/train.txt',
        pipeline=[*load, aimed, *vary],
        second_pipeline=[*load, unaimed, *vary],
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(dataset, ann_file='idx_427/val.txt', pipeline=test_pipeline),
)
test_dataloader = dict(
    val_dataloader, dataset=dict(val_dataloader['dataset'], ann_file='idx_427/test.txt')
)
val_evaluator = dict(type='SmallTargetMetric')
test_evaluator = val_evaluator
custom_hooks = [dict(type='AveragedRestartHook', momentum=0.02, update_buffers=True)]
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.01),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
    clip_grad=dict(max_norm=3.0),
)
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
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=first + second, val_interval=first
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(checkpoint=dict(interval=100, max_keep_ckpts=1))
randomness = dict(seed=0)
