"""Use a trained model from Python."""

from .build import build_model, inferencer_name
from .reconstruction_inferencer import ReconstructionInferencer, ReconstructionResult
from .small_target_inferencer import SmallTargetInferencer
from .small_target_result import SmallTargetResult

__all__ = [
    'ReconstructionInferencer',
    'ReconstructionResult',
    'SmallTargetInferencer',
    'SmallTargetResult',
    'build_model',
    'inferencer_name',
]
