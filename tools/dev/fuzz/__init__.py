"""Targets and random edits of ``fuzz_inputs.py``."""
