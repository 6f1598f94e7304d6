"""LoadTargetMask reads binary masks whatever their encoding.

Which pixels are target is tested in tests/annotations/test_target_masks.py.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

pytest.importorskip('mmseg', reason='masks of small targets need mmsegmentation')

from mmseg.registry import TRANSFORMS

from dugi_mae.errors import DuGIError
from dugi_mae.mm.transforms import target_mask as target_mask_module
from dugi_mae.mm.transforms.loading import LoadInfraredImage
from dugi_mae.mm.transforms.target_mask import LoadTargetMask

TARGET = np.zeros((24, 32), bool)
TARGET[3:5, 6:10] = True
TARGET[-1, -1] = True


def palette_image() -> Image.Image:
    image = Image.fromarray(TARGET.astype(np.uint8), mode='P')
    image.putpalette([0, 0, 0, 0, 200, 0])  # a green target
    return image


ENCODINGS = {
    '1-bit': lambda: Image.fromarray(TARGET),
    '0/1': lambda: Image.fromarray(TARGET.astype(np.uint8)),
    '0/255': lambda: Image.fromarray(TARGET.astype(np.uint8) * 255),
    'uncertain edges': lambda: Image.fromarray(TARGET.astype(np.uint8) * 3),
    'RGB': lambda: Image.fromarray(TARGET.astype(np.uint8) * 255).convert('RGB'),
    'RGBA': lambda: Image.fromarray(TARGET.astype(np.uint8) * 255).convert('RGBA'),
    'palette': palette_image,
}


def load(path, shape=TARGET.shape, **kwargs) -> dict:
    results = dict(img_path='image.png', seg_map_path=str(path), ori_shape=shape)
    return LoadTargetMask(**kwargs)({**results, 'seg_fields': []})


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
@pytest.mark.parametrize('encoding', ENCODINGS)
def test_encodings(tmp_path, encoding):
    """Targets are 1 in whatever form, never 255 (= ignored)."""
    path = tmp_path / 'mask.png'
    ENCODINGS[encoding]().save(path)
    results = load(path)
    assert results['gt_seg_map'].dtype == np.uint8
    np.testing.assert_array_equal(results['gt_seg_map'], TARGET)
    assert results['seg_fields'] == ['gt_seg_map']


def test_grey_pixels_are_reported_once(tmp_path, monkeypatch):
    """They are decided by the threshold, and the file is named with their number."""
    path, messages = tmp_path / 'mask.png', []
    mask = TARGET.astype(np.uint8) * 255
    mask[10, 10], mask[3, 11] = 1, 130
    cv2.imwrite(str(path), mask)
    monkeypatch.setattr(
        target_mask_module, 'print_log', lambda text, *_: messages.append(text)
    )
    for _ in range(2):
        found = load(path)['gt_seg_map']
    assert found[10, 10] == 0 and found[3, 11] == 1
    assert len(messages) == 1
    assert 'mask.png: 2 pixels' in messages[0]
    assert load(path, threshold=200)['gt_seg_map'][3, 11] == 0


def test_ignored_pixels(tmp_path):
    """A value that is stated becomes 255, which loss and metric leave out."""
    path = tmp_path / 'mask.png'
    mask = TARGET.astype(np.uint8) * 255
    mask[10:12, 10:12] = 128
    cv2.imwrite(str(path), mask)
    found = load(path, ignore_value=128)['gt_seg_map']
    np.testing.assert_array_equal(found == 1, TARGET)
    np.testing.assert_array_equal(found == 255, mask == 128)


def test_background(tmp_path):
    """A black mask is a valid mask without target."""
    path = tmp_path / 'mask.png'
    cv2.imwrite(str(path), np.zeros((24, 32), np.uint8))
    assert not load(path)['gt_seg_map'].any()


def test_other_size_is_refused(tmp_path):
    """A mask of another size is an error that names both files and both sizes."""
    path = tmp_path / 'mask.png'
    cv2.imwrite(str(path), np.zeros((48, 64), np.uint8))
    with pytest.raises(DuGIError) as error:
        load(path)
    message = str(error.value)
    assert '\n' not in message
    for part in ('mask.png', '64x48', 'image.png', '32x24', "on_mismatch='resize'"):
        assert part in message


def test_other_size_is_resized(tmp_path):
    """On request the mask follows its image's size, without new values."""
    path = tmp_path / 'mask.png'
    cv2.imwrite(str(path), np.kron(TARGET, np.ones((2, 2))).astype(np.uint8) * 255)
    mask = load(path, on_mismatch='resize')['gt_seg_map']
    np.testing.assert_array_equal(mask, TARGET)


def test_swapped_sides_are_noticed(tmp_path):
    """Equal pixel counts are not equal sizes."""
    path = tmp_path / 'mask.png'
    cv2.imwrite(str(path), np.zeros((32, 24), np.uint8))
    with pytest.raises(DuGIError, match='24x32 pixels.*32x24'):
        load(path)


@pytest.mark.parametrize(
    ('content', 'message'),
    [(None, 'does not exist'), (b'', 'is empty'), (b'GIF', 'is damaged')],
)
def test_unreadable_mask(tmp_path, content, message):
    """An unreadable mask is named."""
    path = tmp_path / 'bad.png'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DuGIError, match=rf'bad\.png {message}'):
        load(path)


def test_wrong_choice():
    """Only the two ways of handling other sizes exist."""
    with pytest.raises(DuGIError, match="did you mean 'resize'"):
        TRANSFORMS.build(dict(type='LoadTargetMask', on_mismatch='rezise'))


@pytest.mark.real_data
def test_real_mask_of_another_size(data_root):
    """Misc_111 was released with a 592x400 mask for a 325x220 image."""
    results = dict(
        img_path=str(data_root / 'sirst/images/Misc_111.png'),
        seg_map_path=str(data_root / 'sirst/masks/Misc_111_pixels0.png'),
        seg_fields=[],
    )
    results = LoadInfraredImage()(results)
    with pytest.raises(DuGIError, match=r'Misc_111_pixels0\.png is 592x400.*325x220'):
        LoadTargetMask()(results)
    mask = LoadTargetMask(on_mismatch='resize')(results)['gt_seg_map']
    assert mask.shape == (220, 325)
    assert mask.any()
