# DuGI-MAE, base encoder: 88.8 M parameters in the encoder, decoder of 2 blocks. Widths,
# heads and sizes of all other parts follow from `backbone`.
model = dict(
    type='DuGIMAE',
    # Inf-590K statistics, 0.425 and 0.200 on [0, 1].
    data_preprocessor=dict(mean=[108.375] * 3, std=[51.0] * 3),
    masking=dict(type='EntropyMasking', mask_ratio=0.75),
    backbone=dict(type='MaskedConvViT', arch='base'),
    guidance=dict(type='DualDomainGuidance'),
    neck=dict(
        type='MaskedDecoder',
        decoder_embed_dims=512,
        decoder_depth=2,
        decoder_num_heads=16,
    ),
    head=dict(type='DuGIPretrainHead', norm_pix=False),
)
