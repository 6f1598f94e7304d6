# MCMAE: random masking, no guidance, the 8 decoder blocks of its published files. The
# recipe is that of DuGI-MAE, so that only the method differs. Loads MCMAE weights from
# `convert_checkpoint.py SRC DST --to pretrain`.
_base_ = './dugi-mae_convvit-base_4xb96-coslr-400e_inf590k.py'
model = dict(
    masking=dict(type='RandomMasking'),
    guidance=None,
    neck=dict(decoder_depth=8),
)
