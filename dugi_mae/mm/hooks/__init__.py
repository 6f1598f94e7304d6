"""Hooks, registered in mmengine's root."""

# ruff: noqa: F401

from .bad_files_hook import BadFilesHook
from .exact_resume_hook import ExactResumeHook
from .numerical_guard_hook import NumericalGuardHook
from .reconstruction_hook import ReconstructionHook
from .safe_checkpoint_hook import SafeCheckpointHook
