"""The hosts' own inferencers read images as our configs say.

``DetInferencer``, ``MMSegInferencer`` and ``FeatureExtractor`` look for
``LoadImageFromFile`` by name and put a reader of theirs into its place, which turns
16-bit images into one or two grey levels. :func:`use_infrared_loading` lets them take
``LoadInfraredImage`` instead. The entry modules call it; configs without that transform
work as before.
"""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import Compose, default_collate
from mmengine.registry import TRANSFORMS, DefaultScope
from mmpretrain import FeatureExtractor

from dugi_mae.apis.host_pictures import encode_picture, to_picture
from dugi_mae.apis.pipeline import LABEL_TRANSFORMS, transform_name
from dugi_mae.datasets.transforms import LoadInfraredImage

#: Arguments of ``visualize``, any host's, that ask for a picture.
DRAWING = ('show', 'return_vis', 'img_out_dir', 'show_dir')


class InferencerInput(BaseTransform):
    """Load what an inferencer was given.

    Args:
        loader: Reads files and converts arrays.
    """

    def __init__(self, loader: LoadInfraredImage) -> None:
        self.loader = loader

    def transform(self, results: str | np.ndarray | dict) -> dict:
        """A path, an array ``(H, W)`` or ``(H, W, C)``, or a dict with one of them.

        Returns:
            The dict with ``img``, ``img_path``, ``img_shape`` and ``ori_shape``.
        """
        if isinstance(results, np.ndarray):
            results = dict(img=results)
        elif not isinstance(results, dict):
            results = dict(img_path=str(results))
        if 'img' not in results:
            return self.loader(results)
        image = self.loader.convert(results['img'])
        shape = image.shape[:2]
        return (
            {'img_path': None}
            | results
            | dict(img=image, img_shape=shape, ori_shape=shape)
        )

    def show(self, item: str | np.ndarray, folder: Path) -> str | np.ndarray:
        """What a host draws on: a file of the same name, or an array ``(H, W, 3)``."""
        if isinstance(item, np.ndarray):
            return to_picture(self.loader.convert(item))
        folder.mkdir()
        path = folder / Path(item).name
        path.write_bytes(encode_picture(self.loader, item))
        return str(path)


def use_infrared_loading(inferencer: type) -> None:
    """Teach an inferencer class of a host our loading transform, once.

    Its model and its pictures then see the same image.

    Args:
        inferencer: Has ``_init_pipeline(config)`` and ``visualize(inputs, ...)``, as in
            mmengine.
    """
    if 'infrared_loading' in vars(inferencer):
        return
    inferencer.infrared_loading = True
    original, draw = inferencer._init_pipeline, inferencer.visualize

    @wraps(original)
    def init_pipeline(self, config):
        steps = config.test_dataloader.dataset.pipeline
        if not steps or transform_name(steps[0]) != 'LoadInfraredImage':
            return original(self, config)
        load = InferencerInput(TRANSFORMS.build(steps[0]))
        rest = [
            step for step in steps[1:] if transform_name(step) not in LABEL_TRANSFORMS
        ]
        # The host finds a loader of its own kind, and does to the rest what it does.
        config.test_dataloader.dataset.pipeline = [
            dict(type='LoadImageFromFile'),
            *rest,
        ]
        # Another host's inferencer may have left its scope.
        with DefaultScope.overwrite_default_scope(config.get('default_scope')):
            built = original(self, config)
        kept = built.transforms[-len(rest) :]
        return Compose([load, *kept])

    @wraps(draw)
    def visualize(self, inputs, preds, **kwargs):
        first = self.pipeline.transforms[0]
        drawn = any(kwargs.get(name) for name in DRAWING)
        if not drawn or not isinstance(first, InferencerInput):
            return draw(self, inputs, preds, **kwargs)
        # Hosts name a picture after its file, which they read.
        with TemporaryDirectory() as folder:
            shown = [
                first.show(item, Path(folder, str(place)))
                for place, item in enumerate(inputs)
            ]
            return draw(self, shown, preds, **kwargs)

    inferencer._init_pipeline = init_pipeline
    inferencer.visualize = visualize


def use_infrared_features(extractor: type[FeatureExtractor]) -> None:
    """The same for mmpretrain's ``FeatureExtractor``, which loads before its pipeline.

    Args:
        extractor: The class.
    """
    if 'infrared_loading' in vars(extractor):
        return
    use_infrared_loading(extractor)
    original = extractor.preprocess

    @wraps(original)
    def preprocess(self, inputs, batch_size=1):
        first = self.pipeline.transforms[0]
        if not isinstance(first, InferencerInput):
            yield from original(self, inputs, batch_size)
            return
        samples = map(self.pipeline, inputs)
        yield from map(default_collate, self._get_chunk_data(samples, batch_size))

    extractor.preprocess = preprocess
