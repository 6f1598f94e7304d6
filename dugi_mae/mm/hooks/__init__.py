"""Hooks, registered in mmengine's root."""

from .class_count_hook import ClassCountHook
from .dirty_data_hook import DirtyDataHook
from .exact_resume_hook import ExactResumeHook
from .numerical_guard_hook import NumericalGuardHook
from .pretrained_check_hook import PretrainedCheckHook
from .progress_hook import ProgressBarHook
from .reconstruction_hook import ReconstructionHook
from .safe_checkpoint_hook import SafeCheckpointHook

__all__ = [
    'ClassCountHook',
    'DirtyDataHook',
    'ExactResumeHook',
    'NumericalGuardHook',
    'PretrainedCheckHook',
    'ProgressBarHook',
    'ReconstructionHook',
    'SafeCheckpointHook',
]
