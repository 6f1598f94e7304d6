"""Training machinery: hooks and optimizer constructors."""

from .hooks import (
    DirtyDataHook,
    ExactResumeHook,
    NumericalGuardHook,
    PretrainedCheckHook,
    ProgressBarHook,
    ReconstructionHook,
    SafeCheckpointHook,
)
from .optimizers import LayerDecayOptimWrapperConstructor

__all__ = [
    'DirtyDataHook',
    'ExactResumeHook',
    'LayerDecayOptimWrapperConstructor',
    'NumericalGuardHook',
    'PretrainedCheckHook',
    'ProgressBarHook',
    'ReconstructionHook',
    'SafeCheckpointHook',
]
