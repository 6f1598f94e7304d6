"""Synthetic scenes are exact, repeatable and of the asked-for kind."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy import ndimage

from dugi_mae.errors import DuGIError
from dugi_mae.files import find_images
from dugi_mae.images.synthetic import generate_scene, write_dataset
from dugi_mae.images.thermal_background import draw_background, fractal_noise

SEEDS = range(6)


def added_by_targets(seed: int, num_targets: int, **kwargs) -> np.ndarray:
    """``(H, W)`` counts that the targets alone contribute."""
    kwargs = dict(height=96, width=128, bit_depth=14, **kwargs)
    with_targets = generate_scene(seed, num_targets=num_targets, **kwargs).image
    without = generate_scene(seed, num_targets=0, **kwargs).image
    return with_targets.astype(float) - without


@pytest.mark.parametrize(('bit_depth', 'dtype'), [(8, np.uint8), (14, np.uint16)])
@pytest.mark.parametrize('seed', SEEDS)
def test_form(seed, bit_depth, dtype):
    """Shapes, dtypes and ranges are as documented."""
    scene = generate_scene(seed, 64, 96, 2, bit_depth)
    assert scene.image.shape == scene.mask.shape == (64, 96)
    assert scene.image.dtype == dtype
    assert scene.mask.dtype == bool
    assert scene.image.max() < 2**bit_depth
    assert len(np.unique(scene.image)) > 20
    assert scene.boxes.shape == (2, 4)
    assert scene.centroids.shape == (2, 2)


@pytest.mark.parametrize('bit_depth', [8, 14])
def test_seed_decides_everything(bit_depth):
    """Equal arguments give equal scenes, another seed another scene."""
    first, again, other = (
        generate_scene(seed, 64, 64, bit_depth=bit_depth) for seed in (3, 3, 4)
    )
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (first.image != other.image).mean() > 0.5


@pytest.mark.parametrize('seed', SEEDS)
def test_masks_and_boxes_agree(seed):
    """Each target is one component of the mask, and its box is that component's."""
    scene = generate_scene(seed, 128, 128, 4)
    labels, count = ndimage.label(scene.mask)
    assert count == 4
    found = {
        (x.start, y.start, x.stop, y.stop) for y, x in ndimage.find_objects(labels)
    }
    assert found == {tuple(box) for box in scene.boxes.astype(int)}
    assert 3 <= scene.mask.sum() / 4 <= 80  # small, as in the real sets
    for (x, y), (x1, y1, x2, y2) in zip(scene.centroids, scene.boxes, strict=True):
        assert x1 - 0.5 <= x <= x2 - 0.5
        assert y1 - 0.5 <= y <= y2 - 0.5


@pytest.mark.parametrize('seed', SEEDS)
def test_targets_are_where_the_labels_say(seed):
    """What targets add is centred, to a tenth of a pixel, on the centroid."""
    added = added_by_targets(seed, 1, snr=(30, 30))
    gt = generate_scene(seed, 96, 128, 1, 14)
    rows, columns = np.indices(added.shape)
    centre = (added * columns).sum() / added.sum(), (added * rows).sum() / added.sum()
    np.testing.assert_allclose(centre, gt.centroids[0], atol=0.1)
    np.testing.assert_array_equal(gt.mask[added > 0.3 * added.max()], True)
    assert not gt.mask[added < 0.2 * added.max()].any()


def test_contrast_follows_snr():
    """Twice the SNR is twice the peak."""
    weak, strong = (added_by_targets(1, 1, snr=(s, s)).max() for s in (20, 40))
    assert strong == pytest.approx(2 * weak, rel=0.1)


def test_stripes_run_along_columns():
    """Columns differ from their neighbours more than rows do."""
    ratios = []
    for seed in SEEDS:
        image = generate_scene(seed, 128, 128, 0, 14).image.astype(float)
        rough = image - ndimage.median_filter(image, 5)
        ratios.append(rough.mean(axis=0).std() / rough.mean(axis=1).std())
    assert np.median(ratios) > 1.5


def test_number_of_targets_varies():
    """Without a number there are 0 to 3 targets, backgrounds among them."""
    counts = {len(generate_scene(s, 48, 48).boxes) for s in range(40)}
    assert counts == {0, 1, 2, 3}


def test_noise_has_the_asked_for_slope():
    """Energy falls with frequency as the slope says."""
    rng = np.random.default_rng(0)
    spectrum = np.abs(np.fft.fft2(fractal_noise(rng, (256, 256), 1.5)))
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    band = (radius > 0.02) & (radius < 0.4)
    slope = np.polyfit(np.log(radius[band]), np.log(spectrum[band]), 1)[0]
    assert slope == pytest.approx(-1.5, abs=0.1)


@pytest.mark.parametrize('size', [(32, 32), (33, 200), (200, 33)])
def test_backgrounds_are_plausible_temperatures(size):
    """Any size gives outdoor temperatures, sky included."""
    for seed in range(20):
        scene = draw_background(np.random.default_rng(seed), size)
        assert scene.shape == size
        assert 200 < scene.min() < scene.max() < 350


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(height=16), '320x16 pixels: make it at least 32x32'),
        (dict(height=32, width=32, num_targets=50), '50 targets do not fit into 32x32'),
        (dict(bit_depth=16), 'bit_depth=16 is unknown'),
    ],
)
def test_impossible_scenes(kwargs, message):
    """What cannot be drawn is refused with the reason."""
    with pytest.raises(DuGIError, match=message):
        generate_scene(0, **kwargs)


def test_written_set(tmp_path):
    """The unlabelled tree loads for pre-training; lists and masks are complete."""
    written = write_dataset(tmp_path, num_images=20, height=48, width=64)
    assert len(find_images(written.unlabeled)) == 10
    lists = {
        name: (written.labelled / f'idx_427/{name}.txt').read_text().split()
        for name in ('train', 'val', 'test', 'trainval')
    }
    assert [len(lists[name]) for name in ('train', 'val', 'test')] == [6, 2, 2]
    assert lists['trainval'] == lists['train'] + lists['val']
    everything = lists['trainval'] + lists['test']
    assert len(set(everything)) == 10
    for i, name in enumerate(everything):
        scene = generate_scene(i, 48, 64)
        image = cv2.imread(str(written.labelled / f'images/{name}.png'), -1)
        mask = cv2.imread(str(written.labelled / f'masks/{name}_pixels0.png'), -1)
        np.testing.assert_array_equal(image, scene.image)
        np.testing.assert_array_equal(mask, scene.mask * 255)


def test_finished_set_is_left_alone(tmp_path):
    """A second call with the same arguments draws nothing again.

    Fewer images than the splits need are refused before writing.
    """
    written = write_dataset(tmp_path, 12, 48, 48)
    image = next(written.unlabeled.iterdir())
    image.write_bytes(b'mine')
    write_dataset(tmp_path, 12, 48, 48)
    assert image.read_bytes() == b'mine'
    with pytest.raises(DuGIError, match='need at least 12'):
        write_dataset(tmp_path / 'set', num_images=5)
    assert not (tmp_path / 'set').exists()
