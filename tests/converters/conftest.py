"""Toy releases of detection sets, with the traps that the real ones have."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def voc(*objects: str, size: tuple[int, int] | None = (64, 48), depth: int = 3) -> str:
    """Text of a VOC file; objects as ``'name x1 y1 x2 y2'``, or a name without box."""
    parts = []
    for item in objects:
        name, *numbers = item.rsplit(' ', 4) if item.count(' ') >= 4 else [item]
        box = ''.join(
            f'<{tag}>{number}</{tag}>'
            for tag, number in zip(
                ('xmin', 'ymin', 'xmax', 'ymax'), numbers, strict=False
            )
        )
        box = f'<bndbox>{box}</bndbox>' if numbers else ''
        parts.append(f'<object><name>{name}</name>{box}</object>')
    stated = ''
    if size:
        stated = (
            f'<size><width>{size[0]}</width><height>{size[1]}</height>'
            f'<depth>{depth}</depth></size>'
        )
    # The file name lacks its ending, as in several releases.
    return f'<annotation><filename>x</filename>{stated}{"".join(parts)}</annotation>'


def write_image(path: Path, size: tuple[int, int] = (64, 48), value: int = 90) -> None:
    """Write a grey image; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size[::-1], value, np.uint8)).save(path)


@pytest.fixture
def hit_uav(tmp_path: Path) -> Path:
    """HIT-UAV in its own layout: two training images, one without a box; one val."""
    root = tmp_path / 'HIT-UAV' / 'normal_json'
    categories = ['Person', 'Car', 'Bicycle', 'OtherVehicle', 'DontCare']
    boxes = dict(
        train=[(0, 0, [1, 2, 10, 20]), (0, 4, [3, 3, 6, 6]), (0, 2, [5, 5, 4, 4])],
        val=[(0, 1, [60, 40, 9, 4])],  # reaches five pixels out of the image
    )
    for split, names in dict(train=('a.jpg', 'b.jpg'), val=('c.jpg',)).items():
        for name in names:
            write_image(root / split / name)
        content = dict(
            info={},
            licenses={},
            images=[
                dict(filename=name, height=48, width=64, id=i)
                for i, name in enumerate(names)
            ],
            categories=[
                dict(id=i, name=name, supercategory=name)
                for i, name in enumerate(categories)
            ],
            annotation=[
                dict(
                    id=i,
                    image_id=image,
                    category_id=category,
                    bbox=box,
                    area=box[2] * box[3],
                    segmentation=[],
                )
                for i, (image, category, box) in enumerate(boxes[split])
            ],
        )
        path = root / 'annotations' / f'{split}.json'
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    return root.parent


@pytest.fixture
def m3fd(tmp_path: Path) -> Path:
    """M3FD: ten pairs of which one has another size, and an image without XML."""
    root = tmp_path / 'M3FD_Detection'
    for number in range(10):
        size = (64, 48) if number else (80, 60)
        write_image(root / 'Ir' / f'{number:05}.png', size)
        path = root / 'Annotation' / f'{number:05}.xml'
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            voc('People 1 2 11 22', 'Lamp 5 5 9 9', 'Truck 60 40 70 50', depth=1)
        )
    write_image(root / 'Ir' / '00010.png')
    (root / 'Ir' / '.DS_Store').touch()
    return root


@pytest.fixture
def llvip(tmp_path: Path) -> Path:
    """LLVIP: two training and two test images, the last without anybody."""
    root = tmp_path / 'LLVIP'
    (root / 'Annotations').mkdir(parents=True)
    for name in ('010001', '010002', '190001', '190002'):
        split = 'train' if name < '1' else 'test'
        for half in ('infrared', 'visible'):
            write_image(root / half / split / f'{name}.jpg')
        objects = ['person 1 2 11 22'] if name != '190002' else []
        (root / 'Annotations' / f'{name}.xml').write_text(voc(*objects))
    return root


@pytest.fixture
def flir_aligned(tmp_path: Path) -> Path:
    """FLIR aligned: lists beside the folder, visible images among the infrared."""
    root = tmp_path / 'flir' / 'align'
    for number in (1, 2, 3):
        name = f'FLIR_0000{number}'
        write_image(root / 'JPEGImages' / f'{name}_PreviewData.jpeg')
        write_image(root / 'JPEGImages' / f'{name}_RGB.jpg')
        path = root / 'Annotations' / f'{name}_PreviewData.xml'
        path.parent.mkdir(exist_ok=True)
        path.write_text(voc('car 1 2 11 22', 'dog 1 1 5 5', 'person'))
    (root.parent / 'align_train.txt').write_text(
        'FLIR_00001_PreviewData\nFLIR_00003_PreviewData'
    )
    (root.parent / 'align_validation.txt').write_text('FLIR_00002\n\n')
    return root.parent


#: Sparse numbers, and names that nothing is labelled with.
SPARSE = {1: 'person', 2: 'bicycle', 3: 'car', 5: 'airplane', 18: 'dog', 91: 'other'}
SPARSE_V2 = {
    **{1: 'person', 2: 'bike', 3: 'car', 4: 'motor', 5: 'airplane', 6: 'bus'},
    **{7: 'train', 8: 'truck', 10: 'light', 11: 'hydrant', 12: 'sign', 17: 'dog'},
    **{37: 'skateboard', 73: 'stroller', 77: 'scooter', 79: 'other vehicle'},
}


@pytest.fixture
def flir_coco(tmp_path: Path) -> Callable[..., Path]:
    """FLIR version 1 or 2; ``level`` is a folder between JSON and images."""

    def make(version: int, level: str = '') -> Path:
        folders = {1: ('train', 'val'), 2: ('images_thermal_train',)}[version]
        prefix = {1: 'thermal_8_bit', 2: 'data'}[version]
        names = {1: SPARSE, 2: SPARSE_V2}[version]
        root = tmp_path / f'FLIR_v{version}'
        for folder in folders:
            file_name = f'{prefix}/FLIR_00001.jpeg'
            write_image(root / folder / level / file_name)
            last = max(names)
            content = dict(
                images=[dict(id=0, file_name=file_name, width=64, height=48)],
                categories=[dict(id=i, name=name) for i, name in names.items()],
                annotations=[
                    dict(id=0, image_id=0, category_id=2, bbox=[1, 2, 3, 4], area=12),
                    dict(id=1, image_id=0, category_id=last, bbox=[5, 5, 6, 6]),
                    dict(id=2, image_id=0, category_id=3, bbox=[0, 0, 9, 9], iscrowd=1),
                ],
            )
            file = {1: 'thermal_annotations.json', 2: 'coco.json'}[version]
            (root / folder / file).write_text(json.dumps(content))
        return root

    return make


@pytest.fixture
def dronevehicle(tmp_path: Path) -> Path:
    """DroneVehicle: one training pair with every kind of object, bordered."""
    root = tmp_path / 'DroneVehicle'
    image = np.full((712, 840), 255, np.uint8)
    image[100:-100, 100:-100] = np.linspace(0, 200, 640).astype(np.uint8)
    path = root / 'train' / 'trainimgr' / '00001.jpg'
    path.parent.mkdir(parents=True)
    Image.fromarray(np.repeat(image[..., None], 3, 2)).save(path, quality=95)

    def polygon(name: str, *numbers: int) -> str:
        tags = [f'{axis}{corner}' for corner in range(1, 5) for axis in 'xy']
        inner = ''.join(f'<{t}>{n}</{t}>' for t, n in zip(tags, numbers, strict=True))
        return f'<object><name>{name}</name><polygon>{inner}</polygon></object>'

    text = (
        '<annotation><filename>00001</filename><size><width>840</width>'
        '<height>712</height><depth>3</depth></size>'
        + polygon('car', 120, 110, 150, 120, 140, 150, 110, 140)
        + polygon('feright car', 90, 300, 160, 300, 160, 330, 90, 330)  # over the edge
        + '<object><name>truvk</name><bndbox><xmin>200</xmin><ymin>200</ymin>'
        '<xmax>240</xmax><ymax>220</ymax></bndbox></object>'
        + polygon('*', 300, 300, 310, 300, 310, 310, 300, 310)
        + polygon('', 300, 300, 310, 300, 310, 310, 300, 310)
        + polygon('bus', 10, 10, 50, 10, 50, 50, 10, 50)  # in the border alone
        + '<object><name>van</name><point><x>5</x></point></object></annotation>'
    )
    label = root / 'train' / 'trainlabelr' / '00001.xml'
    label.parent.mkdir()
    label.write_text(text)
    return root


@pytest.fixture
def voc_text() -> Callable[..., str]:
    """See :func:`voc`; test modules cannot import this one."""
    return voc


@pytest.fixture
def make_image() -> Callable[..., None]:
    """See :func:`write_image`."""
    return write_image
