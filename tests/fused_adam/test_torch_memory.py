"""Memory of the torch face: gradients where the step itself writes (their values before it count), the negative bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import fused_adam
from fused_adam import torch_addresses

N = 1000


def trained(first: Any, p: Any, g: Any) -> tuple[Any, Any]:
    """Two parameters after a step with gradients 1 and `g`, and what separate memory gives."""
    results = []
    for one, two, gradient in ((first, p, g), (first.clone(), p.clone(), g.clone())):
        one.grad, two.grad = torch.ones_like(one), gradient
        fused_adam.Adam([one, two], lr=0.1, eps=1.0).step()
        results.append(torch.cat([one, two]))
    return results[0], results[1]


def test_gradient_in_another_parameter() -> None:
    base = torch.linspace(-1, 1, 2 * N)
    first, p = base[:N], base[N:]
    together, apart = trained(first, p, first.detach())
    assert torch.equal(together, apart)


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_gradient_in_its_own_parameter(shift: int) -> None:
    base = torch.linspace(-1, 1, N + 2)
    together, apart = trained(torch.ones(3), base[1 : N + 1], base[1 + shift : N + 1 + shift])
    assert torch.equal(together, apart)


@pytest.mark.parametrize("number", [2, 2 * torch_addresses._FEW])
@pytest.mark.parametrize("slot", ["exp_avg", "exp_avg_sq"])
def test_a_new_gradient_in_a_moment(slot: str, number: int) -> None:
    """One that comes when everything is bound, and lies as the last one did."""
    params = [torch.linspace(-1, 1, N) for _ in range(number)]
    others = [p.clone() for p in params]
    one, two = fused_adam.Adam(params, lr=0.1, eps=1.0), fused_adam.Adam(others, lr=0.1, eps=1.0)
    for k in range(4):
        for i, (p, q) in enumerate(zip(params, others, strict=True)):
            p.grad = torch.full((N,), i + k + 1.0)
            q.grad = p.grad.clone()
        if k in (2, 3):
            params[1].grad = one.state[params[0]][slot]
            others[1].grad = two.state[others[0]][slot].clone()
        one.step()
        two.step()
    assert all(torch.equal(p, q) for p, q in zip(params, others, strict=True))


def test_a_gradient_beside_what_is_written_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    base = torch.ones(3 * N)
    p = base[N : 2 * N]
    optimizer = fused_adam.Adam([p])
    p.grad = base[:N]
    optimizer.step()
    monkeypatch.setattr("fused_adam.torch_binding.Binding._copied", lambda *_: pytest.fail("copied"))
    for k in (2, 0):
        p.grad = base[k * N : (k + 1) * N]
        optimizer.step()


def _conjugate_imaginary() -> Any:
    return torch.complex(torch.zeros(1), -torch.ones(1)).conj().imag


@pytest.mark.parametrize("make", [lambda: torch._neg_view(-torch.ones(3)), _conjugate_imaginary])
def test_what_lies_in_memory_may_be_the_negative(make: Any) -> None:
    """Also where somebody puts such a moment into the state."""
    p, q = make(), make().clone()
    assert (p.is_neg(), q.is_neg()) == (True, False)
    optimizers = fused_adam.Adam([p], lr=0.1), fused_adam.Adam([q], lr=0.1)
    for k in range(4):
        for optimizer, x in zip(optimizers, (p, q), strict=True):
            x.grad = torch.full_like(q, k - 1.0)
            optimizer.step()
            if k == 1:
                m = optimizer.state[x]["exp_avg"]
                optimizer.state[x]["exp_avg"] = torch._neg_view(-m) if x is p else m.clone()
    assert torch.equal(p, q)
    assert (q != 1).all()
