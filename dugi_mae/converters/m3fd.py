"""M3FD: VOC files of the infrared half to COCO, with a recorded split.

Layout: ``M3FD_Detection/{Ir,Vis,Annotation}/``, in any case of letters. There is no
official split, and papers seldom publish theirs.
"""

from __future__ import annotations

from pathlib import Path

from dugi_mae.converters.builder import CocoBuilder, write_annotations
from dugi_mae.converters.folders import (
    check_out,
    find_folder,
    images_by_stem,
    step_into,
)
from dugi_mae.converters.splits import draw_split, read_splits, write_splits
from dugi_mae.converters.voc import (
    add_voc_image,
    annotations_by_stem,
    check_images,
)

CLASSES = ('People', 'Car', 'Bus', 'Motorcycle', 'Lamp', 'Truck')


def convert(
    source: Path,
    out: Path,
    val_fraction: float = 0.2,
    seed: int = 0,
    lists: Path | None = None,
) -> list[str]:
    """Write COCO files and the split lists they follow.

    Args:
        source: ``M3FD_Detection`` or the folder around it.
        out: Folder to write to: ``annotations/SPLIT.json``, ``splits/`` and the link
            ``images``.
        val_fraction: Share of the validation part of a drawn split.
        seed: Of a drawn split.
        lists: Folder with ``train.txt`` and ``val.txt`` to use instead of drawing.

    Returns:
        Lines to print.

    Raises:
        DuGIError: If something is missing or damaged.
    """
    check_out(source, out, 'annotations', 'splits')
    root = step_into(source, 'M3FD_Detection')
    folder = find_folder(root, 'Ir', 'infrared')
    images = images_by_stem(folder)
    annotations = annotations_by_stem(find_folder(root, 'Annotation', 'Annotations'))
    check_images(annotations, images, folder)
    if lists is None:
        origin = dict(seed=seed, val_fraction=val_fraction)
        splits = draw_split(annotations, val_fraction, seed)
    else:
        origin = dict(lists_from=str(lists))
        splits = read_splits(lists, annotations)
    builders = [CocoBuilder(split, CLASSES) for split in splits]
    for builder in builders:
        for name in splits[builder.split]:
            add_voc_image(builder, images[name], annotations[name], source)
    lines = write_annotations(builders, out, source)
    lines += write_splits(splits, out, data_set='M3FD', **origin)
    without = len(images.keys() - annotations.keys())
    if without:
        lines.append(f'images without an annotation file left out: {without}')
    return lines
