"""docs/finetuning.md: its diffs apply and give models like the hosts' own."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import toys
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner

from dugi_mae.errors import DuGIError
from dugi_mae.models import ConvViT

PAGE = Path(__file__).resolve().parents[1] / 'docs/finetuning.md'
FENCE = re.compile(r'^```(\w+)\n(.*?)^```', re.MULTILINE | re.DOTALL)
#: Section of the page -> host.
SECTIONS = {
    'mmdetection': 'mmdet',
    'mmsegmentation': 'mmseg',
    'mmpretrain': 'mmpretrain',
}
#: Side of what the encoder is given in each stock config.
SIZES = {'mmdet': (800, 1344), 'mmseg': (512, 1024), 'mmpretrain': (224, 224)}
#: Widths of the base encoder -> those of the toy.
WIDTHS = dict(zip((256, 384, 768), toys.WIDTHS, strict=False))


def recipe(section: str) -> tuple[str, list[str]]:
    """The config and the diffs in a section of the page."""
    text = PAGE.read_text(encoding='utf-8')
    body = re.search(rf'^## {section}$(.*?)^## ', text, re.M | re.S).group(1)
    blocks = FENCE.findall(body)
    before = next(code for language, code in blocks if language == 'python')
    return before, [code for language, code in blocks if language == 'diff']


@pytest.fixture
def write_config(tmp_path, monkeypatch) -> Callable[[str, int], Path]:
    """Write the config of a section, apply some of its diffs, and go to its folder."""

    def write(section: str, diffs: int) -> Path:
        host = pytest.importorskip(SECTIONS[section])
        monkeypatch.chdir(tmp_path)
        before, patches = recipe(section)
        name = re.search(r'^--- a/(\S+)$', patches[0], re.M).group(1)
        (tmp_path / name).write_text(before)
        for patch in patches[:diffs]:
            subprocess.run(['git', 'apply'], input=patch, text=True, check=True)
        if 'mmseg' not in section:
            return tmp_path / name
        # The page: beside mmseg's own, in a copy of its configs.
        own = Path(host.__file__).parent / '.mim/configs'
        for folder in ('_base_', 'upernet'):
            shutil.copytree(own / folder, tmp_path / 'configs' / folder)
        return (tmp_path / name).rename(tmp_path / 'configs/upernet' / name)

    return write


def build(config: Config, host: str, device: str = 'meta') -> torch.nn.Module:
    """The model of a config, by default without values."""
    with DefaultScope.overwrite_default_scope(host), torch.device(device):
        return revert_sync_batchnorm(MODELS.build(config.model))


def write_set(host: str, root: Path) -> None:
    """Noise images with labels in the layout that the page's config names."""
    for split in ('train', 'val'):
        if host == 'mmdet':
            coco = toys.write_coco(root / 'coco' / split, ('person', 'car'))
            (coco / 'images').rename(root / split)
            (coco / 'annotations/train.json').rename(root / f'{split}.json')
        for folder in dict(mmdet='', mmseg=['images'], mmpretrain='abc')[host]:
            toys.write_images(root / split / folder, 2, height=96, width=128)
        for i in range(2 * (host == 'mmseg')):
            labels = toys.noise(96, 128, seed=i) % 3
            toys.write_image(root / f'{split}/labels/{i}.png', labels)


def make_toy(config: Config) -> None:
    """Smaller images, encoder and heads; types and everything else stay."""
    model = config.model
    model.backbone.arch = toys.ARCH
    for name in ('neck', 'head', 'decode_head', 'auxiliary_head'):
        part = model.get(name, {})
        if 'in_channels' in part:
            toys.shrink(part, WIDTHS)
        if 'channels' in part:
            part.channels = 8
    for name in ('rpn_head', 'roi_head'):
        toys.shrink(model.get(name), {})  # behind the neck all are 16 wide
    if 'size' in model.get('data_preprocessor', {}):
        model.data_preprocessor.size = (96, 128)
    for split in ('train', 'val', 'test'):
        loader = config[f'{split}_dataloader']
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        for step in loader.dataset.pipeline:
            for key in {'scale', 'crop_size'} & set(step):
                whole = (128, 96) if key == 'scale' else (96, 128)
                step[key] = 64 if isinstance(step[key], int) else whole


def set_length(config: Config, length: int) -> None:
    """Train and score ``length`` times, epochs or iterations as the host counts."""
    epochs = 'max_epochs' in config.train_cfg
    config.train_cfg['max_epochs' if epochs else 'max_iters'] = length
    config.train_cfg.val_interval = 1
    # In warm-up a step is smaller than the rounding of many parameters.
    config.param_scheduler = None
    config.default_hooks.checkpoint.interval = 1


def infer(host: str, config: Path, weights: Path) -> list[Path]:
    """Let the host's inferencer write its picture of an image."""
    image = next(Path('data/my_set/val').rglob('0.png'))
    if host == 'mmpretrain':
        from mmpretrain import ImageClassificationInferencer

        inferencer = ImageClassificationInferencer(
            str(config), pretrained=str(weights), device='cpu'
        )
        [result] = inferencer(f'infrared://{image}', show_dir='inferred')
        assert result['pred_class'] in 'abc'
    elif host == 'mmdet':
        from mmdet.apis import DetInferencer

        inferencer = DetInferencer(str(config), str(weights), device='cpu')
        inferencer(str(image), out_dir='inferred')
    else:
        from mmseg.apis import MMSegInferencer

        inferencer = MMSegInferencer(str(config), str(weights), device='cpu')
        inferencer(str(image), out_dir='inferred')
    return list(Path('inferred').rglob('*.[jp][pn]g'))


@pytest.mark.parametrize('diffs', [1, 2])
@pytest.mark.parametrize('section', SECTIONS)
def test_printed_model_fits_at_full_size(section, diffs, write_config):
    """As printed, the base encoder and all that follows take the stock image size."""
    host = SECTIONS[section]
    config = Config.fromfile(write_config(section, diffs))
    before, patches = recipe(section)
    assert 'dugi_mae' not in before and len(patches) == 2
    assert len(config.custom_imports.imports) == 1
    model = build(config, host).eval()
    assert isinstance(model.backbone, ConvViT)
    assert model.backbone.arch.embed_dims == tuple(WIDTHS)
    with torch.device('meta'):
        images = torch.empty(1, 3, *SIZES[host])
        features = model.extract_feat(images)
        if host == 'mmdet':
            assert [x.shape[1] for x in features] == [256] * 5
        elif host == 'mmseg':
            assert model.decode_head(features).shape[1:] == (3, 128, 256)
            assert model.auxiliary_head(features).shape[1:] == (3, 32, 64)
        else:
            assert [tuple(x.shape) for x in features] == [(1, 768)]
            assert model.head(features).shape == (1, 3)
    mean = [108.375] * 3 if diffs == 2 else [123.675, 116.28, 103.53]
    preprocessor = config.get('data_preprocessor') or {}
    assert (config.model.get('data_preprocessor') or preprocessor)['mean'] == mean


@pytest.mark.parametrize('section', SECTIONS)
def test_swapped_config_works_like_the_hosts(section, write_config, tmp_path):
    """It loads the encoder, trains, scores, resumes, tests and infers."""
    host = SECTIONS[section]
    path = write_config(section, 2)
    write_set(host, tmp_path / 'data/my_set')
    encoder = ConvViT(toys.ARCH)
    torch.save(dict(state_dict=encoder.state_dict()), 'pretrained.pth')
    config = Config.fromfile(path)
    make_toy(config)
    set_length(config, 1)
    config.work_dir = str(tmp_path / 'work')

    runner = Runner.from_cfg(config)
    runner.model.init_weights()
    parameters = dict(runner.model.backbone.named_parameters())
    for name, value in encoder.named_parameters():
        assert torch.equal(value, parameters[name]), name
    runner.train()
    still = [k for k, v in encoder.named_parameters() if v.equal(parameters[k])]
    assert still in ([], ['pos_embed'])
    assert runner.test()

    config = config.copy()
    set_length(config, 2)
    config.resume = True
    config.experiment_name = 'resumed'
    runner = Runner.from_cfg(config)
    runner.train()
    assert runner.train_loop.max_epochs == 2 or runner.iter == 2
    weights = Path((tmp_path / 'work/last_checkpoint').read_text())
    assert weights.stem in ('epoch_2', 'iter_2')
    config.dump(tmp_path / 'toy.py')
    assert infer(host, tmp_path / 'toy.py', weights)


@pytest.mark.parametrize(
    ('section', 'changes', 'message'),
    [
        ('mmdetection', dict(type='ConvViT'), 'ConvViT is not in the mmdet::model'),
        ('mmdetection', dict(depth=50), "unexpected keyword argument 'depth'"),
        ('mmsegmentation', None, "unexpected keyword argument 'pretrained'"),
        ('mmdetection', dict(arch='tiny'), 'to have 256 channels'),
    ],
)
def test_traps_say_what_the_page_says(section, changes, message, write_config):
    """The messages in the table of traps are those that a user sees."""
    assert message in PAGE.read_text(encoding='utf-8')
    config = Config.fromfile(write_config(section, 1))
    if changes:
        config.model.backbone.update(changes)
    else:
        config.model.pretrained = 'resnet50.pth'
    errors = (DuGIError, KeyError, TypeError, RuntimeError)
    with pytest.raises(errors, match=re.escape(message)):
        # On the meta device convolutions do not say what they miss.
        build(config, SECTIONS[section], 'cpu').extract_feat(torch.rand(1, 3, 64, 64))


def test_two_bases_with_custom_imports_are_refused(tmp_path):
    """The trap of two entry modules, in mmengine's words."""
    message = 'Duplicate key is not allowed among bases'
    assert message in PAGE.read_text(encoding='utf-8')
    for name in ('a', 'b'):
        (tmp_path / f'{name}.py').write_text("custom_imports = dict(imports=['json'])")
    (tmp_path / 'c.py').write_text("_base_ = ['a.py', 'b.py']")
    with pytest.raises(KeyError, match=message):
        Config.fromfile(tmp_path / 'c.py')
