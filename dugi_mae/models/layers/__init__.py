"""Building blocks, one concept per file."""

from .attention_block import AttentionBlock, Mlp, SelfAttention
from .conv_block import ConvBlock, ConvMlp
from .guided_attention import FrequencyInjectionBlock, GuidanceRefinementBlock
from .init import init_transformer_weights
from .norm import LayerNorm2d
from .patch_embed import ConvPatchEmbed, TokenEmbed
from .window_attention import WindowAttention

__all__ = [
    'AttentionBlock',
    'ConvBlock',
    'ConvMlp',
    'ConvPatchEmbed',
    'FrequencyInjectionBlock',
    'GuidanceRefinementBlock',
    'LayerNorm2d',
    'Mlp',
    'SelfAttention',
    'TokenEmbed',
    'WindowAttention',
    'init_transformer_weights',
]
