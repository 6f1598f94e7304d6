"""The config that shares a pre-training model out over several GPUs."""

from __future__ import annotations

from mmengine.config import Config


def test_no_hook_runs_the_model_on_one_process(repo_root):
    """A forward pass of one process alone would wait for the others for ever."""
    name = 'dugi-mae_convvit-base_4xb96-coslr-400e-fsdp_inf590k.py'
    config = Config.fromfile(repo_root / 'configs/pretrain' / name)
    assert config.custom_hooks == []
    assert config.default_hooks.dirty_data.type == 'DirtyDataHook'
