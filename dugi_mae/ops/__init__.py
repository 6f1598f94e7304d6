"""Pure tensor functions: no modules, no registry."""

from .entropy import softmax_entropy, token_entropy
from .frequency import (
    FILTER_MODES,
    centred_log_spectrum,
    filter_images,
    radial_filter,
    spectrum_distance,
)
from .masking import (
    TokenMask,
    check_mask,
    gather_tokens,
    grid_mask,
    keep_by_score,
    make_token_mask,
    num_visible,
    restore_tokens,
)
from .patches import gather_patches, patch_grid, patchify, unpatchify
from .pos_embed import resize_pos_embed, sincos_pos_embed
from .sparse_conv import conv_on_cells, neighbour_rows
from .windows import (
    merge_windows,
    partition_windows,
    real_tokens,
    relative_position_index,
)

__all__ = [
    'FILTER_MODES',
    'TokenMask',
    'centred_log_spectrum',
    'check_mask',
    'conv_on_cells',
    'filter_images',
    'gather_patches',
    'gather_tokens',
    'grid_mask',
    'keep_by_score',
    'make_token_mask',
    'merge_windows',
    'neighbour_rows',
    'num_visible',
    'partition_windows',
    'patch_grid',
    'patchify',
    'radial_filter',
    'real_tokens',
    'relative_position_index',
    'resize_pos_embed',
    'restore_tokens',
    'sincos_pos_embed',
    'softmax_entropy',
    'spectrum_distance',
    'token_entropy',
    'unpatchify',
]
