"""Toy releases of public sets, with the traps that the real ones have.

Each function writes one into a folder and returns what a user would call SRC.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from toys import noise, write_image

#: Sparse numbers, and names that nothing is labelled with.
SPARSE = {1: 'person', 2: 'bicycle', 3: 'car', 5: 'airplane', 18: 'dog', 91: 'other'}
SPARSE_V2 = {
    **{1: 'person', 2: 'bike', 3: 'car', 4: 'motor', 5: 'airplane', 6: 'bus'},
    **{7: 'train', 8: 'truck', 10: 'light', 11: 'hydrant', 12: 'sign', 17: 'dog'},
    **{37: 'skateboard', 73: 'stroller', 77: 'scooter', 79: 'other vehicle'},
}


def write(path: Path, text: str) -> None:
    """Write a text; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def voc(*objects: str, size: tuple[int, int] | None = (64, 48), depth: int = 3) -> str:
    """Text of a VOC file; objects as ``'name x1 y1 x2 y2'``, or a name without box."""

    def tags(**values: object) -> str:
        return ''.join(f'<{tag}>{value}</{tag}>' for tag, value in values.items())

    parts = []
    for item in objects:
        name, *numbers = item.rsplit(' ', 4) if item.count(' ') >= 4 else [item]
        corners = zip(('xmin', 'ymin', 'xmax', 'ymax'), numbers, strict=False)
        box = f'<bndbox>{tags(**dict(corners))}</bndbox>' if numbers else ''
        parts.append(f'<object>{tags(name=name)}{box}</object>')
    inner = tags(width=size[0], height=size[1], depth=depth) if size else ''
    stated = f'<size>{inner}</size>' if size else ''
    # The file name lacks its extension, as in several releases.
    return f'<annotation>{tags(filename="x")}{stated}{"".join(parts)}</annotation>'


def hit_uav(folder: Path) -> Path:
    """HIT-UAV in its own layout: two training images, one without a box; one val."""
    root = folder / 'HIT-UAV' / 'normal_json'
    categories = ['Person', 'Car', 'Bicycle', 'OtherVehicle', 'DontCare']
    boxes = dict(
        train=[(0, 0, [1, 2, 10, 20]), (0, 4, [3, 3, 6, 6]), (0, 2, [5, 5, 4, 4])],
        val=[(0, 1, [60, 40, 9, 4])],  # reaches five pixels out of the image
    )
    for split, names in dict(train=('a.jpg', 'b.jpg'), val=('c.jpg',)).items():
        images = [
            dict(filename=name, height=48, width=64, id=i)
            for i, name in enumerate(names)
        ]
        for name in names:
            write_image(root / split / name)
        content = dict(
            images=images,
            categories=[dict(id=i, name=name) for i, name in enumerate(categories)],
            annotation=[
                dict(id=i, image_id=image, category_id=category, bbox=box)
                for i, (image, category, box) in enumerate(boxes[split])
            ],
        )
        write(root / 'annotations' / f'{split}.json', json.dumps(content))
    return root.parent


def m3fd(folder: Path) -> Path:
    """M3FD: ten pairs of which one has another size, and an image without XML."""
    root = folder / 'M3FD_Detection'
    objects = 'People 1 2 11 22', 'Lamp 5 5 9 9', 'Truck 60 40 70 50'
    for number in range(10):
        size = (48, 64) if number else (60, 80)
        write_image(root / 'Ir' / f'{number:05}.png', noise(*size))
        write(root / 'Annotation' / f'{number:05}.xml', voc(*objects, depth=1))
    write_image(root / 'Ir' / '00010.png')
    (root / 'Ir' / '.DS_Store').touch()
    return root


def llvip(folder: Path) -> Path:
    """LLVIP: two training and two test images, the last without anybody."""
    root = folder / 'LLVIP'
    for name in ('010001', '010002', '190001', '190002'):
        split = 'train' if name < '1' else 'test'
        for half in ('infrared', 'visible'):
            write_image(root / half / split / f'{name}.jpg')
        objects = ['person 1 2 11 22'] if name != '190002' else []
        write(root / 'Annotations' / f'{name}.xml', voc(*objects))
    return root


def flir_aligned(folder: Path) -> Path:
    """FLIR aligned: lists beside the folder, visible images among the infrared."""
    root = folder / 'flir' / 'align'
    for number in (1, 2, 3):
        name = f'FLIR_0000{number}'
        write_image(root / 'JPEGImages' / f'{name}_PreviewData.jpeg')
        write_image(root / 'JPEGImages' / f'{name}_RGB.jpg')
        text = voc('car 1 2 11 22', 'dog 1 1 5 5', 'person')
        write(root / 'Annotations' / f'{name}_PreviewData.xml', text)
    names = 'FLIR_00001_PreviewData\nFLIR_00003_PreviewData'
    write(root.parent / 'align_train.txt', names)
    write(root.parent / 'align_validation.txt', 'FLIR_00002\n\n')
    return root.parent


def flir_coco(folder: Path, version: int = 1, level: str = '') -> Path:
    """FLIR version 1 or 2; ``level`` is a folder between JSON and images."""
    folders, prefix, names, file = {
        1: (('train', 'val'), 'thermal_8_bit', SPARSE, 'thermal_annotations.json'),
        2: (('images_thermal_train',), 'data', SPARSE_V2, 'coco.json'),
    }[version]
    root = folder / f'FLIR_v{version}'
    for split in folders:
        file_name = f'{prefix}/FLIR_00001.jpeg'
        write_image(root / split / level / file_name)
        content = dict(
            images=[dict(id=0, file_name=file_name, width=64, height=48)],
            categories=[dict(id=i, name=name) for i, name in names.items()],
            annotations=[
                dict(id=0, image_id=0, category_id=2, bbox=[1, 2, 3, 4], area=12),
                dict(id=1, image_id=0, category_id=max(names), bbox=[5, 5, 6, 6]),
                dict(id=2, image_id=0, category_id=3, bbox=[0, 0, 9, 9], iscrowd=1),
            ],
        )
        write(root / split / file, json.dumps(content))
    return root


def dronevehicle(folder: Path) -> Path:
    """DroneVehicle: one training pair with every kind of object, bordered."""
    root = folder / 'DroneVehicle' / 'train'
    image = np.full((712, 840), 255, np.uint8)
    image[100:-100, 100:-100] = np.linspace(0, 200, 640).astype(np.uint8)
    write_image(root / 'trainimgr' / '00001.jpg', np.dstack([image] * 3))

    def polygon(name: str, *numbers: int) -> str:
        tags = [f'{axis}{corner}' for corner in range(1, 5) for axis in 'xy']
        inner = ''.join(f'<{t}>{n}</{t}>' for t, n in zip(tags, numbers, strict=True))
        return f'<object><name>{name}</name><polygon>{inner}</polygon></object>'

    more = (
        polygon('car', 120, 110, 150, 120, 140, 150, 110, 140)
        + polygon('feright car', 90, 300, 160, 300, 160, 330, 90, 330)  # over the edge
        + polygon('*', 300, 300, 310, 300, 310, 310, 300, 310)
        + polygon('', 300, 300, 310, 300, 310, 310, 300, 310)
        + polygon('bus', 10, 10, 50, 10, 50, 50, 10, 50)  # in the border alone
        + '<object><name>van</name><point><x>5</x></point></object></annotation>'
    )
    text = voc('truvk 200 200 240 220', size=(840, 712))
    label = text.replace('</annotation>', more)
    write(root / 'trainlabelr' / '00001.xml', label)
    return root.parent


def stripes(size: tuple[int, int], num_classes: int) -> np.ndarray:
    """A label map with a stripe of every class, the first one widest."""
    labels = np.zeros(size, np.uint8)
    step = size[1] // (2 * num_classes)
    for value in range(1, num_classes):
        labels[:, value * step : (value + 1) * step] = value
    return labels


def msrs(folder: Path) -> Path:
    """MSRS, three training and two test images, the last one without objects."""
    root = folder / 'MSRS'
    splits = dict(train=('00001D', '00002N', '00010D'), test=('00003D', '00004N'))
    for split, names in splits.items():
        for name in names:
            labels = stripes((48, 64), 9) * (name != '00004N')
            write_image(root / split / 'ir' / f'{name}.png')
            write_image(root / split / 'vi' / f'{name}.png', channels=3)
            write_image(root / split / 'Segmentation_labels' / f'{name}.png', labels)
    return root


def mfnet(folder: Path) -> Path:
    """MFNet: thermal in the fourth channel, lists with a mirrored copy."""
    root = folder / 'ir_seg_dataset'
    splits = dict(train=('00001D', '00002N'), val=('00003D',), test=('00004N',))
    for split, names in splits.items():
        for name in names:
            write_image(root / 'images' / f'{name}.png', noise(48, 64, 4, int(name[4])))
            write_image(root / 'labels' / f'{name}.png', stripes((48, 64), 9))
        listed = [*names, '00001D_flip'] if split == 'train' else names
        write(root / f'{split}.txt', '\n'.join(listed))
    write(root / 'test_night.txt', '00004N\n')
    return root


def soda(folder: Path) -> Path:
    """SODA: two columns in the lists, and second copies in them."""
    root = folder / 'InfraredSemanticLabel'
    for name in ('1', '2.a', '3'):
        write_image(root / 'JPEGImages' / f'{name}.jpg', channels=3)
        labels = root / 'SegmentationClassOne' / f'{name}.png'
        write_image(labels, stripes((48, 64), 21))
    write(root / 'train_infrared.txt', '2.a 7\n1(2) 3\n\n1  0')
    write(root / 'test_infrared.txt', '3 1\n3~1 1\n')
    return root


def irstd1k(folder: Path) -> Path:
    """IRSTD-1k: masks of one and of four channels, one image in no list."""
    root = folder / 'IRSTD-1k'
    for number in range(5):
        mask = np.zeros((32, 40), np.uint8)
        mask[4:6, 8:11] = 255 * (number != 3)
        if number == 1:  # opaque, so that alpha must not count as target
            mask = np.dstack([mask, mask, mask, np.full_like(mask, 255)])
        write_image(root / 'IRSTD1k_Img' / f'XDU{number}.png', noise(32, 40))
        write_image(root / 'IRSTD1k_Label' / f'XDU{number}.png', mask)
    write(root / 'trainval.txt', 'XDU0\r\nXDU1\r\n')
    write(root / 'trainvaltest.txt', 'XDU0\nXDU1\nXDU2\nXDU3\n')
    return root


#: By the names that ``convert_dataset.py`` knows.
RELEASES = {
    'dronevehicle': dronevehicle,
    'flir': flir_aligned,
    'hit-uav': hit_uav,
    'irstd1k': irstd1k,
    'llvip': llvip,
    'm3fd': m3fd,
    'mfnet': mfnet,
    'msrs': msrs,
}
