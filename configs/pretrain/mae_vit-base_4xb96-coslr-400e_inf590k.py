# Plain MAE: a ViT-B, random masking, no guidance, 8 decoder blocks. The recipe is that of
# DuGI-MAE, so that only the method differs.
_base_ = './dugi-mae_convvit-base_4xb96-coslr-400e_inf590k.py'
model = dict(
    masking=dict(type='RandomMasking'),
    backbone=dict(_delete_=True, type='MaskedMAEViT', arch='b'),
    guidance=None,
    neck=dict(decoder_depth=8),
)
