"""What only a GPU can show: streams, memory that is used again, devices side by side. Without one: skipped.

``python -m pytest tests/gpu``, with a torch for CUDA. The formulas are ``python -m conformance run --adapter
fused-adam-cuda``.
"""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
if not torch.cuda.is_available():
    pytest.skip("needs an NVIDIA GPU and torch for CUDA", allow_module_level=True)

import fused_adam  # noqa: E402

STEPS = 200
BUSY = 10**8
"""Cycles for which the device lags behind the host."""


def leaves(device: str) -> list[Any]:
    torch.manual_seed(0)
    tensors = [torch.randn(shape) for shape in ((3,), (2048, 33), (5, 7), (0,), ())]
    return [t.to(device).requires_grad_() for t in tensors]


def train(params: list[Any], optimizer: Any, *, lag: bool = False) -> None:
    """lr changes in every step, every third gradient is absent, and the gradients move."""
    generator = torch.Generator().manual_seed(1)
    values = [[torch.randn(p.shape, generator=generator).to(p.device) for p in params] for _ in range(7)]
    if lag:
        torch.cuda._sleep(BUSY)
    for k in range(STEPS):
        optimizer.param_groups[0]["lr"] = 1e-3 * (1 + k % 5)
        for i, p in enumerate(params):
            p.grad = None if (i + k) % 3 == 2 else values[(i + k) % 7][i].clone()
        optimizer.step()


def results(params: list[Any]) -> list[Any]:
    return [p.detach().cpu() for p in params]


@pytest.fixture(scope="module")
def expected() -> list[Any]:
    """One step after the other has ended."""
    params = leaves("cuda")
    optimizer = fused_adam.Adam(params)
    optimizer.register_step_post_hook(lambda *_: torch.cuda.synchronize())
    train(params, optimizer)
    return results(params)


def same(params: list[Any], expected: list[Any]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(results(params), expected, strict=True))


def test_the_host_may_run_ahead(expected: list[Any]) -> None:
    params = leaves("cuda")
    train(params, fused_adam.Adam(params), lag=True)
    assert same(params, expected)


def test_on_another_stream(expected: list[Any]) -> None:
    params = leaves("cuda")
    optimizer = fused_adam.Adam(params)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        train(params, optimizer, lag=True)
        del optimizer  # its tables are still read
        rubbish = [torch.full((64,), -1, dtype=torch.int64, device="cuda") for _ in range(64)]
    stream.synchronize()
    assert same(params, expected)
    del rubbish


def test_cpu_and_gpu_in_one_optimizer(expected: list[Any]) -> None:
    there, here = leaves("cuda"), leaves("cpu")
    optimizer = fused_adam.Adam([*there, *here])
    train(there, optimizer)
    assert same(there, expected)
    alone = leaves("cpu")
    assert same(here, results(alone))  # no gradient, no step
    names = {name.rpartition(" ")[0] for name in optimizer.ran if " " in name}
    assert "triton cuda" in names


def test_a_captured_stream_is_refused_before_anything_is_written() -> None:
    params = leaves("cuda")
    optimizer = fused_adam.Adam(params)
    for p in params:
        p.grad = torch.ones_like(p)
    optimizer.step()
    before = results(params)
    torch.cuda.synchronize()
    with torch.cuda.graph(torch.cuda.CUDAGraph()):
        torch.ones(1, device="cuda")  # torch warns of an empty graph
        with pytest.raises(RuntimeError, match="CUDA graphs are not implemented yet"):
            optimizer.step()
    torch.cuda.synchronize()
    assert same(params, before)
