# InfMAE: grey-value masking by the mean of a frozen embedding, no guidance. Recipe of
# its paper (4 GPUs x 64 images, base lr 1.5e-4; its code says 1e-3), on Inf-590K.
# Loads InfMAE weights from `convert_checkpoint.py SRC DST --to pretrain`.
_base_ = './dugi-mae_convvit-base_4xb96-coslr-400e_inf590k.py'
model = dict(
    masking=dict(type='GreyValueMasking', score='embedding'),
    guidance=None,
)
train_dataloader = dict(batch_size=64)
optim_wrapper = dict(optimizer=dict(lr=1.5e-4))
auto_scale_lr = dict(base_batch_size=256)
