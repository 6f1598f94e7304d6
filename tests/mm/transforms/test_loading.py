"""LoadInfraredImage is our reader as a transform."""

from __future__ import annotations

import numpy as np
import pytest
from mmengine import fileio
from mmengine.fileio.backends.registry_utils import backends
from mmengine.registry import TRANSFORMS
from toys import noise, write_image

from dugi_mae.errors import BadImageError
from dugi_mae.images import load_infrared
from dugi_mae.mm.transforms import LoadInfraredImage


def test_transform(tmp_path):
    """Found by its bare name in every host; keys and pixels are as documented."""
    path = write_image(tmp_path / 'a.png', noise(channels=3))
    transform = TRANSFORMS.build(dict(type='LoadInfraredImage', channels=1))
    results = transform(dict(img_path=str(path), sample_idx=4))
    assert np.array_equal(results['img'], load_infrared(path, channels=1))
    assert results['img_shape'] == results['ori_shape'] == (48, 64)
    assert results['sample_idx'] == 4
    assert 'channels=1' in repr(transform) and 'backend_args=None' in repr(transform)
    counts = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)
    assert transform.convert(counts).shape == (48, 64, 1)


def test_other_storages(tmp_path, monkeypatch):
    """``backend_args`` are mmengine's; a storage that it does not know is named."""
    path = write_image(tmp_path / 'a.png')

    class Remote(fileio.LocalBackend):
        def get(self, filepath):
            return super().get(str(filepath).replace('far://', f'{tmp_path}/'))

    monkeypatch.setitem(backends, 'far', Remote)
    load = LoadInfraredImage(backend_args=dict(backend='far')).load
    assert np.array_equal(load('far://a.png'), load_infrared(path))
    with pytest.raises(BadImageError, match=r'far://b\.png does not exist'):
        load('far://b.png')
    with pytest.raises(BadImageError, match=r'near://a\.png .*mmengine does not know'):
        LoadInfraredImage().load('near://a.png')
