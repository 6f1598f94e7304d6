_base_ = './default_runtime.py'
custom_imports = dict(imports=['dugi_mae.mmpretrain'], allow_failed_imports=False)
default_scope = 'mmpretrain'
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='UniversalVisualizer', vis_backends=vis_backends)
custom_hooks = [dict(type='ReconstructionHook', interval=1, num_images=4)]
# Stops training when more than this share of the files read cannot be used.
default_hooks = dict(bad_files=dict(type='BadFilesHook', max_bad_share=0.05))
randomness = dict(seed=0, diff_rank_seed=True)
