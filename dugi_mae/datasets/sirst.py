"""Single-frame infrared small targets: SIRST, IRSTD-1k, NUDT-SIRST and the like."""

from __future__ import annotations

from pathlib import Path

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from dugi_mae.datasets.data_root import check_data_root
from dugi_mae.datasets.lists import read_lines
from dugi_mae.datasets.pretrain import IMAGE_EXTENSIONS
from dugi_mae.errors import DuGIError

#: Where images and masks lie below the data folder, in order of preference.
LAYOUTS = (
    ('mixed', 'annotations/masks'),  # SIRST-V2
    ('IRSTD1k_Img', 'IRSTD1k_Label'),  # IRSTD-1k
    ('images', 'masks'),  # SIRST v1, NUDT-SIRST, BasicIRSTD, DNANet
)
#: What may stand between an image's name and its mask's extension.
MASK_SUFFIXES = ('_pixels0', '')


def files_by_stem(folder: Path) -> dict[str, Path]:
    """The images of a folder (not below it) by their names without extension."""
    if not folder.is_dir():
        raise DuGIError(f'folder {folder} does not exist: correct data_prefix')
    return {
        path.stem: path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in IMAGE_EXTENSIONS
    }


def read_split(path: Path) -> list[str]:
    """Names of a split file, one a line; blank lines and extensions are dropped.

    Args:
        path: A text file.

    Returns:
        Names without extension, in the order of the file.
    """
    if not path.is_file():
        near = sorted(p.name for p in path.parent.glob('*.txt')) or ['none']
        raise DuGIError(
            f'split file {path} does not exist: correct ann_file (found there: '
            f'{", ".join(near[:8])})'
        )
    names = []
    for name in read_lines(path, 'split file', 'correct ann_file'):
        suffix = Path(name).suffix.lower()
        names.append(name[: -len(suffix)] if suffix in IMAGE_EXTENSIONS else name)
    return names


def found_instead(folder: Path, name: str) -> str:
    """Files of a folder that may be meant by a name, for messages; often none."""
    beginnings = tuple(name + c for c in '._-')
    found = sorted(p.name for p in folder.iterdir() if p.name.startswith(beginnings))
    return f' (found {", ".join(found[:4])})' if found else ''


@DATASETS.register_module()
class SIRSTDataset(BaseSegDataset):
    """Images with target masks; backgrounds without any target are kept.

    Layouts found by themselves: ``images/`` with ``masks/`` (SIRST v1, NUDT-SIRST, and
    any set as BasicIRSTD and DNANet arrange it), ``IRSTD1k_Img/`` with
    ``IRSTD1k_Label/`` (IRSTD-1k) and ``mixed/`` with ``annotations/masks/`` (SIRST-V2);
    mask names ``<name>.png`` or ``<name>_pixels0.png``. Masks are read by
    ``LoadTargetMask``.

    Args:
        data_root: Folder of the set.
        ann_file: Split file relative to ``data_root``, such as ``idx_427/train.txt``,
            ``splits/train_full.txt``, ``img_idx/train_NUAA-SIRST.txt`` or
            ``50_50/train.txt``; ``''`` takes all images.
        seg_map_suffix: What follows an image's name in its mask's, such as
            ``_mask.png``, where it is neither of the two above.
        **kwargs: As in mmseg's ``BaseSegDataset`` (``pipeline``, ``data_prefix``, ...).

    Raises:
        DuGIError: If a folder, split, image or mask is missing or a split is empty.
    """

    METAINFO = dict(
        classes=('background', 'target'), palette=[[0, 0, 0], [255, 40, 40]]
    )

    def __init__(
        self,
        data_root: str,
        ann_file: str = '',
        seg_map_suffix: str | None = None,
        **kwargs,
    ) -> None:
        self.mask_suffixes = MASK_SUFFIXES
        if seg_map_suffix is not None:
            self.mask_suffixes = (seg_map_suffix.rsplit('.', 1)[0],)
        root = check_data_root(data_root)
        kwargs.setdefault('data_prefix', self.find_layout(root))
        super().__init__(ann_file=ann_file, data_root=str(root), **kwargs)

    @staticmethod
    def find_layout(root: Path) -> dict[str, str]:
        """The layout of a data folder, as mmseg's ``data_prefix``."""
        for images, masks in LAYOUTS:
            if (root / images).is_dir() and (root / masks).is_dir():
                return dict(img_path=images, seg_map_path=masks)
        known = ' or '.join(f'{images}/ with {masks}/' for images, masks in LAYOUTS)
        raise DuGIError(
            f'data folder {root} has none of the known layouts: expected {known}; '
            'correct data_root or set data_prefix'
        )

    def load_data_list(self) -> list[dict]:
        """List the images of the split with their masks."""
        img_dir, mask_dir = (
            Path(self.data_prefix[key]) for key in ('img_path', 'seg_map_path')
        )
        images, masks = files_by_stem(img_dir), files_by_stem(mask_dir)
        names = read_split(Path(self.ann_file)) if self.ann_file else sorted(images)
        if not names:
            raise DuGIError(f'folder {img_dir} holds no image: copy the set there')
        samples = []
        for name in names:
            if name not in images:
                raise DuGIError(
                    f'image {name} of {self.ann_file} is not in {img_dir}'
                    f'{found_instead(img_dir, name)}: copy it there, as PNG, JPEG or '
                    'TIFF, or take it off the list'
                )
            candidates = [name + suffix for suffix in self.mask_suffixes]
            mask = next((masks[stem] for stem in candidates if stem in masks), None)
            if mask is None:
                raise DuGIError(
                    f'image {images[name]} has no mask in {mask_dir}'
                    f'{found_instead(mask_dir, name)}: call it '
                    f'{" or ".join(f"{stem}.png" for stem in candidates)}, all black '
                    'if there is no target, or set seg_map_suffix'
                )
            samples.append(
                dict(
                    img_path=str(images[name]),
                    seg_map_path=str(mask),
                    label_map=self.label_map,
                    reduce_zero_label=self.reduce_zero_label,
                    seg_fields=[],
                )
            )
        return samples
