"""Training machinery: hooks and optimizer constructors."""

from .hooks import (
    ClassCountHook,
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
    'ClassCountHook',
    'DirtyDataHook',
    'ExactResumeHook',
    'LayerDecayOptimWrapperConstructor',
    'NumericalGuardHook',
    'PretrainedCheckHook',
    'ProgressBarHook',
    'ReconstructionHook',
    'SafeCheckpointHook',
]
