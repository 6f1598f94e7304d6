"""True masks to compare predictions with; needs mmseg."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy import ndarray

from dugi_mae.apis.inputs import InputImage
from dugi_mae.converters.folders import images_by_stem
from dugi_mae.files import found_instead
from dugi_mae.mm.datasets.sirst import MASK_SUFFIXES
from dugi_mae.mm.transforms.target_mask import LoadTargetMask
from dugi_mae.errors import DuGIError

#: A folder of masks, one mask, or a list with one mask an image.
Truth = str | Path | ndarray | Sequence[str | Path | ndarray]


class TruthMasks:
    """Finds the mask of each image of a run.

    Args:
        truth: A folder with masks called as the images (``NAME.png`` or
            ``NAME_pixels0.png``; frames of a video are ``VIDEO_000000`` and so on), or
            a file or array for a single image, or a list of files and arrays in the
            order of the images.
        total: Number of images.
        loader: How mask files are read.

    Raises:
        DuGIError: If a folder or file does not exist, or a list has another length.
    """

    def __init__(self, truth: Truth, total: int, loader: LoadTargetMask) -> None:
        self.loader = loader
        self.folder, self.masks = None, truth
        if isinstance(truth, (str, Path)) and not Path(truth).is_file():
            if not Path(truth).is_dir():
                raise DuGIError(f'truth {truth} does not exist: check the path')
            self.folder = Path(truth)
            self.masks = images_by_stem(self.folder)
            return
        if not isinstance(truth, (list, tuple)):
            self.masks = [truth]
        if len(self.masks) != total:
            raise DuGIError(
                f'truth has {len(self.masks)} masks for {total} images: give one for '
                'each, in their order, or a folder'
            )

    def _find(self, image: InputImage) -> Path | ndarray:
        if self.folder is None:
            if image.index is None:
                raise DuGIError(
                    f'image {image.name} has no mask in the list: the header of '
                    f'{image.source} tells of fewer frames, give a folder of masks'
                )
            return self.masks[image.index]
        stem = Path(image.source).stem if image.frame is None else Path(image.name).name
        for suffix in MASK_SUFFIXES:
            if stem + suffix in self.masks:
                return self.masks[stem + suffix]
        raise DuGIError(
            f'image {image.name} has no mask in {self.folder}'
            f'{found_instead(self.folder, stem)}: call it '
            f'{" or ".join(f"{stem}{s}.png" for s in MASK_SUFFIXES)}, all black if '
            'there is no target'
        )

    def __call__(self, image: InputImage, shape: tuple[int, int]) -> ndarray:
        """The mask of an image, ``(H, W)`` boolean.

        Args:
            image: Whose mask.
            shape: Height and width that it must have.

        Raises:
            DuGIError: If there is none, or it is damaged or of another size.
        """
        mask = self._find(image)
        if not isinstance(mask, np.ndarray):
            results = dict(
                seg_map_path=str(mask), img_path=image.source, ori_shape=shape
            )
            return self.loader.transform(results)['gt_seg_map'] > 0
        if mask.shape != tuple(shape):
            raise DuGIError(
                f'mask of {image.name} has shape {mask.shape}, its image {shape}: give '
                'an (H, W) array of the size of the image'
            )
        return mask > 0
