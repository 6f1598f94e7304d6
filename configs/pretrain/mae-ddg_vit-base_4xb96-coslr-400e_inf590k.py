# Table 6: MAE with Dual-Domain Guidance.
_base_ = './mae_vit-base_4xb96-coslr-400e_inf590k.py'
model = dict(guidance=dict(_delete_=True, type='DualDomainGuidance'))
