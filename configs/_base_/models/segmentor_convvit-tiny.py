# The tiny encoder and the preprocessor that goes with it; heads are added on top.
_base_ = './convvit.py'
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        **_base_.statistics,
        # In units of the normalised image: mmseg pads after normalising.
        pad_val=0,
        seg_pad_val=255,
        size=(256, 256),
    ),
    backbone=_base_.encoder,
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
