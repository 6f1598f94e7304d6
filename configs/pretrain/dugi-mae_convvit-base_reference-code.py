# The selection of the released DuGI-MAE code: entropy of a softmax over its own frozen
# 16x16 embedding, lowest kept, in that order. With weights from
# `convert_checkpoint.py SRC DST --to pretrain` its encoder gives the released latent;
# the guidance is ours. The recipe is the paper's.
_base_ = './dugi-mae_convvit-base_4xb96-coslr-400e_inf590k.py'
model = dict(masking=dict(estimator='softmax', keep='lowest', keep_order='score'))
