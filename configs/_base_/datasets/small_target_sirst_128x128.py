# SIRST v1 in crops of 128 pixels: a step costs a third of one at 256, and there is time
# for three times as many on a CPU.
_base_ = './small_target_sirst_256x256.py'
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            *_base_.load,
            dict(type='SmallTargetCopyPaste', prob=0.3),
            dict(
                type='RandomChoice',
                transforms=[
                    [dict(type='Resize', scale_factor=s, keep_ratio=True)]
                    for s in (1.0, 1.25, 1.5)
                ],
            ),
            # The other half aims at what is taken for targets: that is rare.
            dict(
                type='SmallTargetCrop', crop_size=(128, 128), prob=0.5, clutter_prob=0.8
            ),
            # Together the eight ways to turn and mirror a square, each as often.
            dict(type='RandomFlip', prob=0.5, direction='horizontal'),
            dict(type='RandomRotFlip', rotate_prob=0.0, flip_prob=1.0),
            # Of grey images it changes brightness and contrast only.
            dict(type='PhotoMetricDistortion'),
            dict(type='PackSegInputs'),
        ]
    )
)
