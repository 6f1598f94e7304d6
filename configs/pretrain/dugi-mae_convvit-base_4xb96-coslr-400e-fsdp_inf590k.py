# The same with parameters, gradients and optimiser states shared out over the GPUs
# (FSDP), for GPUs that cannot hold them whole.
_base_ = './dugi-mae_convvit-base_4xb96-coslr-400e_inf590k.py'
runner_type = 'FlexibleRunner'
strategy = dict(
    type='FSDPStrategy',
    # One file that any number of processes, or none, can load.
    state_dict_cfg='full',
    model_wrapper=dict(
        auto_wrap_policy=dict(
            type='torch.distributed.fsdp.wrap.size_based_auto_wrap_policy',
            # About a block of stage 3.
            min_num_params=5_000_000,
        )
    ),
)
# No ReconstructionHook: it runs the model on the first process alone, which would wait
# for the parameters of the others for ever.
custom_hooks = []
