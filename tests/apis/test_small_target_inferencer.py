"""The small-target inferencer on a segmentor that marks what is bright."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import tifffile
import torch
from mmengine.config import Config

pytest.importorskip('mmseg')

from dugi_mae.apis import SmallTargetInferencer
from dugi_mae.apis.inputs import Source
from dugi_mae.errors import DuGIError
from dugi_mae.evaluation.small_target import in_field_units, small_target_scores
from dugi_mae.visualization.overlay import FALSE_ALARM, HIT, MISS

#: The target of :func:`scene`: columns 20..23, rows 30..32.
BOX = [20, 30, 24, 33]


def scene(height=60, width=80, box=BOX) -> np.ndarray:
    """A dark ``(H, W)`` uint8 image with one bright box."""
    image = np.full((height, width), 50, np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = 250
    return image


@pytest.fixture(scope='module')
def spot_model(make_spot_model):
    """The model without enlargement, so that boxes are exact."""
    return make_spot_model()


@pytest.fixture(scope='module')
def inferencer(spot_model):
    """Predicts whole images."""
    return SmallTargetInferencer(*spot_model, device='cpu')


def write_video(path, frames) -> None:
    """Write grey frames as Motion JPEG."""
    height, width = frames[0].shape
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (width, height)
    )
    assert writer.isOpened()
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    writer.release()


def make_input(kind: str, folder):
    """One input of a kind, each image with the target of :func:`scene`."""
    image = scene()
    cv2.imwrite(str(folder / 'a.png'), image)
    deep = (7000 + image.astype(np.uint16)).astype(np.uint16)
    tifffile.imwrite(folder / 'deep.tif', deep)
    if kind == 'video':
        write_video(folder / 'clip.avi', [image] * 3)
    return {
        'file': folder / 'a.png',
        'string': str(folder / 'a.png'),
        '16-bit file': folder / 'deep.tif',
        'folder': folder,
        'glob': str(folder / '*.tif'),
        'video': folder / 'clip.avi',
        'grey array': image,
        'colour array': np.repeat(image[..., None], 3, axis=2),
        '16-bit array': deep,
        'float array': image / 255,
        'list': [image, str(folder / 'deep.tif'), folder / 'a.png'],
    }[kind]


@pytest.mark.parametrize(
    ('kind', 'count'),
    [
        ('file', 1),
        ('string', 1),
        ('16-bit file', 1),
        ('folder', 2),
        ('glob', 1),
        ('video', 3),
        ('grey array', 1),
        ('colour array', 1),
        ('16-bit array', 1),
        ('float array', 1),
        ('list', 3),
    ],
)
def test_every_kind_of_input(inferencer, tmp_path, kind, count):
    """Each kind gives one result an image, with the target where it is."""
    results = inferencer(make_input(kind, tmp_path))
    assert len(results) == count
    for result in results:
        assert result.mask.shape == result.probability.shape == (60, 80)
        assert np.allclose(result.boxes, [BOX], atol=1 if kind == 'video' else 0)
        assert (result.frame is not None) == (kind == 'video')
    assert len({result.name for result in results}) == count
    assert inferencer.report['failed'] == []


def test_result_fields(inferencer):
    """Mask, boxes, centroids, scores and areas are those of the bright parts."""
    image = np.full((40, 50), 50, np.uint8)
    image[0:2, 0:3] = 255
    image[20, 30] = image[21, 31] = 200  # touch at a corner: one target
    image[39, 49] = 170
    (result,) = inferencer(image)
    assert result.mask.dtype == bool
    assert (result.mask == (image >= 160)).all()
    assert result.boxes.tolist() == [[0, 0, 3, 2], [30, 20, 32, 22], [49, 39, 50, 40]]
    assert np.allclose(result.centroids, [[1, 0.5], [30.5, 20.5], [49, 39]])
    assert result.areas.tolist() == [6, 2, 1]
    expected = [result.probability[y, x] for x, y in ((0, 0), (30, 20), (49, 39))]
    assert np.allclose(result.scores, expected)
    assert (result.name, result.source, result.frame) == ('array_0', 'array', None)
    assert result.match is None


def test_nothing_found(inferencer, tmp_path):
    """An image without targets has empty arrays of the same shapes, and is written."""
    (result,) = inferencer(np.full((32, 32), 20, np.uint8), tmp_path)
    assert result.boxes.shape == (0, 4) and result.centroids.shape == (0, 2)
    assert result.scores.shape == result.areas.shape == (0,)
    report = json.loads((tmp_path / 'results.json').read_text())
    assert report['images'][0]['targets'] == []


def test_threshold(spot_model):
    """A pixel is target above the threshold that was asked for."""
    image = np.full((32, 32), 50, np.uint8)
    image[5, 5], image[9, 9] = 158, 165
    low, high = (
        SmallTargetInferencer(*spot_model, device='cpu', threshold=t)(image)[0]
        for t in (0.3, 0.9)
    )
    assert low.areas.tolist() == [1, 1] and high.areas.tolist() == []
    assert (high.mask == (high.probability > 0.9)).all()


@pytest.mark.parametrize('channels', [1, 2])
@pytest.mark.parametrize('size', [(60, 80), (45, 77)])
def test_equals_the_host(make_spot_model, tmp_path, channels, size):
    """Own resolution and the very mask that mmseg gives, with the config's resizing."""
    from mmengine.dataset import Compose
    from mmengine.registry import DefaultScope

    config, checkpoint = make_spot_model(channels=channels, scale=2.0)
    inferencer = SmallTargetInferencer(config, checkpoint, device='cpu')
    image = cv2.GaussianBlur(np.random.randint(0, 256, size, np.uint8), (5, 5), 0)
    image[20:26, 30:36] = 255
    path = str(tmp_path / 'a.png')
    cv2.imwrite(path, image)
    steps = Config.fromfile(config).test_dataloader.dataset.pipeline
    with DefaultScope.overwrite_default_scope('mmseg'):
        pipeline = Compose([s for s in steps if s['type'] != 'LoadTargetMask'])
    sample = pipeline(dict(img_path=path))
    assert sample['inputs'].shape[-2:] == (2 * size[0], 2 * size[1])
    with torch.no_grad():
        host = inferencer.model.test_step({k: [v] for k, v in sample.items()})[0]
    (result,) = inferencer(path)
    assert result.mask.shape == size
    assert (result.mask == host.pred_sem_seg.data[0].numpy().astype(bool)).all()
    assert result.mask.any()


@pytest.mark.parametrize('scale', [1.0, 1.5, 2.0])
@pytest.mark.parametrize('size', [(70, 90), (64, 200), (20, 150), (131, 97)])
def test_tiled_equals_whole_for_a_local_model(make_spot_model, size, scale):
    """Seams do not show, whatever the size and the enlargement."""
    model = make_spot_model(scale=scale)
    image = np.random.randint(0, 256, size, np.uint8)
    whole, tiled = (
        SmallTargetInferencer(*model, device='cpu', tile=tile, overlap=32)(image)[0]
        for tile in (None, 64)
    )
    assert np.allclose(whole.probability, tiled.probability, atol=1e-6)
    assert (whole.mask == tiled.mask).all() and whole.mask.any()


@pytest.mark.parametrize('tile', [None, 64])
@pytest.mark.parametrize('batch_size', [1, 2, 3, 100])
def test_batches_change_nothing(spot_model, batch_size, tile):
    """Images of mixed sizes: same results in the same order for any batch size."""
    inferencer = SmallTargetInferencer(*spot_model, device='cpu', tile=tile, overlap=32)
    sizes = [(60, 80), (60, 80), (60, 80), (64, 80), (60, 80), (90, 100), (90, 100)]
    images = [
        scene(*size, box=[5 + i, 9, 8 + i, 12 + i]) for i, size in enumerate(sizes)
    ]
    results = inferencer(images, batch_size=batch_size)
    assert [r.name for r in results] == [f'array_{i}' for i in range(len(sizes))]
    for i, (result, image) in enumerate(zip(results, images, strict=True)):
        assert (result.mask == (image > 159)).all()
        assert result.boxes.tolist() == [[5 + i, 9, 8 + i, 12 + i]]


def truth_of(kind: str, folder, masks: list[np.ndarray]):
    """True masks of ``scene_0.png`` ... in one of the accepted forms."""
    files = []
    for i, mask in enumerate(masks):
        suffix = '_pixels0' if i % 2 else ''
        files.append(folder / f'scene_{i}{suffix}.png')
        cv2.imwrite(str(files[-1]), mask.astype(np.uint8) * (255 if i % 2 else 1))
    return {
        'folder': folder,
        'file': files[0],
        'array': masks[0],
        'list': [masks[0], *files[1:]],
    }[kind]


@pytest.mark.parametrize(
    ('kind', 'count'), [('folder', 3), ('file', 1), ('array', 1), ('list', 3)]
)
def test_truth(inferencer, tmp_path, kind, count):
    """Hits, misses and false alarms in JSON and picture, and the metric's own scores.

    Image 0 has a hit, image 1 a false alarm and a miss, image 2 nothing to find.
    """
    images = [scene(), scene(box=[60, 10, 64, 13]), np.full((60, 80), 50, np.uint8)]
    masks = [scene() > 159, scene() > 159, np.zeros((60, 80), bool)]
    images, masks = images[:count], masks[:count]
    source, mask_folder = tmp_path / 'images', tmp_path / 'masks'
    source.mkdir()
    mask_folder.mkdir()
    for i, image in enumerate(images):
        cv2.imwrite(str(source / f'scene_{i}.png'), image)
    truth = truth_of(kind, mask_folder, masks)
    results = inferencer(source, tmp_path / 'out', truth)
    assert [len(r.match.misses) for r in results] == [0, 1, 0][:count]

    report = json.loads((tmp_path / 'out' / 'results.json').read_text())
    assert report == inferencer.report
    entries = report['images']
    assert [[t['hit'] for t in e['targets']] for e in entries] == [[True], [False], []][
        :count
    ]
    assert [[m['box'] for m in e['misses']] for e in entries] == [[], [BOX], []][:count]
    expected = in_field_units(
        small_target_scores(
            [r.mask for r in results], masks, [r.probability for r in results]
        )
    )
    assert report['metrics'] == pytest.approx(expected)
    for entry, colors in zip(
        entries, [{HIT}, {FALSE_ALARM, MISS}, set()][:count], strict=True
    ):
        picture = cv2.imread(str(tmp_path / 'out' / entry['picture']))[..., ::-1]
        seen = {tuple(c) for c in picture.reshape(-1, 3).tolist() if len(set(c)) > 1}
        assert seen == colors


@pytest.mark.parametrize('told', [0, 1, 2])
def test_frames_that_no_header_tells_of(inferencer, tmp_path, monkeypatch, told):
    """In a list of masks they have none, and take none from the images after them."""
    write_video(tmp_path / 'clip.avi', [scene()] * 3)
    monkeypatch.setattr(Source, 'count', lambda self: told if self.is_video else 1)
    masks = [np.zeros((60, 80), bool)] * told + [scene() > 159]
    results = inferencer([tmp_path / 'clip.avi', scene()], truth=masks)
    assert [r.name for r in results] == [
        *[f'clip_{i:06d}' for i in range(told)],
        'array_1',
    ]
    assert not len(results[-1].match.misses)
    failed = inferencer.report['failed']
    assert [f['name'] for f in failed] == [f'clip_{i:06d}' for i in range(told, 3)]
    assert all('give a folder of masks' in f['reason'] for f in failed)


def test_undefined_scores_are_null(inferencer, tmp_path):
    """The JSON has no NaN, which is not JSON: no target gives Pd null."""
    empty = np.full((32, 32), 20, np.uint8)
    inferencer(empty, tmp_path, truth=np.zeros((32, 32), bool))
    text = (tmp_path / 'results.json').read_text()
    assert 'NaN' not in text
    metrics = json.loads(text)['metrics']
    assert metrics['Pd'] is None and metrics['Fa'] == 0


def test_what_cannot_be_used_is_left_out(inferencer, tmp_path):
    """Damaged files and lacking or misfit masks are named; the rest is done."""
    source, masks, out = (tmp_path / n for n in ('images', 'masks', 'out'))
    source.mkdir()
    masks.mkdir()
    for name in 'abcd':
        cv2.imwrite(str(source / f'{name}.png'), scene())
        cv2.imwrite(str(masks / f'{name}.png'), (scene() > 159).astype(np.uint8))
    content = (source / 'a.png').read_bytes()
    (source / 'a.png').write_bytes(content[: len(content) // 2])
    (masks / 'b.png').unlink()
    cv2.imwrite(str(masks / 'c.png'), np.zeros((10, 10), np.uint8))
    (source / 'notes.txt').write_text('not an image')
    results = inferencer(source, out, truth=masks, batch_size=4)
    assert [r.name for r in results] == ['d']
    failed = json.loads((out / 'results.json').read_text())['failed']
    assert [f['name'] for f in failed] == ['a', 'b', 'c']
    for entry, reason in zip(
        failed, ('a.png is damaged', 'image b has no mask', '10x10 pixels'), strict=True
    ):
        assert reason in entry['reason']
    assert sorted(p.name for p in (out / 'overlays').iterdir()) == ['d.png']


def test_stopping_early_keeps_the_json(inferencer, tmp_path):
    """Who stops a long run has the results so far."""
    stream = inferencer.stream([scene()] * 5, tmp_path)
    next(stream), next(stream)
    stream.close()
    report = json.loads((tmp_path / 'results.json').read_text())
    assert [entry['name'] for entry in report['images']] == ['array_0', 'array_1']


def test_pictures_of_a_folder_tree(inferencer, tmp_path):
    """Pictures keep the tree of the inputs; equal names do not overwrite."""
    for name in ('x/a.png', 'x/a.bmp', 'y/a.png'):
        path = tmp_path / 'in' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), scene())
    inferencer(tmp_path / 'in', tmp_path / 'out')
    written = sorted(
        p.relative_to(tmp_path / 'out/overlays').as_posix()
        for p in (tmp_path / 'out/overlays').rglob('*.png')
    )
    assert written == ['x/a.png', 'x/a_2.png', 'y/a.png']


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(tile=100), 'tile=100 does not fit'),
        (dict(tile=64, overlap=64), 'overlap=64 does not fit tile=64'),
        (dict(threshold=1.5), 'threshold=1.5 must lie between 0 and 1'),
        (dict(device='cudo'), "device 'cudo' cannot be used"),
        (dict(config='configs/segmentation/upernet.py'), 'did you mean'),
        (dict(checkpoint='no.pth'), 'checkpoint no.pth does not exist'),
    ],
)
def test_bad_arguments(spot_model, repo_root, monkeypatch, arguments, message):
    """Each bad argument is named in one line."""
    monkeypatch.chdir(repo_root)
    config, checkpoint = spot_model
    arguments = dict(config=config, checkpoint=checkpoint, device='cpu') | arguments
    with pytest.raises(DuGIError, match=message) as caught:
        SmallTargetInferencer(**arguments)
    assert '\n' not in str(caught.value)


def test_bad_checkpoints(spot_model, toy_pretrain_model, tmp_path):
    """A cut file, another model's and a mere encoder never pass as this model."""
    config, checkpoint = spot_model
    cut = tmp_path / 'cut.pth'
    cut.write_bytes(checkpoint.read_bytes()[:-2000])
    with pytest.raises(DuGIError, match='cut.pth cannot be read safely'):
        SmallTargetInferencer(config, cut)
    with pytest.raises(DuGIError, match='toy_pretrain.pth does not fit the config: .+'):
        SmallTargetInferencer(config, toy_pretrain_model[1])
    state = torch.load(checkpoint)['state_dict']
    torch.save({k: v for k, v in state.items() if 'backbone' in k}, cut)
    with pytest.raises(DuGIError, match=r'Missing key.*decode_head.conv_seg') as caught:
        SmallTargetInferencer(config, cut)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(default_scope='mmdet'), 'is a detector: use DetInferencer of mmdet.apis'),
        (dict(default_scope='mmaction'), "no inferencer for .*_scope='mmaction'"),
        (dict(default_scope='mmpretrain'), 'use ReconstructionInferencer'),
        ({'test_dataloader': None}, 'no test pipeline that begins with Load'),
        (
            {'test_dataloader.dataset.pipeline': [dict(type='LoadImageFromFile')]},
            'no test pipeline that begins with LoadInfraredImage',
        ),
    ],
)
def test_bad_configs(spot_model, change, message):
    """A config for something else is named with what to do."""
    config = Config.fromfile(spot_model[0])
    config.merge_from_dict(change)
    with pytest.raises(DuGIError, match=message):
        SmallTargetInferencer(config, spot_model[1], device='cpu')


def test_more_classes_are_refused(make_spot_model, tmp_path):
    """A model with three classes has no target class to speak of."""
    config, checkpoint = make_spot_model(channels=2)
    config = Config.fromfile(config)
    config.model.decode_head.update(num_classes=3, out_channels=3)
    state = torch.load(checkpoint)['state_dict']
    for key in ('weight', 'bias'):
        old = state[f'decode_head.conv_seg.{key}']
        state[f'decode_head.conv_seg.{key}'] = torch.cat([old, old[:1]])
    torch.save(state, tmp_path / 'three.pth')
    with pytest.raises(DuGIError, match='has 3 classes, .* use MMSegInferencer'):
        SmallTargetInferencer(config, tmp_path / 'three.pth', device='cpu')


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (dict(inputs=[]), 'list of inputs is empty'),
        (dict(batch_size=0), 'batch_size=0 must be at least 1'),
        (dict(truth='no/masks'), 'truth no/masks does not exist'),
        (dict(truth=[np.zeros((60, 80))] * 2), '2 masks for 1 images'),
        (dict(truth=np.zeros((8, 8))), r'mask of array_0 has shape \(8, 8\)'),
    ],
)
def test_bad_calls(inferencer, tmp_path, call, message):
    """What cannot be run at all is an error; with one image, so is what spoils it."""
    with pytest.raises(DuGIError, match=message):
        inferencer(**(dict(inputs=scene()) | call))


def test_output_folder_that_is_a_file(inferencer, tmp_path):
    """A name that is taken is an error before any work is done."""
    (tmp_path / 'out').write_text('')
    with pytest.raises(DuGIError, match='output folder .*out cannot be made'):
        inferencer(scene(), tmp_path / 'out')


@pytest.mark.gpu
def test_gpu_equals_cpu(make_spot_model):
    """The first GPU is taken by itself and gives the CPU's result."""
    model = make_spot_model(scale=2.0)
    image = np.random.randint(0, 256, (90, 70), np.uint8)
    inferencer = SmallTargetInferencer(*model, tile=64, overlap=32)
    assert next(inferencer.model.parameters()).is_cuda
    (cpu,) = SmallTargetInferencer(*model, device='cpu')(image)
    (gpu,) = inferencer(image)
    assert np.allclose(gpu.probability, cpu.probability, atol=1e-3)
