"""torch.compile: one graph each, and the numbers of the plain model."""

from __future__ import annotations

import pytest
import torch
import toys

from dugi_mae.models import (
    DualDomainGuidance,
    EntropyMasking,
    GreyValueMasking,
    RandomMasking,
)
from dugi_mae.ops import TokenMask, keep_by_score

# Both cached tables depend on sizes alone: compiled code may make them again.
pytestmark = pytest.mark.filterwarnings('ignore:Dynamo detected a call to a')


@pytest.fixture(autouse=True)
def forget_graphs():
    """Count every test's graphs from none, and leave none behind."""
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.fixture
def images() -> torch.Tensor:
    """Two images, wider than high."""
    return torch.randn(2, 3, 64, 96)


@pytest.fixture
def token_mask() -> TokenMask:
    """The mask of the 4 x 6 tokens of each."""
    return keep_by_score(torch.rand(2, 24), 0.75)


def gradients(module: torch.nn.Module, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    """Gradient of every trained weight, by name; those of ``module`` are cleared."""
    loss.backward()
    found = {
        name: weight.grad.clone()
        for name, weight in module.named_parameters()
        if weight.requires_grad
    }
    module.zero_grad()
    return found


def assert_compiles(module, call, backend: str = 'aot_eager') -> None:
    """Forward and backward as one graph each give the plain module's numbers.

    ``fullgraph=True`` raises at anything that would break the graph.
    """
    torch.manual_seed(1)
    plain = call()
    expected = gradients(module, plain.square().mean())
    torch.manual_seed(1)
    compiled = torch.compile(call, backend=backend, fullgraph=True)()
    torch.testing.assert_close(compiled, plain, rtol=1e-4, atol=1e-5)
    found = gradients(module, compiled.square().mean())
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize('impl', ['sparse', 'dense'])
def test_the_encoder_is_one_graph(impl, images, token_mask):
    """The masked encoder has no graph break in either form."""
    encoder = toys.masked_conv_vit(impl=impl)
    assert_compiles(encoder, lambda: encoder(images, token_mask))


@pytest.mark.parametrize('window_size', [None, 2])
def test_the_downstream_encoder_is_one_graph(window_size):
    """Padding, windows and cropping have no graph break; 56x88 is no multiple of 32."""
    bias = window_size is not None
    encoder = toys.conv_vit(window_size=window_size, rel_pos_bias=bias)
    images = torch.randn(2, 3, 56, 88)
    assert_compiles(encoder, lambda: torch.cat([x.flatten() for x in encoder(images)]))


def test_the_guidance_is_one_graph(images, token_mask):
    """Fourier transform, filter and attention have no graph break."""
    guide, tokens = DualDomainGuidance(16, 2), torch.randn(2, 6, 16)
    assert_compiles(guide, lambda: guide(tokens, images, token_mask))


@pytest.mark.parametrize('masking', [EntropyMasking, RandomMasking, GreyValueMasking])
def test_the_loss_is_one_graph(masking, images):
    """Masking, encoder, guidance, decoder and loss together have no graph break."""
    model = toys.autoencoder(masking()).train()
    # The two tests above differentiate the graphs of the large parts.
    backend = 'aot_eager' if masking is EntropyMasking else 'eager'
    assert_compiles(model, lambda: model(images), backend)


@pytest.mark.gpu
def test_generated_code_gives_the_same_loss(images):
    """The default backend's code gives the plain model's numbers.

    On a GPU only: compiling for a CPU takes minutes.
    """
    model, images = toys.autoencoder(EntropyMasking()).cuda().train(), images.cuda()
    assert_compiles(model, lambda: model(images), 'inductor')
