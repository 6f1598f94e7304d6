"""Masks of a COCO file: what training on them and scoring them need."""

from __future__ import annotations

from pathlib import Path

from dugi_mae.errors import DuGIError


def run_lengths(counts: str) -> list[int] | None:
    """Read run lengths that are packed into a text, as pycocotools writes them.

    pycocotools itself does not check what it reads: a damaged text makes it give
    pixels of other memory, or end the process.

    Args:
        counts: Each number in characters of six bits from ``'0'`` on, five bits of it
            (lowest first) and one that says whether more follow. From the fourth number
            on the one two places before is to be added.

    Returns:
        The numbers; ``None`` if it is another text.
    """
    runs, number, shift = [], 0, 0
    for character in counts:
        bits = ord(character) - ord('0')
        if not 0 <= bits < 64:
            return None
        number |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:  # the sign
                number -= 1 << shift
            runs.append(number + (runs[-2] if len(runs) > 2 else 0))
            number = shift = 0
    return None if shift else runs


def split_polygons(mask: list) -> tuple[list, list]:
    """Polygons with and without three points, on which pycocotools breaks off."""
    groups: tuple[list, list] = ([], [])
    for polygon in mask:
        groups[len(polygon) < 6 or len(polygon) % 2].append(polygon)
    return groups


def check_masks(content: dict, path: str | Path) -> None:
    """Raise unless every annotation has a mask that fits its image.

    Args:
        content: What :func:`~dugi_mae.annotations.coco.check_coco` gave.
        path: Its name, for messages.

    Raises:
        DuGIError: If one has none, or run lengths of another size, or damaged ones.
    """
    sizes = {
        image['id']: [image['height'], image['width']] for image in content['images']
    }
    for number, annotation in enumerate(content['annotations']):
        what = f'annotations[{number}] of {path}'
        mask = annotation.get('segmentation')
        if not mask:
            raise DuGIError(
                f'{what} has no segmentation, which with_mask=True of the pipeline '
                "and metric='segm' ask for: add it, remove the annotation, or do "
                'without masks'
            )
        if isinstance(mask, list):
            continue
        height, width = size = sizes[annotation['image_id']]
        if mask['size'] != size:
            raise DuGIError(
                f'{what} has run lengths of the size {mask["size"]}, its image '
                f'{size} (height, width): write the mask again, or remove it'
            )
        runs = mask['counts']
        if isinstance(runs, str):
            runs = run_lengths(runs)
        if not runs or min(runs) < 0 or sum(runs) != height * width:
            raise DuGIError(
                f'{what} has damaged run lengths, they do not add up to its image of '
                f'{width}x{height} pixels: write the mask again, or remove it'
            )
