"""From image files and raw counts to pixels: numpy in, numpy out."""

from dugi_mae.images.loading import InfraredReader, load_infrared
from dugi_mae.images.stored_size import stored_size

__all__ = ['InfraredReader', 'load_infrared', 'stored_size']
