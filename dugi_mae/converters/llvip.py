"""LLVIP: VOC files of the infrared half to COCO, in the official split.

Layout: ``LLVIP/infrared/{train,test}/*.jpg`` and ``LLVIP/Annotations/*.xml``, one file
for both halves of a pair.
"""

from __future__ import annotations

from pathlib import Path

from dugi_mae.annotations.classes import LLVIP
from dugi_mae.converters.builder import CocoBuilder, write_annotations
from dugi_mae.converters.files import (
    check_disjoint,
    check_present,
    find_folder,
    open_release,
)
from dugi_mae.converters.voc import add_voc, annotations_by_stem
from dugi_mae.files import images_by_stem


def convert(source: Path, out: Path) -> list[str]:
    """Write COCO files of both parts."""
    root = open_release(source, out, ('annotations', 'splits'), 'LLVIP')
    folder = find_folder(root, 'infrared')
    images = {s: images_by_stem(find_folder(folder, s)) for s in ('train', 'test')}
    check_disjoint(images, folder)
    labels = find_folder(root, 'Annotations', 'Annotation')
    annotations = annotations_by_stem(labels)
    check_present(annotations, images['train'] | images['test'], folder, labels)
    builders = [
        add_voc(CocoBuilder(split, LLVIP, source), files, files, annotations)
        for split, files in images.items()
    ]
    return write_annotations(builders, out, source)
