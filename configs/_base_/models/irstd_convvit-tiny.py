# Small-target head with a full-resolution stem over the tiny encoder.
model = dict(
    type='SmallTargetSegmentor',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        # Those of pre-training.
        mean=[108.375] * 3,
        std=[51.0] * 3,
        # In units of the normalised image: mmseg pads after normalising.
        pad_val=0,
        seg_pad_val=255,
        size=(256, 256),
    ),
    backbone=dict(
        type='mmpretrain.ConvViT',
        arch='tiny',
        drop_path_rate=0.1,
        init_cfg=dict(type='DuGIPretrained', checkpoint=None),
    ),
    decode_head=dict(
        type='IRSTDHead',
        # F1, F2, F3, F4 and the image.
        in_channels=[64, 128, 192, 192, 3],
        in_index=[0, 1, 2, 3, -1],
        channels=8,
        deep_supervision=0.0,
        norm_cfg=dict(type='BN', requires_grad=True),
        loss_decode=[
            # Target pixels count 10 times: at 1 the mask stays empty for more than 150
            # steps, at 30 targets grow too large.
            dict(type='CrossEntropyLoss', use_sigmoid=True, class_weight=[10.0]),
            # Summed over the batch like the metric over the set: a large false alarm in
            # one image costs as much as it does there.
            dict(type='SoftIoULoss', per_image=False),
        ],
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
