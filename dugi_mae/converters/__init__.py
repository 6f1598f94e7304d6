"""From data sets as they are released to what the hosts' data sets read.

Pure functions without mmdet, mmseg or torch; the scripts in
``tools/dataset_converters`` are their command lines.
"""
