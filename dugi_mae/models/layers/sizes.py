"""The range of every number that sizes a model.

The upper ends are far beyond any vision transformer. They are there because a slip such
as ``embed_dims=768000`` would fill the memory instead of giving a message.
"""

from __future__ import annotations

from dugi_mae.errors import check_range

#: Least and greatest value by name.
SIZES = dict(
    in_channels=(1, 1024),
    out_channels=(1, 1024),
    img_size=(1, 2**13),
    patch_size=(1, 128),
    embed_dims=(1, 2**14),
    decoder_embed_dims=(4, 2**14),
    channels=(1, 2**14),
    depth=(1, 1000),
    depths=(1, 1000),
    decoder_depth=(0, 1000),
    mlp_ratio=(0.01, 64),
    drop_path_rate=(0, 0.99),
    num_extra_tokens=(0, 64),
    num_bins=(2, 2**16),
    window_size=(1, 128),
)


def check_sizes(**sizes: float) -> None:
    """Raise for a number that is out of its range in :data:`SIZES`.

    Args:
        **sizes: Numbers by their names.

    Raises:
        DuGIError: With the name and the nearest value that is in range.
    """
    for name, value in sizes.items():
        check_range(name, value, *SIZES[name])
