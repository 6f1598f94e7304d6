# A small folder of unlabelled images. 5 % of the files, chosen by a hash of their
# names, are held out to measure the reconstruction. Set DUGI_DATA to the folder that
# holds your data sets.
_base_ = './inf590k_bs96.py'
data_root = '{{$DUGI_DATA:../shared/data}}/infrared_unlabeled'
train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    pin_memory=False,
    dataset=dict(data_root=data_root, split='train', val_fraction=0.05),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='InfraredPretrainDataset',
        data_root=data_root,
        split='val',
        val_fraction=0.05,
        pipeline=_base_.val_pipeline,
        skip_bad_files=True,
    ),
)
val_cfg = dict()
val_evaluator = dict(type='ReconstructionMetric')
test_dataloader = val_dataloader
test_cfg = dict()
test_evaluator = val_evaluator
