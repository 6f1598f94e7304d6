"""Annotations of infrared sets: COCO files, label maps, class names. No OpenMMLab."""
