"""Toy releases."""

from released_sets import (  # noqa: F401
    dronevehicle,
    flir_aligned,
    flir_coco,
    hit_uav,
    irstd1k,
    llvip,
    m3fd,
    make_msrs,
    mfnet,
)
