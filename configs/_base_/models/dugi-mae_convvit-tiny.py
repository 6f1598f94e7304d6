# DuGI-MAE, tiny encoder: 5.8 M parameters in the encoder, decoder 128 wide.
_base_ = './dugi-mae_convvit-base.py'
model = dict(
    backbone=dict(arch='tiny'),
    neck=dict(decoder_embed_dims=128, decoder_num_heads=4),
)
