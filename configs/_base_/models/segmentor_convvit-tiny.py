# The tiny encoder and the preprocessor that goes with it; heads are added on top.
model = dict(
    type='EncoderDecoder',
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
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
