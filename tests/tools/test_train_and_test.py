"""The command-line tools, run in this process on toy configs."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from pathlib import Path

import cv2
import pytest
import torch
import toys

from dugi_mae.errors import DuGIError
from dugi_mae.images.synthetic import write_dataset
from dugi_mae.mm.cpu_amp import has_bfloat16

ROOT = Path(__file__).resolve().parents[2]
#: The base configs have persistent workers, which torch refuses without workers.
LOADER = 'num_workers=0, batch_size=2'


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """A dozen synthetic images, unlabelled and in the SIRST layout."""
    return write_dataset(
        tmp_path_factory.mktemp('data'), num_images=24, height=96, width=128, seed=5
    )


@pytest.fixture
def pretrain_config(data, tmp_path):
    """A toy version of the tiny pre-training config: 2 epochs of 2 steps."""
    path = tmp_path / 'toy_pretrain.py'
    base = ROOT / 'configs/pretrain/dugi-mae_convvit-tiny_infrared-unlabeled.py'
    path.write_text(f"""
_base_ = '{base}'
model = dict(
    backbone=dict(arch={toys.ARCH_CONFIG}),
    neck=dict(decoder_embed_dims=16, decoder_num_heads=2))
dataset = dict(data_root='{data.unlabeled}', val_fraction=0.4)
train_dataloader = dict({LOADER}, dataset=dict(indices=4, **dataset))
val_dataloader = dict({LOADER}, dataset=dataset)
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=2, val_interval=1)
param_scheduler = None
custom_hooks = [dict(type='ReconstructionHook', num_images=2)]
""")
    return path


@pytest.fixture
def segmentation_config(data, tmp_path):
    """A toy version of the config for data of one's own: 2 steps on two classes."""
    path = tmp_path / 'toy_segmentation.py'
    base = ROOT / 'configs/segmentation/upernet_dugi-mae-tiny_custom.py'
    path.write_text(f"""
_base_ = '{base}'
model = dict(
    data_preprocessor=dict(size=(64, 64)),
    backbone=dict(arch={toys.ARCH_CONFIG}),
    decode_head=dict(in_channels={list(toys.WIDTHS)}, channels=8, num_classes=2),
    auxiliary_head=dict(in_channels=16, channels=8, num_classes=2),
    test_cfg=dict(_delete_=True, mode='whole'))
load = [
    dict(type='LoadImageFromFile', backend_args=dict(backend='infrared')),
    dict(type='LoadTargetMask')]
crop = dict(type='RandomCrop', crop_size=(64, 64))
data = dict(_delete_=True, type='SIRSTDataset', data_root='{data.labelled}')
train_dataloader = dict({LOADER}, dataset=dict(
    **data, pipeline=[*load, crop, dict(type='PackSegInputs')]))
val_dataloader = dict({LOADER}, dataset=dict(
    **data, pipeline=[*load, dict(type='PackSegInputs')]))
test_dataloader = val_dataloader
train_cfg = dict(max_iters=2, val_interval=2)
param_scheduler = None
""")
    return path


def run(monkeypatch, tool: str, *arguments) -> None:
    """Call ``main()`` of a tool as the command line would."""
    monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
    runpy.run_path(str(ROOT / 'tools' / tool))['main']()


def metrics(work_dir: Path) -> dict:
    """What the last test wrote."""
    return json.loads(max(work_dir.glob('*/*.json')).read_text())


def weights(path: Path) -> dict[str, torch.Tensor]:
    """The state dict of a checkpoint that this test wrote."""
    return torch.load(path, weights_only=False)['state_dict']


def test_story(monkeypatch, tmp_path, pretrain_config, segmentation_config):
    """Pre-train, test, carry the encoder over, fine-tune, test with TTA and pictures.

    The encoder that fine-tuning starts from is the pre-trained one, tensor by tensor. A
    checkpoint without the head is not tested with a random one.
    """
    first = tmp_path / 'pretrain'
    run(monkeypatch, 'train.py', pretrain_config, '--work-dir', first)
    assert list(first.glob('*/vis_data/vis_image/reconstruction_*.png'))
    log = next(first.glob('*/*.log')).read_text()
    assert 'afdm_radius' in log and 'reconstruction/ratio_to_mean_fill' in log
    checkpoint = Path((first / 'last_checkpoint').read_text())
    assert checkpoint.name == 'epoch_2.pth'

    tested = tmp_path / 'tested'
    run(monkeypatch, 'test.py', pretrain_config, checkpoint, '--work-dir', tested)
    assert metrics(tested)['reconstruction/masked_mse'] > 0

    second = tmp_path / 'finetune'
    option = f'model.backbone.init_cfg.checkpoint={checkpoint}'
    frozen = 'model.backbone.frozen_stages=3'
    flags = ['--work-dir', second, '--cfg-options', option, frozen]
    run(monkeypatch, 'train.py', segmentation_config, *flags)
    log = next(second.glob('*/*.log')).read_text()
    encoder = {
        key: value
        for key, value in weights(second / 'iter_2.pth').items()
        if key.startswith('backbone.')
    }
    assert f'Loaded {len(encoder)}/{len(encoder)} tensors of ConvViT' in log
    source = weights(checkpoint)
    assert all(torch.equal(value, source[key]) for key, value in encoder.items())

    with pytest.raises(DuGIError, match='epoch_2.pth does not fit the config: .*head'):
        run(monkeypatch, 'test.py', segmentation_config, checkpoint)

    pictures, dump = tmp_path / 'pictures', tmp_path / 'predictions.pkl'
    flags = ['--work-dir', tested, '--out', dump, '--show-dir', pictures]
    # Visualizers are kept by name for the life of a process.
    flags += ['--cfg-options', 'visualizer.name=pictures']
    last = second / 'iter_2.pth'
    run(monkeypatch, 'test.py', segmentation_config, last, *flags)
    assert list(pictures.rglob('*.png')) and dump.stat().st_size
    flags = ['--work-dir', tested, '--tta']
    run(monkeypatch, 'test.py', segmentation_config, last, *flags)
    assert 0 <= metrics(tested)['mIoU'] <= 100


def test_resume(monkeypatch, tmp_path, pretrain_config):
    """``--resume`` goes on after the last checkpoint instead of starting again."""
    work_dir = tmp_path / 'run'
    run(
        monkeypatch,
        'train.py',
        *(pretrain_config, '--work-dir', work_dir, '--no-validate'),
        *('--cfg-options', 'train_cfg.max_epochs=1'),
    )
    before = (work_dir / 'epoch_1.pth').stat().st_mtime_ns
    run(
        monkeypatch,
        'train.py',
        *(pretrain_config, '--work-dir', work_dir, '--no-validate', '--resume'),
    )
    assert (work_dir / 'epoch_1.pth').stat().st_mtime_ns == before
    assert (work_dir / 'epoch_2.pth').is_file()


def test_resume_before_there_is_a_checkpoint(monkeypatch, tmp_path, pretrain_config):
    """A job's first start with ``--resume`` begins at load_from, not from scratch."""
    flags = '--no-validate', '--cfg-options', 'train_cfg.max_epochs=1'
    first, second = tmp_path / 'first', tmp_path / 'second'
    command = 'train.py', pretrain_config
    run(monkeypatch, *command, '--work-dir', first, *flags)
    start = f'load_from={first / "epoch_1.pth"}', 'optim_wrapper.optimizer.lr=0.0'
    run(monkeypatch, *command, '--resume', '--work-dir', second, *flags, *start)
    begun, ended = (
        torch.load(folder / 'epoch_1.pth', weights_only=False)['state_dict']
        for folder in (first, second)
    )
    torch.testing.assert_close(ended, begun, rtol=0, atol=0)


@pytest.mark.parametrize(
    ('command', 'message'),
    [
        ('train.py configs/pretrain/dugi.py', 'dugi.py does not exist'),
        ('train.py CONFIG --amp', '--amp needs a GPU'),
        ('train.py CONFIG --resume no.pth', 'no.pth does not exist'),
        (
            'train.py CONFIG --cfg-options train_dataloader.dataset.data_root=/no/such',
            '/no/such does not exist',
        ),
        (
            'train.py CONFIG --cfg-options model.backbone.arch=tny',
            "arch='tny' is unknown: did you mean 'tiny'",
        ),
        (
            'train.py CONFIG --cfg-options train_cfg.max_epoch=1',
            r"train_cfg\.max_epoch .*EpochBasedTrainLoop.*'max_epochs'",
        ),
        ('test.py CONFIG no.pth', 'no.pth does not exist'),
        (f'test.py CONFIG {__file__} --tta', '--tta needs tta_model'),
        (f'test.py CONFIG {__file__} --show', 'default_hooks.visualization'),
        ('test.py no.py no.pth --out x.txt', 'name a .pkl file'),
        (
            'test.py CONFIG no.pth --tta --cfg-options test_dataloader=None',
            'has no test_dataloader: nothing to test on',
        ),
        (f'train.py CONFIG --work-dir {__file__}', 'py cannot be'),
        (
            'test.py CONFIG no.pth --launcher slurm',
            'needs SLURM_PROCID .* start through tools/slurm_train.sh or srun',
        ),
    ],
)
def test_bad_input(monkeypatch, tmp_path, pretrain_config, command, message):
    """Bad input to a tool is one DuGIError that names the thing and the remedy."""
    if '--amp' in command and (torch.cuda.is_available() or has_bfloat16()):
        pytest.skip('mixed precision works here')
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv('SLURM_PROCID', raising=False)
    tool, *arguments = command.replace('CONFIG', str(pretrain_config)).split()
    with pytest.raises(DuGIError, match=message) as caught:
        run(monkeypatch, tool, '--work-dir', tmp_path, *arguments)
    assert '\n' not in str(caught.value)


@pytest.fixture
def two_sizes(data, tmp_path) -> Path:
    """The labelled images, of which the first is smaller than the others."""
    folder = tmp_path / 'two_sizes'
    shutil.copytree(data.labelled, folder)
    for name in ('images', 'masks'):
        path = min((folder / name).iterdir())
        cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[:80, :100])
    return folder


@pytest.mark.parametrize('kind', ['train', 'val'])
def test_images_of_several_sizes(
    monkeypatch, tmp_path, segmentation_config, two_sizes, kind
):
    """A batch that the host cannot stack: the message names its loader, two ways out.

    In training torch finds the trouble, in validation mmseg.
    """
    loader, options = f'{kind}_dataloader', ['model.backbone.init_cfg=None']
    options += [f'{loader}.dataset.data_root={two_sizes}', f'{loader}.batch_size=24']
    options += ['train_dataloader.dataset.pipeline.2.crop_size=(96,128)']
    message = f'differ in size: set {loader}.batch_size=1, .*{loader}.dataset.pipeline'
    with pytest.raises(DuGIError, match=message):
        flags = '--work-dir', tmp_path / 'run', '--cfg-options', *options
        run(monkeypatch, 'train.py', segmentation_config, *flags)


def test_a_batch_of_one_image(monkeypatch, tmp_path, segmentation_config):
    """Pooled to one pixel, batch norm cannot train on it; the message says what can."""
    options = 'model.backbone.init_cfg=None', 'train_dataloader.batch_size=1'
    flags = '--work-dir', tmp_path / 'run', '--cfg-options', *options
    with pytest.raises(
        DuGIError, match=r'train_dataloader\.batch_size to 2 .*drop_last'
    ):
        run(monkeypatch, 'train.py', segmentation_config, *flags)


@pytest.mark.parametrize('option', ['foo', 'a=[1,(2]'])
def test_an_option_that_cannot_be_parsed(monkeypatch, capsys, option):
    """Argparse names what it got, the flag and the form, as for its own types."""
    with pytest.raises(SystemExit):
        run(monkeypatch, 'train.py', 'config.py', '--cfg-options', 'b=1', option)
    error = capsys.readouterr().err
    assert f'argument --cfg-options: {option!r} is not KEY=VALUE' in error


def test_fine_tuning_without_a_file(monkeypatch, tmp_path, segmentation_config):
    """A fine-tuning config never starts from scratch unless it is told to."""
    with pytest.raises(DuGIError, match='no pre-trained file for ConvViT.*init_cfg'):
        run(
            monkeypatch, 'train.py', segmentation_config, '--work-dir', tmp_path / 'run'
        )
