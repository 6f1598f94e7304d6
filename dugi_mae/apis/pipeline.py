"""The test pipeline of a config, for images that are no data set."""

from __future__ import annotations

from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from numpy import ndarray

from dugi_mae.apis.inputs import InputImage
from dugi_mae.mm.transforms import LoadInfraredImage
from dugi_mae.errors import DuGIError

#: Transforms that read labels.
LABEL_TRANSFORMS = ('LoadTargetMask', 'LoadAnnotations')


def transform_name(step: dict) -> str:
    """Name of a transform's class, without scope."""
    return str(step['type']).rsplit('.', 1)[-1]


class PredictPipeline:
    """A config's test pipeline without labels, for files and arrays.

    Args:
        config: Its ``test_dataloader`` (or ``val_dataloader``, or ``val_pipeline``)
            names the pipeline.

    Attributes:
        loader: The transform that reads images.
        label_transforms: Configs of the transforms left out.

    Raises:
        DuGIError: If there is no pipeline, or it does not begin with our loader.
    """

    def __init__(self, config: Config) -> None:
        dataloader = config.get('test_dataloader') or config.get('val_dataloader')
        steps = dataloader.dataset.get('pipeline') if dataloader else None
        steps = steps or config.get('val_pipeline') or []
        names = [transform_name(step) for step in steps]
        if not names or names[0] != 'LoadInfraredImage':
            raise DuGIError(
                f'config {config.filename} has no test pipeline that begins with '
                'LoadInfraredImage: set test_dataloader.dataset.pipeline'
            )
        kwargs = {k: v for k, v in steps[0].items() if k != 'type'}
        self.loader = LoadInfraredImage(**kwargs)
        named = list(zip(names, steps, strict=True))[1:]
        self.label_transforms = {n: s for n, s in named if n in LABEL_TRANSFORMS}
        with DefaultScope.overwrite_default_scope(config.default_scope):
            self.rest = Compose([s for n, s in named if n not in LABEL_TRANSFORMS])

    def __call__(self, image: InputImage) -> tuple[dict, ndarray]:
        """Load one image and run the pipeline.

        Returns:
            The packed sample, and the image as loaded, ``(H, W, C)``.
        """
        pixels = image.load(self.loader)
        shape = pixels.shape[:2]
        results = dict(
            img=pixels, img_path=image.source, img_shape=shape, ori_shape=shape
        )
        return self.rest(results), pixels
