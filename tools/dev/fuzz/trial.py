"""One case of the fuzzer: where it writes, what it draws from, what it did."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Trial:
    """What a fuzz target is given, and what it leaves behind.

    Attributes:
        rng: Source of all randomness of the case.
        folder: Empty folder for its files.
        names: A refusal must name one of these.
        notes: What was changed.
    """

    rng: random.Random
    folder: Path
    names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def write(self, path: str | Path, content: bytes) -> Path:
        """Write a file below the folder of the case."""
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def noted(self, edited: tuple[bytes, str]) -> bytes:
        """Take the result of an edit and remember what was done."""
        self.notes.append(edited[1])
        return edited[0]
