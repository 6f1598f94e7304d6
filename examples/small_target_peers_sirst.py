"""A published network in the recipe of irstd-nano_sirst.py: ACM, or DNA.

PYTHONPATH=. python tools/train.py examples/small_target_peers_sirst.py --cfg-options
model.decode_head.net=DNA
"""

_base_ = '../configs/small_target/irstd-nano_sirst.py'
custom_imports = dict(
    imports=['dugi_mae.mmseg', 'examples.small_target_peers'],
    allow_failed_imports=False,
)
model = dict(decode_head=dict(_delete_=True, type='PeerHead', net='ACM'))
