# Shared by every model over the encoder, which is in one place here.
encoder = dict(
    type='mmpretrain.ConvViT',
    arch='tiny',
    drop_path_rate=0.1,
    init_cfg=dict(type='DuGIPretrained', checkpoint=None),
)
# Channels of its maps F1 to F4, for the `in_channels` of necks and heads.
channels = dict(
    tiny=[64, 128, 192, 192],
    small=[128, 256, 384, 384],
    base=[256, 384, 768, 768],
    large=[384, 768, 1024, 1024],
)
# Those of pre-training: Inf-590K, 0.425 and 0.200 on [0, 1].
statistics = dict(mean=[108.375] * 3, std=[51.0] * 3)
