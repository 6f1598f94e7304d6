"""Functions and classes for people: use a trained model from Python."""

from .build import build_model, inferencer_name
from .reconstruct import init_pretrain_model, normalise
from .reconstruction_inferencer import ReconstructionInferencer, ReconstructionResult
from .small_target_inferencer import SmallTargetInferencer
from .small_target_result import SmallTargetResult
from .tiling import predict_tiled

__all__ = [
    'ReconstructionInferencer',
    'ReconstructionResult',
    'SmallTargetInferencer',
    'SmallTargetResult',
    'build_model',
    'inferencer_name',
    'init_pretrain_model',
    'normalise',
    'predict_tiled',
]
