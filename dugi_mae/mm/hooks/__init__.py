"""Hooks, registered in mmengine's root."""

from .bad_files_hook import BadFilesHook
from .exact_resume_hook import ExactResumeHook
from .numerical_guard_hook import NumericalGuardHook
from .reconstruction_hook import ReconstructionHook
from .safe_checkpoint_hook import SafeCheckpointHook

__all__ = [
    'BadFilesHook',
    'ExactResumeHook',
    'NumericalGuardHook',
    'ReconstructionHook',
    'SafeCheckpointHook',
]
