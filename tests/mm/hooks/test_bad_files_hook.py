"""Pre-training on folders in which some files are no usable images."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import toys
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from dugi_mae.errors import DuGIError
from dugi_mae.mm.hooks import BadFilesHook

#: What of the config the runner is built from.
PARTS = ('model', 'train_dataloader', 'optim_wrapper', 'default_hooks', 'randomness')


class Record(Hook):
    """Keeps losses and files; stops where it is told to, as a crash would."""

    priority = 'LOWEST'

    def __init__(self, stop: int | None = None) -> None:
        self.losses: dict[int, float] = {}
        self.files: list[str] = []
        self.stop = stop

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        """Write one iteration down."""
        self.losses[runner.iter] = outputs['loss'].item()
        self.files += [sample.img_path for sample in data_batch['data_samples']]
        if runner.iter == self.stop:
            raise KeyboardInterrupt


def reported(runner: Runner) -> dict[str, str]:
    """Names and reasons in the list of a run; no file is there twice."""
    path = Path(runner.work_dir) / 'bad_files.txt'
    lines = path.read_text().splitlines() if path.is_file() else []
    pairs = [line.split('\t') for line in lines]
    found = {Path(name).name: reason for reason, name in pairs}
    assert len(found) == len(lines)
    return found


def info(runner: Runner) -> dict:
    return runner.message_hub.runtime_info


@pytest.fixture
def make_runner(tmp_path, toy_pretrain_model) -> Callable[..., Runner]:
    """Make a runner of the tiny pre-training config with a toy encoder."""
    number = iter(range(1000))

    def make(
        data: Path,
        batch_size: int,
        workers: int = 0,
        hooks=(),
        name: str = 'run',
        iters: int | None = None,
        hook: dict | None = None,
        **options,
    ) -> Runner:
        config = Config.fromfile(toy_pretrain_model[0])
        dataset = dict(data_root=str(data), split=None)
        loader = dict(batch_size=batch_size, dataset=dataset, num_workers=workers)
        # Persistent ones outlive the run and take seconds to be collected.
        loader |= dict(persistent_workers=False)
        for step in config.train_dataloader.dataset.pipeline:
            if 'scale' in step:
                step['scale'] = 32
        length = dict(max_iters=iters) if iters else dict(max_epochs=1)
        config.merge_from_dict(
            dict(
                train_dataloader=loader,
                default_hooks=dict(bad_files=hook or {}),
            )
        )
        if iters:
            config.train_dataloader.sampler.type = 'InfiniteSampler'
            config.default_hooks.checkpoint.update(by_epoch=False, interval=3)
        return Runner(
            **{part: config[part] for part in PARTS},
            train_cfg=dict(by_epoch=iters is None, **length),
            custom_hooks=list(hooks),
            work_dir=str(tmp_path / name),
            default_scope='mmpretrain',
            experiment_name=f'{tmp_path.name}{next(number)}',
            log_level='WARNING',
            cfg=Config(),
            **options,
        )

    return make


def test_a_few_bad_files(tmp_path, make_runner, write_bad_images, read_log):
    """200 files, 5 of them bad: both runs end, and report exactly those, once.

    With 0 and 2 workers; batches stay full and the losses are the same.
    """
    data, kinds = tmp_path / 'data', ('empty.png', 'cut.jpg', 'text.png', 'bomb.png')
    toys.write_images(data, 195)
    bad = write_bad_images(data)
    for name in set(bad) - {*kinds, 'nan.tiff'}:
        (data / name).unlink()
        del bad[name]
    records = {}
    for workers in (0, 2):
        record = records[workers] = Record()
        runner = make_runner(data, 50, workers, [record], name=f'{workers}_workers')
        runner.train()
        assert runner.iter == 4 and len(record.files) == 200
        assert reported(runner) == bad
        assert info(runner)['bad_files_read'] == 5
        assert info(runner)['files_read'] == 205
        log = read_log(runner)
        for name in bad:
            assert log.count(f'bad file, skipped: {data / name} ') == 1
        assert '5 bad files were skipped (' in log and 'cut short: 1' in log
        assert all(Path(path).stem.isdigit() for path in record.files)
    assert records[0].losses == records[2].losses
    assert records[0].files == records[2].files


def test_too_many_bad_files_end_the_run(tmp_path, make_runner, write_bad_images):
    """The error is one line with counts and reasons; the list is there."""
    data = tmp_path / 'data'
    toys.write_images(data, 13)
    write_bad_images(data)
    runner = make_runner(data, 5, hook=dict(max_bad_share=0.2, min_files=10))
    with pytest.raises(DuGIError, match=r'^\d+ of \d+ files read are bad') as caught:
        runner.train()
    error = str(caught.value)
    assert '\n' not in error and 'more than max_bad_share=0.2 allows (' in error
    found = reported(runner)
    assert found and all(f'{reason}: ' in error for reason in found.values())


def test_a_few_at_the_start_do_not(tmp_path, make_runner, write_bad_images):
    """The share is one of ``min_files`` files while fewer were read."""
    data = tmp_path / 'data'
    toys.write_images(data, 13)
    bad = write_bad_images(data)
    runner = make_runner(data, 5, hook=dict(max_bad_share=0.2, min_files=200))
    runner.train()
    assert reported(runner) == bad


def test_nothing_but_bad_files(tmp_path, make_runner, write_bad_images):
    """The run ends with the reasons instead of searching for ever."""
    write_bad_images(tmp_path / 'data')
    runner = make_runner(tmp_path / 'data', 2, workers=2)
    with pytest.raises(DuGIError, match='101 images in a row .*damaged') as caught:
        runner.train()
    # Workers that are left to the garbage collector take 5 seconds each.
    traceback.clear_frames(caught.tb)


def test_a_resume_goes_on(tmp_path, make_runner, write_bad_images):
    """Losses, counts and list are those of the uninterrupted run."""
    data = tmp_path / 'data'
    toys.write_images(data, 33)
    bad = write_bad_images(data)
    hook = dict(max_bad_share=0.5)
    whole, before, after = Record(), Record(stop=6), Record()
    runner = make_runner(data, 5, 0, [whole], 'whole', 9, hook)
    runner.train()
    with pytest.raises(KeyboardInterrupt):
        make_runner(data, 5, 0, [before], 'cut', 9, hook).train()
    resumed = make_runner(data, 5, 0, [after], 'cut', 9, hook, resume=True)
    resumed.train()
    assert list(after.losses) == [6, 7, 8]
    assert before.losses | after.losses == whole.losses
    assert reported(resumed) == reported(runner) == bad
    for key in ('files_read', 'bad_files_read'):
        assert info(resumed)[key] == info(runner)[key]


def test_validation_is_counted_too(tmp_path, make_runner, write_bad_images):
    """A bad file among held-out images does not end a run, and is listed."""
    toys.write_images(tmp_path / 'data', 4)
    toys.write_images(tmp_path / 'held_out', 5)
    bad = write_bad_images(tmp_path / 'held_out')
    steps = [
        dict(type='LoadInfraredImage'),
        dict(type='CenterCrop', crop_size=32),
        dict(type='PackInputs'),
    ]
    runner = make_runner(
        tmp_path / 'data',
        2,
        hook=dict(max_bad_share=0.9),
        val_dataloader=dict(
            batch_size=4,
            num_workers=0,
            collate_fn=dict(type='default_collate'),
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(
                type='InfraredPretrainDataset',
                data_root=str(tmp_path / 'held_out'),
                pipeline=steps,
                skip_bad_files=True,
            ),
        ),
        val_cfg=dict(),
        val_evaluator=dict(type='ReconstructionMetric'),
    )
    runner.train()
    assert reported(runner) == bad
    assert info(runner)['files_read'] - info(runner)['bad_files_read'] == 16


def test_a_new_run_begins_a_new_list(tmp_path, make_runner):
    """What an earlier run in the same folder found is forgotten."""
    toys.write_images(tmp_path / 'data', 4)
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run' / 'bad_files.txt').write_text('empty\tgone.png\n')
    runner = make_runner(tmp_path / 'data', 2)
    runner.train()
    assert reported(runner) == {}


def test_two_processes_share_counts_and_list(
    tmp_path, make_runner, write_bad_images, in_two_processes
):
    """Each process knows what all have read; the first writes what all have found."""
    data = tmp_path / 'data'
    toys.write_images(data, 13)
    bad = write_bad_images(data)

    def work(rank: int) -> None:
        runner = make_runner(data, 5, hook=dict(max_bad_share=0.5))
        runner.train()
        assert info(runner)['files_read'] - info(runner)['bad_files_read'] == 20
        torch.distributed.barrier()
        assert reported(runner) == bad

    in_two_processes(work)


@pytest.mark.parametrize('kwargs', [dict(max_bad_share=5), dict(min_files=0)])
def test_bad_arguments(kwargs):
    """Limits that mean nothing are refused."""
    with pytest.raises(DuGIError, match='=[50] is out of range'):
        BadFilesHook(**kwargs)
