# Small-target head with a full-resolution stem over the tiny encoder.
_base_ = './segmentor_convvit-tiny.py'
model = dict(
    type='SmallTargetSegmentor',
    decode_head=dict(
        type='IRSTDHead',
        # F1, F2, F3, F4 and the image.
        in_channels=[*_base_.channels.tiny, 3],
        in_index=[0, 1, 2, 3, -1],
        channels=8,
        # Bright spots that fit into 11x11 pixels, as a fourth channel of the stem.
        top_hat_radius=5,
        deep_supervision=0.0,
        norm_cfg=dict(type='BN', requires_grad=True),
        loss_decode=[
            # Target pixels count twice. At 10 and 30 clutter is taken for targets; five
            # times this loss without any weight left the mask empty for 3000 steps.
            dict(type='CrossEntropyLoss', use_sigmoid=True, class_weight=[2.0]),
            # Summed over the batch like the metric over the set: a large false alarm in
            # one image costs as much as it does there.
            dict(type='SoftIoULoss', per_image=False),
        ],
    ),
)
