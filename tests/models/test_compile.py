"""torch.compile: one graph each, and the numbers of the plain model."""

from __future__ import annotations

import pytest
import torch
import toys

from dugi_mae.models import EntropyMasking, GreyValueMasking, RandomMasking

# Both cached tables depend on sizes alone: compiled code may make them again.
pytestmark = pytest.mark.filterwarnings('ignore:Dynamo detected a call to a')
#: One block of each kind: tracing takes most of the time.
ARCH = dict(toys.ARCH, depths=(1, 1, 1))


@pytest.fixture(autouse=True)
def forget_graphs():
    """Count every test's graphs from none, and leave none behind."""
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.fixture
def images() -> torch.Tensor:
    """Two images, wider than high; no multiple of 32."""
    return torch.randn(2, 3, 48, 80)


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


@pytest.mark.parametrize(
    ('impl', 'backend'), [('sparse', 'aot_eager'), ('dense', 'eager')]
)
def test_the_loss_is_one_graph(impl, backend, images):
    """Masking, encoder, guidance, decoder and loss together have no graph break."""
    model = toys.autoencoder(EntropyMasking(), arch=ARCH, impl=impl).train()
    assert_compiles(model, lambda: model(images), backend)


@pytest.mark.parametrize('masking', [RandomMasking, GreyValueMasking])
def test_a_masking_is_one_graph(masking, images):
    """Those that the loss above does not have choose the same tokens."""
    choose = masking()
    compiled = torch.compile(choose, backend='eager', fullgraph=True)
    masks = []
    for call in (choose, compiled):
        torch.manual_seed(1)
        masks.append(call(images).ids_keep)
    assert torch.equal(*masks)


def test_the_downstream_encoder_is_one_graph(images):
    """Padding, cropping and both kinds of attention have no graph break."""
    encoder = toys.conv_vit(window_size=2, rel_pos_bias=True)
    assert_compiles(encoder, lambda: torch.cat([x.flatten() for x in encoder(images)]))


@pytest.mark.gpu
def test_generated_code_gives_the_same_loss(images):
    """The default backend's code gives the plain model's numbers.

    On a GPU only: compiling for a CPU takes minutes.
    """
    model, images = toys.autoencoder(EntropyMasking()).cuda().train(), images.cuda()
    assert_compiles(model, lambda: model(images), 'inductor')
