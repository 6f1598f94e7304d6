"""Training machinery: hooks and optimizer constructors."""

from .hooks import (
    ExactResumeHook,
    NumericalGuardHook,
    PretrainedCheckHook,
    ProgressBarHook,
    ReconstructionHook,
    SafeCheckpointHook,
)
from .optimizers import LayerDecayOptimWrapperConstructor

__all__ = [
    'ExactResumeHook',
    'LayerDecayOptimWrapperConstructor',
    'NumericalGuardHook',
    'PretrainedCheckHook',
    'ProgressBarHook',
    'ReconstructionHook',
    'SafeCheckpointHook',
]
