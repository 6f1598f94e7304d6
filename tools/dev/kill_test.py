"""Kill a toy training with SIGKILL again and again; compare it with one left alone.

Half of the kills aim at the writing of a checkpoint, the others come at random moments.
After each the run is resumed. In the end weights, optimizer and every loss must be
bit-equal to those of the uninterrupted run. Children are forked from a process that has
imported everything, so that a start costs no import. Needs Linux and no GPU.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import struct
import sys
import tempfile
import time
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
#: What of the config the runner is built from.
RUNNER_PARTS = (
    *('model', 'work_dir', 'train_dataloader', 'train_cfg', 'optim_wrapper'),
    *('param_scheduler', 'default_hooks', 'custom_hooks', 'resume', 'env_cfg'),
    *('log_level', 'default_scope', 'randomness'),
)
#: One line of the record: an iteration and its loss.
ENTRY = struct.Struct('<qd')


@HOOKS.register_module()
class RecordHook(Hook):
    """Append each iteration and its loss to a file, past any buffer."""

    def __init__(self, path: str) -> None:
        self.path = path

    def before_train(self, runner: Runner) -> None:
        """Open the record."""
        self.file = os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def after_train_iter(self, runner: Runner, batch_idx, data_batch, outputs) -> None:
        """Write one entry."""
        os.write(self.file, ENTRY.pack(runner.iter, outputs['loss'].item()))


def toy_config(folder: Path, data: Path, args: argparse.Namespace) -> Config:
    """Real pre-training with a toy encoder, in few iterations.

    Args:
        folder: Work dir.
        data: Unlabelled images.
        args: Of the command line.
    """
    epochs = 2 * args.kills + 2
    iters = epochs * ITERS_PER_EPOCH
    config = Config.fromfile(CONFIG)
    by_epoch = args.loop == 'epoch'
    checkpoint = dict(by_epoch=by_epoch, interval=1 if by_epoch else ITERS_PER_EPOCH)
    warm_up = dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=iters)
    config.merge_from_dict(
        dict(
            work_dir=str(folder),
            model=dict(
                backbone=dict(arch=dict(ARCH)),  # _delete_ is taken out
                neck=dict(decoder_embed_dims=128, decoder_num_heads=4),
            ),
            train_dataloader=dict(
                batch_size=2,
                num_workers=args.workers,
                persistent_workers=args.workers > 0,
                dataset=dict(
                    data_root=str(data), split=None, indices=2 * ITERS_PER_EPOCH
                ),
            ),
            default_hooks=dict(checkpoint=checkpoint, logger=dict(interval=50)),
            log_level='WARNING',
        )
    )
    config.param_scheduler = [warm_up]
    config.custom_hooks = [dict(type='RecordHook', path=str(folder / 'record'))]
    config.resume = True
    if by_epoch:
        config.train_cfg = dict(by_epoch=True, max_epochs=epochs)
    else:
        config.train_cfg = dict(by_epoch=False, max_iters=iters)
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
    log = os.open(
        f'{config.work_dir}/output.log', os.O_CREAT | os.O_WRONLY | os.O_APPEND
    )
    os.dup2(log, 1)
    os.dup2(log, 2)
    status = 1
    try:
        # Without `cfg`: to print it as text takes longer than to train.
        parts = {key: config[key] for key in RUNNER_PARTS}
        Runner(**parts, cfg=Config()).train()
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def read_record(folder: Path) -> list[tuple[int, float]]:
    """Iterations and losses so far."""
    path = folder / 'record'
    return list(ENTRY.iter_unpack(path.read_bytes())) if path.is_file() else []


def unfinished(folder: Path) -> list[Path]:
    """Files that are being written, or were when their process was killed."""
    return list(folder.glob(f'.*.pth.*{TEMPORARY_SUFFIX}'))


def ended(child: int) -> bool:
    """Whether a child has come to its end; raises if that was an error."""
    pid, status = os.waitpid(child, os.WNOHANG)
    if pid and status:
        raise RuntimeError('a training failed: see output.log')
    return bool(pid)


def kill(child: int, folder: Path, in_write: bool, chance: random.Random) -> bool:
    """Wait for the moment and kill; returns whether the child was still running."""
    before = len(read_record(folder))
    # A write is awaited after some progress, else nothing would ever be saved.
    wanted = before + chance.randrange(1, 2 * ITERS_PER_EPOCH)
    while len(read_record(folder)) < wanted:
        if ended(child):
            return False
        time.sleep(0.002)
    if in_write:
        for path in unfinished(folder):
            path.unlink(missing_ok=True)
    delay = chance.uniform(0, 0.002 if in_write else 0.1)
    while in_write and not unfinished(folder):
        if ended(child):
            return False
    time.sleep(delay)
    if ended(child):
        return False
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


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
    """Train twice, once in peace, and compare."""
    args = parse_args()
    chance = random.Random(args.seed)
    with enable_safe_loading(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = write_dataset(folder / 'data', 24, height=64, width=64).unlabeled
        peace, war = folder / 'peace', folder / 'war'
        _, status = os.waitpid(start(toy_config(peace, data, args)), 0)
        if status:
            sys.exit((peace / 'output.log').read_text())
        kills, in_write, resumes = 0, 0, 0
        config = toy_config(war, data, args)
        child = start(config)
        with tqdm(total=args.kills, desc='kills') as bar:
            while kills < args.kills:
                if not kill(child, war, kills % 2 == 0, chance):
                    sys.exit(f'the run ended after {kills} kills: see {args}')
                kills += 1
                in_write += bool(unfinished(war))
                bar.update()
                child = start(config)
                resumes += 1
        _, status = os.waitpid(child, 0)
        if status:
            sys.exit((war / 'output.log').read_text())
        report(peace, war, kills, in_write, resumes)


def report(peace: Path, war: Path, kills: int, in_write: int, resumes: int) -> None:
    """Print the counts; exit with an error where the two runs differ."""
    left_alone, killed = read_record(peace), read_record(war)
    losses = dict(left_alone)
    wrong = [i for i, loss in killed if loss != losses[i]]
    last = (peace / 'last_checkpoint').read_text().replace(str(peace), '').strip('/')
    first, second = (read_checkpoint(run / last) for run in (peace, war))
    parts = ('state_dict', 'optimizer', 'param_schedulers')
    different = [part for part in parts if not same(first[part], second[part])]
    print(f'kills: {kills}, of which inside a checkpoint write: {in_write}')
    print(f'resumes: {resumes}')
    print(
        f'iterations: {len(left_alone)} to do, {len(killed)} done, '
        f'{len(killed) - len(left_alone)} lost and done again'
    )
    print(f'losses that differ from the uninterrupted run: {len(wrong)}')
    print(
        f'parts of the final checkpoint that differ: {", ".join(different) or "none"}'
    )
    if wrong or different:
        sys.exit(1)


if __name__ == '__main__':
    run_cli(main)
