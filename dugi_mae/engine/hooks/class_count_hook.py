"""A model's ``num_classes`` and the classes of its data set agree."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from dugi_mae.errors import DuGIError


@HOOKS.register_module()
class ClassCountHook(Hook):
    """Raise before training or testing where a head has another number of classes.

    A head with too few takes the next class for background, or ends with an index out
    of range wherever the first such label comes up; the hosts' losses say neither. All
    heads with ``num_classes`` are compared, except a region proposal network, which
    tells objects of any class from background. Data sets without ``metainfo.classes``
    are left alone. Registered in mmengine's root.

    Raises:
        DuGIError: Before the first iteration; the message names the head.
    """

    def before_train(self, runner: Runner) -> None:
        """Compare with the training set."""
        self._check(runner, runner.train_dataloader.dataset, 'train_dataloader')

    def before_val(self, runner: Runner) -> None:
        """Compare with the validation set."""
        self._check(runner, runner.val_dataloader.dataset, 'val_dataloader')

    def before_test(self, runner: Runner) -> None:
        """Compare with the test set."""
        self._check(runner, runner.test_dataloader.dataset, 'test_dataloader')

    def _check(self, runner: Runner, dataset, loader: str) -> None:
        classes = getattr(dataset, 'metainfo', {}).get('classes')
        if classes is None:
            return
        for name, module in runner.model.named_modules():
            if 'head' not in name or name.endswith('rpn_head'):
                continue
            count = getattr(module, 'num_classes', None)
            if count in (None, len(classes)):
                continue
            shown = ', '.join(map(str, classes[:8])) + ', ...' * (len(classes) > 8)
            raise DuGIError(
                f'model.{name}.num_classes={count}, but {loader}.dataset has '
                f'{len(classes)} classes ({shown}): set num_classes to '
                f'{len(classes)}, or metainfo.classes to those wanted'
            )
