# Table 6: InfMAE with Dual-Domain Guidance.
_base_ = './infmae_convvit-base_4xb64-coslr-400e_inf590k.py'
model = dict(guidance=dict(_delete_=True, type='DualDomainGuidance'))
