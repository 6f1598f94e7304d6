# Table 6: MCMAE with Dual-Domain Guidance.
_base_ = './mcmae_convvit-base_4xb96-coslr-400e_inf590k.py'
model = dict(guidance=dict(_delete_=True, type='DualDomainGuidance'))
