"""Building blocks, one concept per file."""

# ruff: noqa: F401

from .attention_block import AttentionBlock, SelfAttention
from .conv_block import ConvBlock
from .guided_attention import FrequencyInjectionBlock, GuidanceRefinementBlock
from .init import init_transformer_weights
from .norm import LayerNorm2d
from .patch_embed import ConvPatchEmbed, TokenEmbed
from .state_dict import fold_channels_on_load, resize_positions_on_load
from .window_attention import WindowAttention
