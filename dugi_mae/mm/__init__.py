"""The hosts' half: what makes sense in OpenMMLab only. It registers nothing itself."""
