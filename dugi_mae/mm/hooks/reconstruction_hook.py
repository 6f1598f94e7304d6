"""Pictures of what pre-training has learned, and the filter's three scalars."""

from __future__ import annotations

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from dugi_mae.visualization import draw_reconstruction

from .reporting import is_reported


@HOOKS.register_module()
class ReconstructionHook(Hook):
    """Draw reconstructions of held-out images and log r, alpha and beta.

    A panel (image, entropy map, kept tokens, AFDM output and radial profile,
    reconstruction) goes to the runner's visualizer after every ``interval``-th
    epoch; with the local backend that is ``WORK_DIR/TIME/vis_data/vis_image/``. The
    images are spread evenly over the validation set, or the training set where there
    is none. r, alpha and beta appear beside the loss in every log line. Registered in
    mmengine's root.

    Args:
        interval: Epochs between two panels.
        num_images: Rows of a panel.
    """

    priority = 'NORMAL'  # before the logger's

    def __init__(self, interval: int = 1, num_images: int = 4) -> None:
        self.interval = interval
        self.num_images = num_images
        self._images: torch.Tensor | None = None

    @staticmethod
    def _model(runner: Runner):
        model = runner.model
        return model.module if is_model_wrapper(model) else model

    def after_train_iter(self, runner: Runner, batch_idx: int, *_, **__) -> None:
        """Log the filter of the guidance, where the logger does."""
        guidance = getattr(self._model(runner), 'guidance', None)
        afdm = getattr(guidance, 'afdm', None)
        if afdm is None or not is_reported(self, runner, batch_idx):
            return
        for name in ('radius', 'alpha', 'beta'):
            value = getattr(afdm, name).item()
            runner.message_hub.update_scalar(f'train/afdm_{name}', value)

    def after_train_epoch(self, runner: Runner) -> None:
        """Draw a panel every ``interval`` epochs, on the first process."""
        if not self.every_n_epochs(runner, self.interval) or runner.rank != 0:
            return
        model = self._model(runner)
        if self._images is None:
            self._images = self._load_images(runner)
        images = self._images.to(next(model.parameters()).device)
        training = model.training
        model.eval()
        panel = draw_reconstruction(model, images)
        model.train(training)
        runner.visualizer.add_image('reconstruction', panel, step=runner.epoch + 1)

    def _load_images(self, runner: Runner) -> torch.Tensor:
        """Evenly spaced images of the validation (or training) set, normalised."""
        loop = runner.val_loop or runner.train_loop
        dataset, collate = loop.dataloader.dataset, loop.dataloader.collate_fn
        count = min(self.num_images, len(dataset))
        batch = collate([dataset[i * len(dataset) // count] for i in range(count)])
        return self._model(runner).data_preprocessor(batch, False)['inputs']
