"""LLVIP: VOC files of the infrared half to COCO, in the official split.

Layout: ``LLVIP/infrared/{train,test}/*.jpg`` and ``LLVIP/Annotations/*.xml``, one file
for both halves of a pair.
"""

from __future__ import annotations

from pathlib import Path

from dugi_mae.converters.builder import CocoBuilder, write_annotations
from dugi_mae.converters.folders import (
    check_apart,
    check_out,
    find_folder,
    images_by_stem,
    step_into,
)
from dugi_mae.converters.voc import (
    add_voc_image,
    annotations_by_stem,
    check_images,
)

CLASSES = ('person',)
SPLITS = ('train', 'test')


def convert(source: Path, out: Path) -> list[str]:
    """Write ``annotations/{train,test}.json`` and the link ``images``.

    Args:
        source: ``LLVIP`` or the folder around it.
        out: Folder to write to.

    Returns:
        Lines to print.

    Raises:
        DuGIError: If something is missing or damaged.
    """
    check_out(source, out, 'annotations', 'splits')
    root = step_into(source, 'LLVIP')
    infrared = find_folder(root, 'infrared')
    folders = {split: find_folder(infrared, split) for split in SPLITS}
    images = {split: images_by_stem(folder) for split, folder in folders.items()}
    check_apart(folders, images)
    annotations = annotations_by_stem(find_folder(root, 'Annotations', 'Annotation'))
    check_images(annotations, images['train'] | images['test'], infrared)
    builders = [CocoBuilder(split, CLASSES) for split in SPLITS]
    for builder in builders:
        for name, image in images[builder.split].items():
            if name in annotations:
                add_voc_image(builder, image, annotations[name], source)
            else:
                builder.notes['images without an annotation file left out'] += 1
    return write_annotations(builders, out, source)
