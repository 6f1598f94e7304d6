"""Toy releases."""

from released_sets import hit_uav, irstd1k, make_msrs, mfnet, soda  # noqa: F401
