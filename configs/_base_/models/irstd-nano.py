# The small-target network alone, on grey images: 0.54 M parameters, no encoder.
_base_ = './convvit.py'
grey = dict(mean=_base_.statistics.mean[:1], std=_base_.statistics.std[:1])
model = dict(
    type='SmallTargetSegmentor',
    # Crops have the size of the batch; test images are continued by reflection.
    data_preprocessor=dict(type='SegDataPreProcessor', size_divisor=1, **grey),
    decode_head=dict(type='IRSTDHead'),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
