"""Text files that list images."""

from __future__ import annotations

from pathlib import Path

from dugi_mae.errors import DuGIError


def read_lines(path: str | Path, what: str, remedy: str) -> list[str]:
    """Lines of a UTF-8 text file that are not blank, without blanks around them.

    Args:
        path: The file.
        what: What messages call it.
        remedy: What they advise where it cannot be read.

    Raises:
        DuGIError: If it is missing, no text, or empty.
    """
    try:
        text = Path(path).read_text(encoding='utf-8')
    except UnicodeDecodeError:
        text = '\0'
    except OSError as error:
        raise DuGIError(
            f'{what} {path} cannot be read ({error.strerror}): {remedy}'
        ) from None
    if '\0' in text:
        raise DuGIError(f'{what} {path} is no text in UTF-8: {remedy}')
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise DuGIError(f'{what} {path} is empty: write one image name a line')
    return lines
