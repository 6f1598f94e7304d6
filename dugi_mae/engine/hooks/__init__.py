"""Hooks, registered in mmengine's root."""

from .progress_hook import ProgressBarHook
from .reconstruction_hook import ReconstructionHook

__all__ = ['ProgressBarHook', 'ReconstructionHook']
