_base_ = './default_runtime.py'
custom_imports = dict(imports=['dugi_mae'], allow_failed_imports=False)
default_scope = 'mmpretrain'
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='UniversalVisualizer', vis_backends=vis_backends)
custom_hooks = [dict(type='ReconstructionHook', interval=1, num_images=4)]
randomness = dict(seed=0, diff_rank_seed=True)
