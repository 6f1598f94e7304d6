"""Inputs of the inferencers: names, frames, arrays, and the pipeline."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import tifffile
from mmengine.config import Config

import dugi_mae.mmpretrain  # noqa: F401
from dugi_mae.apis.inputs import PredictPipeline, find_sources, read_video
from dugi_mae.apis.run import Run
from dugi_mae.errors import DuGIError

IMAGE = np.arange(20 * 24, dtype=np.uint16).reshape(20, 24)


@pytest.fixture
def tree(tmp_path):
    """A folder tree of images, a video and files that are neither."""
    for name in ('b.png', 'a.tif', 'sub/a.png', 'sub/c.JPG'):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), (IMAGE % 256).astype(np.uint8))
    make_video(tmp_path / 'clip.avi')
    (tmp_path / 'Thumbs.db').write_bytes(b'x')
    (tmp_path / '.hidden.png').write_bytes(b'x')
    return tmp_path


def make_video(path, frames=4) -> None:
    """A video of noise."""
    code = cv2.VideoWriter_fourcc(*'MJPG')
    writer = cv2.VideoWriter(str(path), code, 10, (48, 32))
    for _ in range(frames):
        writer.write(np.random.randint(0, 256, (32, 48, 3), np.uint8))
    writer.release()


def names(inputs) -> list[str]:
    return [source.name for source in find_sources(inputs)]


def test_folder(tree):
    """A folder gives images and videos at any depth, sorted, and nothing else."""
    assert names(tree) == ['a', 'b', 'clip', 'sub/a', 'sub/c']
    assert names(str(tree)) == names(tree)


def test_files_globs_and_lists(tree):
    """Names are stems; what comes again gets a number; order is that of the list."""
    assert names(tree / 'sub/c.JPG') == ['c']
    assert names(str(tree / '*.[pt]*')) == ['a', 'b']
    assert names(str(tree / '**/*.png')) == ['b', 'a']
    mixed = [tree / 'b.png', IMAGE, str(tree / 'sub'), tree / 'a.tif', tree / 'b.png']
    assert names(mixed) == ['b', 'array_1', 'a', 'c', 'a_2', 'b_2']
    # A name that looks like a glob but exists is the file.
    (tree / 'x[1].png').write_bytes(b'x')
    assert names(str(tree / 'x[1].png')) == ['x[1]']


def test_images_of_sources(tree):
    """Frames get numbers."""
    images = []
    for source in find_sources([tree / 'b.png', tree / 'clip.avi', IMAGE]):
        new = list(source.images())
        assert source.count() == len(new)
        images += new
    frames = [f'clip_{i:06d}' for i in range(4)]
    assert [image.name for image in images] == ['b', *frames, 'array_2']
    assert [image.frame for image in images] == [None, 0, 1, 2, 3, None]
    assert [image.source for image in images][-2:] == [
        str(tree / 'clip.avi'),
        'array',
    ]


def pipeline(load: dict) -> PredictPipeline:
    """A pipeline of one step and packing."""
    steps = [load, dict(type='PackInputs')]
    dataloader = dict(dataset=dict(pipeline=steps))
    return PredictPipeline(
        Config(dict(default_scope='mmpretrain', test_dataloader=dataloader))
    )


def host_loader(channels: int, **options) -> dict:
    """The loader of our configs."""
    color_type = 'color' if channels == 3 else 'grayscale'
    backend = dict(backend='infrared', **options)
    return dict(type='LoadImageFromFile', color_type=color_type, backend_args=backend)


def load(run: PredictPipeline, given) -> np.ndarray:
    """The tensor of one file or array, ``(C, H, W)``, and its first channel."""
    (image,) = find_sources(given)[0].images()
    packed, pixels = run(image)
    assert pixels.shape[:2] == packed['inputs'].shape[1:]
    return packed['inputs'].numpy()


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize('channels', [1, 3])
def test_arrays_load_as_their_files_do(tmp_path, dtype, channels):
    """Both loaders, files and arrays of all depths give the same input."""
    array = (7000 + IMAGE % 200).astype(dtype)
    path = tmp_path / 'a.tif'
    tifffile.imwrite(path, array)
    options = dict(normalizer='minmax', invalid=(7000,))
    found = [
        load(pipeline(step), given)
        for step in (
            dict(type='LoadInfraredImage', channels=channels, **options),
            host_loader(channels, **options),
        )
        for given in (array, path)
    ]
    assert found[0].shape == (channels, 20, 24) and found[0].dtype == np.uint8
    for other in found[1:]:
        assert np.array_equal(other, found[0])


@pytest.mark.parametrize(
    'step', [dict(type='LoadImageFromFile'), dict(type='mmseg.Resize', scale=8)]
)
def test_a_pipeline_that_loads_no_infrared_image(step):
    """The message shows how a pipeline has to begin."""
    with pytest.raises(DuGIError, match=r"pipeline.*backend='infrared'"):
        pipeline(step)


def test_video_frames(tmp_path):
    """All frames come, as 8-bit colour."""
    make_video(tmp_path / 'v.avi', 5)
    frames = list(read_video(tmp_path / 'v.avi'))
    assert len(frames) == 5
    assert all(f.shape == (32, 48, 3) and f.dtype == np.uint8 for f in frames)


@pytest.mark.parametrize('suffix', ['mkv', 'avi'])
def test_16_bit_video_keeps_its_levels(tmp_path, suffix):
    """Grey FFV1 of 16 bits comes as it was written; OpenCV alone leaves 3 levels."""
    rows, columns = np.mgrid[:48, :64]
    counts = [(7000 + 3 * (2 * columns + rows) + i).astype(np.uint16) for i in range(4)]
    path = tmp_path / f'v.{suffix}'
    code = cv2.VideoWriter_fourcc(*'FFV1')
    depth = [cv2.VIDEOWRITER_PROP_DEPTH, cv2.CV_16U, cv2.VIDEOWRITER_PROP_IS_COLOR, 0]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, 10, (64, 48), depth)
    for frame in counts:
        writer.write(frame)
    writer.release()
    np.testing.assert_array_equal(list(read_video(path)), counts)
    [source] = find_sources(path)
    assert source.count() == 4
    step = pipeline(dict(type='LoadInfraredImage', channels=1))
    for image in source.images():
        assert len(np.unique(step(image)[1])) == 174


@pytest.mark.parametrize('code', [b'Y1\0\x0a', b'Y1\0\x0c', b'\x10\0001Y'])
def test_a_video_that_opencv_would_flatten(tmp_path, monkeypatch, code):
    """Grey of 10 and 12 bits or big-endian: a line that says how to convert it."""

    class Capture:
        def get(self, key):
            pixel_format = key == cv2.CAP_PROP_CODEC_PIXEL_FORMAT
            return int.from_bytes(code, 'little') if pixel_format else 4

    monkeypatch.setattr(cv2, 'VideoCapture', lambda path: Capture())
    with pytest.raises(DuGIError, match=r'v\.mkv is grey .*-pix_fmt gray16le'):
        list(read_video(tmp_path / 'v.mkv'))


def test_video_that_cannot_be_decoded(tmp_path):
    """The message names the file and a remedy."""
    path = tmp_path / 'v.mp4'
    path.write_bytes(b'no video at all' * 50)
    with pytest.raises(DuGIError, match=r'v.mp4 .*convert'):
        list(read_video(path))


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda d: d / 'empty', 'no image or video in .*empty'),
        (lambda d: str(d / '*.bmp'), r'\*.bmp.*check the path'),
        (lambda d: d / 'bb.png', r'bb.png.*did you mean .*/b.png\?'),
        (lambda d: 'no/such/place.png', 'place.png.*check the path'),
        (lambda d: [], 'list of inputs is empty'),
        (lambda d: ['', d], "an input is ''.*'.' for the one here"),
        (lambda d: [None], 'type NoneType'),
        (lambda d: np.zeros((2, 8, 8, 3)), r'\(2, 8, 8, 3\).*list'),
        (lambda d: np.zeros(5), r'\(5,\)'),
    ],
)
def test_bad_inputs(tree, make, message):
    """What leads to no image is named before anything is run."""
    (tree / 'empty').mkdir()
    with pytest.raises(DuGIError, match=message) as caught:
        find_sources(make(tree))
    assert '\n' not in str(caught.value)


def test_a_run_continues_after_a_bad_video(tmp_path):
    """A truncated video loses its rest, another one all; what follows is read."""
    make_video(tmp_path / 'a.avi', 10)
    content = (tmp_path / 'a.avi').read_bytes()
    (tmp_path / 'a.avi').write_bytes(content[: len(content) * 6 // 10])
    (tmp_path / 'b.avi').write_bytes(b'nothing')
    make_video(tmp_path / 'c.avi', 2)
    run = Run(tmp_path, None, {})
    images = [i for batch in run.batches(lambda i: i, 3, lambda i: 0) for i in batch]
    assert {image.name[0] for image in images} == {'a', 'c'}
    first, second = run.report['failed']
    assert (first['name'], second['name']) == ('a', 'b')
    assert f'ends after {len(images) - 2} of 10 frames' in first['reason']


def test_a_run_without_any_usable_input(tmp_path):
    """The first reason is the error."""
    (tmp_path / 'a.avi').write_bytes(b'nothing')
    run = Run([tmp_path, tmp_path], None, {})
    with pytest.raises(DuGIError, match=r'none of 2 inputs.*a\.avi cannot'):
        list(run.batches(lambda i: i, 1, lambda i: 0))
