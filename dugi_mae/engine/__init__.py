"""Training machinery: hooks and optimizer constructors."""

from .hooks import ProgressBarHook, ReconstructionHook
from .optimizers import LayerDecayOptimWrapperConstructor

__all__ = [
    'LayerDecayOptimWrapperConstructor',
    'ProgressBarHook',
    'ReconstructionHook',
]
