"""M3FD: VOC files of the infrared half to COCO, with a recorded split.

Layout: ``M3FD_Detection/{Ir,Vis,Annotation}/``, in any case of letters. There is no
official split, and papers seldom publish theirs.
"""

from __future__ import annotations

from pathlib import Path

from dugi_mae.annotations.classes import M3FD
from dugi_mae.converters.builder import CocoBuilder, write_annotations
from dugi_mae.converters.files import check_present, find_folder, open_release
from dugi_mae.converters.splits import draw_split, read_splits, write_splits
from dugi_mae.converters.voc import add_voc, annotations_by_stem
from dugi_mae.errors import DuGIError
from dugi_mae.files import images_by_stem


def convert(
    source: Path,
    out: Path,
    val_fraction: float | None = None,
    seed: int | None = None,
    splits: Path | None = None,
) -> list[str]:
    """Write COCO files and the split lists they follow.

    Args:
        source: The release.
        out: Folder to write to.
        val_fraction: Share of the validation part of a drawn split, by default 0.2.
        seed: Of a drawn split, by default 0.
        splits: Folder with ``train.txt`` and ``val.txt`` to use instead of drawing.
    """
    if splits is not None and (val_fraction, seed) != (None, None):
        raise DuGIError('--splits draws no split: omit --val-fraction and --seed')
    root = open_release(source, out, ('annotations', 'splits'), 'M3FD_Detection')
    folder = find_folder(root, 'Ir', 'infrared')
    labels = find_folder(root, 'Annotation', 'Annotations')
    images, annotations = images_by_stem(folder), annotations_by_stem(labels)
    check_present(annotations, images, folder, labels)
    if splits is None:
        origin = dict(
            seed=0 if seed is None else seed,
            val_fraction=0.2 if val_fraction is None else val_fraction,
        )
        lists = draw_split(annotations, **origin)
    else:
        origin = dict(lists_from=str(splits))
        lists = read_splits(splits, annotations)
    builders = [
        add_voc(CocoBuilder(split, M3FD, source), names, images, annotations)
        for split, names in lists.items()
    ]
    lines = write_annotations(builders, out, source)
    lines += write_splits(lists, out, data_set='M3FD', **origin)
    without = len(images.keys() - annotations.keys())
    if without:
        lines.append(f'images without an annotation file left out: {without}')
    return lines
