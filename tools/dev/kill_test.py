"""Kill a toy training again and again; compare it with one left alone.

Of three kills one aims at the writing of a checkpoint and one comes at a random moment,
both with SIGKILL; the third is SIGTERM, which the training answers by saving.
After each the run is resumed. In the end weights, optimizer and every loss must be
bit-equal to those of the uninterrupted run. Children are forked from a process that has
imported everything, so that a start costs no import. Needs Linux and no GPU.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

# Before torch is imported: a fork must not inherit a pool of threads.
os.environ.update(OMP_NUM_THREADS='1', MKL_NUM_THREADS='1')

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from tqdm import tqdm

from dugi_mae import enable_safe_loading
from dugi_mae.checkpoints.io import read_checkpoint
from dugi_mae.cli import run_cli
from dugi_mae.files import TEMPORARY_SUFFIX
from dugi_mae.images.synthetic import write_dataset

CONFIG = (
    Path(__file__).parents[2]
    / 'configs/pretrain/dugi-mae_convvit-tiny_infrared-unlabeled.py'
)
ARCH = dict(_delete_=True, embed_dims=(64, 96, 128), depths=(1, 1, 2), num_heads=4)
ITERS_PER_EPOCH = 4
WAYS = ('in a write', 'by SIGTERM', 'at random')
#: What of the config the runner is built from.
RUNNER_PARTS = (
    *('model', 'work_dir', 'train_dataloader', 'train_cfg', 'optim_wrapper'),
    *('param_scheduler', 'default_hooks', 'custom_hooks', 'resume', 'env_cfg'),
    *('log_level', 'default_scope', 'randomness'),
)


@HOOKS.register_module()
class RecordHook(Hook):
    """Append each iteration and its loss to a file, past any buffer."""

    def __init__(self, path: str) -> None:
        self.path = path

    def before_train(self, runner: Runner) -> None:
        """Open the record."""
        self.file = open(self.path, 'ab', buffering=0)

    def after_train_iter(self, runner: Runner, batch_idx, data_batch, outputs) -> None:
        """Write one entry."""
        self.file.write(f'{runner.iter} {outputs["loss"].item()!r}\n'.encode())


def toy_config(folder: Path, data: Path, args: argparse.Namespace) -> Config:
    """Real pre-training with a toy encoder, in few iterations.

    Args:
        folder: Work dir.
        data: Unlabelled images.
        args: Of the command line.
    """
    epochs = 2 * args.kills + 2
    by_epoch = args.loop == 'epoch'
    iters = epochs * ITERS_PER_EPOCH
    config = Config.fromfile(CONFIG)
    config.merge_from_dict(
        {
            'work_dir': str(folder),
            'model.backbone.arch': dict(ARCH),  # _delete_ is taken out
            'model.neck.decoder_embed_dims': 128,
            'model.neck.decoder_num_heads': 4,
            'train_dataloader.batch_size': 2,
            'train_dataloader.num_workers': args.workers,
            'train_dataloader.persistent_workers': args.workers > 0,
            'train_dataloader.dataset.data_root': str(data),
            'train_dataloader.dataset.split': None,
            'train_dataloader.dataset.indices': 2 * ITERS_PER_EPOCH,
            'default_hooks.checkpoint.by_epoch': by_epoch,
            'default_hooks.checkpoint.interval': 1 if by_epoch else ITERS_PER_EPOCH,
            'default_hooks.logger.interval': 50,
            'log_level': 'WARNING',
            'resume': True,
        }
    )
    warm_up = dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=iters)
    config.param_scheduler = [warm_up]
    config.custom_hooks = [dict(type='RecordHook', path=str(folder / 'record'))]
    length = dict(max_epochs=epochs) if by_epoch else dict(max_iters=iters)
    config.train_cfg = dict(by_epoch=by_epoch, **length)
    if not by_epoch:
        config.train_dataloader.sampler.type = 'InfiniteSampler'
    for step in config.train_dataloader.dataset.pipeline:
        if 'scale' in step:
            step['scale'] = 32
    return config


def start(config: Config) -> int:
    """Fork a training; returns its process id."""
    Path(config.work_dir).mkdir(parents=True, exist_ok=True)
    child = os.fork()
    if child:
        return child
    # Loader workers die with the group.
    os.setsid()
    with open(f'{config.work_dir}/output.log', 'a', buffering=1) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    status = 1
    try:
        # Without `cfg`: to print it as text takes longer than to train.
        parts = {key: config[key] for key in RUNNER_PARTS}
        Runner(**parts, cfg=Config()).train()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def read_record(folder: Path) -> list[list[str]]:
    """Iterations and losses so far; a float and its ``repr`` are equal to the bit."""
    path = folder / 'record'
    return [line.split() for line in path.open()] if path.is_file() else []


def unfinished(folder: Path) -> list[Path]:
    """Files that are being written, or were when their process was killed."""
    return list(folder.glob(f'.*.pth.*{TEMPORARY_SUFFIX}'))


def check_running(child: int) -> None:
    """Exit with an error where a child has come to its end."""
    pid, status = os.waitpid(child, os.WNOHANG)
    if pid:
        sys.exit(f'the training ended before the last kill (status {status})')


def finish(config: Config) -> None:
    """Train to the end; exit with the output where that fails."""
    if os.waitpid(start(config), 0)[1]:
        sys.exit(Path(config.work_dir, 'output.log').read_text())


def kill(child: int, folder: Path, way: str, chance: random.Random) -> None:
    """Wait for the moment and kill in one of :data:`WAYS`."""
    in_write = way == 'in a write'
    # A write is awaited after some progress, else nothing would ever be saved.
    wanted = len(read_record(folder)) + chance.randrange(1, 2 * ITERS_PER_EPOCH)
    while len(read_record(folder)) < wanted:
        check_running(child)
        time.sleep(0.002)
    if in_write:
        for path in unfinished(folder):
            path.unlink(missing_ok=True)
    while in_write and not unfinished(folder):
        check_running(child)
    time.sleep(chance.uniform(0, 0.002 if in_write else 0.1))
    check_running(child)
    os.killpg(child, signal.SIGTERM if way == 'by SIGTERM' else signal.SIGKILL)
    os.waitpid(child, 0)


def same(first: object, second: object) -> bool:
    """Whether two parts of checkpoints are equal to the bit."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(
            same(first[key], second[key]) for key in first
        )
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second


def parse_args() -> argparse.Namespace:
    """Parse the flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--kills', type=int, default=30)
    parser.add_argument('--loop', choices=['epoch', 'iter'], default='epoch')
    parser.add_argument('--workers', type=int, default=0, help='of the data loader')
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    return parser.parse_args()


def main() -> None:
    """Train twice, once without kills, and compare."""
    args = parse_args()
    chance = random.Random(args.seed)
    with enable_safe_loading(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = write_dataset(folder / 'data', 24, height=64, width=64).unlabeled
        alone, killed = folder / 'alone', folder / 'killed'
        finish(toy_config(alone, data, args))
        in_write, config = 0, toy_config(killed, data, args)
        ways = [WAYS[number % len(WAYS)] for number in range(args.kills)]
        for way in tqdm(ways, 'kills'):
            kill(start(config), killed, way, chance)
            in_write += bool(unfinished(killed))
        finish(config)
        told = ways.count('by SIGTERM')
        print(f'kills: {args.kills}, of which by SIGTERM: {told}')
        print(f'kills inside a checkpoint write: {in_write}')
        print(f'resumes: {args.kills}')
        compare(alone, killed)


def compare(alone: Path, killed: Path) -> None:
    """Print the counts; exit with an error where the two runs differ."""
    entries, losses = read_record(killed), dict(read_record(alone))
    wrong = [i for i, loss in entries if loss != losses[i]]
    last = Path((alone / 'last_checkpoint').read_text()).name
    first, second = (read_checkpoint(run / last) for run in (alone, killed))
    parts = ('state_dict', 'optimizer', 'param_schedulers')
    different = [part for part in parts if not same(first[part], second[part])]
    print(
        f'iterations: {len(losses)} to do, {len(entries)} done, '
        f'{len(entries) - len(losses)} lost and done again'
    )
    print(f'losses that differ from the uninterrupted run: {len(wrong)}')
    print(
        f'parts of the final checkpoint that differ: {", ".join(different) or "none"}'
    )
    sys.exit(bool(wrong or different))


if __name__ == '__main__':
    run_cli(main)
