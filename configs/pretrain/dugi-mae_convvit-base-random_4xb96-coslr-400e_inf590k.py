# Table 5: DuGI-MAE with random masking.
_base_ = './dugi-mae_convvit-base_4xb96-coslr-400e_inf590k.py'
model = dict(masking=dict(type='RandomMasking'))
