"""Dataset converters: from sets as they are released to what the hosts read.

One function each, ``convert(source, out, **options)``: ``source`` is the release or the
folder around it, ``out`` gets what is written, and lines to print are returned. A
:class:`~dugi_mae.DuGIError` says what is missing, damaged or not of the set.
``tools/dataset_converters/convert_dataset.py`` is their command line. (Checkpoint
conversion is another thing: :mod:`dugi_mae.checkpoints`.)
"""

from dugi_mae.converters import (
    dronevehicle,
    flir,
    hit_uav,
    irstd1k,
    llvip,
    m3fd,
    mfnet,
    msrs,
)

#: Converter by the name of its data set.
CONVERTERS = {
    'dronevehicle': dronevehicle.convert,
    'flir': flir.convert,
    'hit-uav': hit_uav.convert,
    'irstd1k': irstd1k.convert,
    'llvip': llvip.convert,
    'm3fd': m3fd.convert,
    'mfnet': mfnet.convert,
    'msrs': msrs.convert,
}
