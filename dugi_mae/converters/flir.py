"""FLIR ADAS: the aligned release (VOC), version 1 and version 2 (COCO), to COCO.

Layouts:

- aligned (Zhang et al., ICIP 2020): ``align/{JPEGImages,Annotations}/`` with
  ``align_train.txt`` and ``align_validation.txt`` in it or beside it; infrared images
  end in ``_PreviewData.jpeg``.
- version 1: ``{train,val,video}/thermal_annotations.json`` over ``thermal_8_bit/``;
  some copies have one more level ``images/``.
- version 2: ``{images_thermal_train,images_thermal_val,video_thermal_test}/coco.json``
  over ``data/``.

The COCO files list about 80 categories with gaps in their numbers, of which few are
used: classes are chosen by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dugi_mae.annotations.classes import FLIR, FLIR_V2
from dugi_mae.annotations.coco import check_coco, read_json
from dugi_mae.converters.builder import CocoBuilder, write_annotations
from dugi_mae.converters.files import check_present, find_folder, open_release
from dugi_mae.converters.splits import read_names
from dugi_mae.converters.voc import add_voc
from dugi_mae.errors import DuGIError
from dugi_mae.files import images_by_stem

ALIGNED = dict(train=('align_train', 'train'), val=('align_validation', 'val'))
#: Folders, annotation file and classes of the COCO releases.
VERSIONS = {
    'version 1': (
        dict(train='train', val='val', test='video'),
        'thermal_annotations.json',
        FLIR,
    ),
    'version 2': (
        dict(
            train='images_thermal_train',
            val='images_thermal_val',
            test='video_thermal_test',
        ),
        'coco.json',
        FLIR_V2,
    ),
}


def convert(source: Path, out: Path) -> list[str]:
    """Write a COCO file for each split; which release it is shows by its files."""
    open_release(source, out, ('annotations', 'splits'))
    for root in (source, *sorted(path for path in source.iterdir() if path.is_dir())):
        for kind, (folders, name, classes) in VERSIONS.items():
            files = {split: root / folder / name for split, folder in folders.items()}
            builders = [
                build_coco(source, path, split, classes)
                for split, path in files.items()
                if path.is_file()
            ]
            if builders:
                return [f'FLIR ADAS, {kind}', *write_annotations(builders, out, source)]
        if (root / 'JPEGImages').is_dir():
            builders = build_aligned(source, root)
            return ['FLIR ADAS, aligned', *write_annotations(builders, out, source)]
    raise DuGIError(
        f'folder {source} is no release of FLIR ADAS: expected JPEGImages/ (aligned), '
        'train/thermal_annotations.json (version 1) or images_thermal_train/coco.json '
        '(version 2); correct SRC'
    )


def build_aligned(source: Path, root: Path) -> Iterator[CocoBuilder]:
    """Collect both splits of the aligned release, whose ``root`` has JPEGImages."""
    folder = root / 'JPEGImages'
    images, labels = images_by_stem(folder), find_folder(root, 'Annotations')
    for split, lists in ALIGNED.items():
        places = (root, root.parent, root / 'ImageSets' / 'Main')
        candidates = [place / f'{name}.txt' for name in lists for place in places]
        path = next((file for file in candidates if file.is_file()), None)
        if path is None:
            raise DuGIError(
                f'folder {root} has no list {lists[0]}.txt in it or beside it: copy it '
                'from the release'
            )
        end = '_PreviewData'
        names = [n if n.endswith(end) else n + end for n in read_names(path)]
        check_present(names, images, folder, path)
        annotations = {name: labels / f'{name}.xml' for name in names}
        yield add_voc(CocoBuilder(split, FLIR, source), names, images, annotations)


def build_coco(
    source: Path, path: Path, split: str, classes: tuple[str, ...]
) -> CocoBuilder:
    """Collect a split of version 1 or 2 from its annotation file."""
    content = check_coco(read_json(path), path)
    folder = image_folder(path, content['images'][0]['file_name'])
    return CocoBuilder(split, classes, source).add_coco(content, path, folder)


def image_folder(path: Path, file_name: str) -> Path:
    """The folder that the file names of an annotation file are relative to."""
    levels = ('', 'images', 'thermal_8_bit', 'data', 'images/thermal_8_bit')
    for level in levels:
        if (path.parent / level / file_name).is_file():
            return path.parent / level
    raise DuGIError(
        f'image {file_name} of {path} is not in {path.parent}, nor in '
        f'{", ".join(levels[1:])} below it: copy the complete set'
    )
