"""The hosts' half: what only makes sense in OpenMMLab. It registers nothing by itself."""
