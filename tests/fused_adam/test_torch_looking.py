"""What the torch face sees of tensors that changed between steps, by torch's private helpers and without them."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any

import pytest
import torch

import fused_adam
from fused_adam import torch_addresses, torch_tensors

MANY = 2 * torch_addresses._FEW


@pytest.fixture(params=["torch's helpers", "Python"], autouse=True)
def helpers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "Python":
        monkeypatch.setattr(torch_addresses, "_collect", None)
        monkeypatch.setattr(torch_tensors, "_Guards", None)
    else:
        assert torch_addresses._collect is not None
        assert torch_tensors._Guards is not None


def parameters(number: int) -> list[Any]:
    random = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(3, 3, generator=random)) for _ in range(number)]


def set_gradients(params: list[Any], k: int) -> None:
    random = torch.Generator().manual_seed(k)
    for p in params:
        p.grad = torch.randn(3, 3, generator=random)


def _swap(p: Any) -> None:
    p.data = p.data.clone()


def _transpose(p: Any) -> None:
    p.data = p.data.t()  # the same memory, other strides


def _drop(p: Any) -> None:
    p.grad = None


def _freeze(p: Any) -> None:
    p.requires_grad_(False)


def _turn_gradient(p: Any) -> None:
    p.grad = p.grad.t().contiguous().t()


def _negate_gradient(p: Any) -> None:
    p.grad = torch._neg_view(-p.grad)


CHANGES: tuple[Callable[[Any], None], ...] = (_swap, _transpose, _drop, _freeze, _turn_gradient, _negate_gradient)


@pytest.mark.parametrize("number", [2, MANY])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_between_steps_is_seen(change: Callable[[Any], None], number: int) -> None:
    """The same training as torch's, whose optimizer looks at everything in every step."""
    mine, theirs = parameters(number), parameters(number)
    ours, torchs = fused_adam.Adam(mine, lr=0.1), torch.optim.Adam(theirs, lr=0.1, foreach=False)
    for k in range(5):
        for params in (mine, theirs):
            set_gradients(params, k)
            if k in (2, 3):
                change(params[-1])
        ours.step()
        torchs.step()
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("number", [2, MANY])
def test_a_retyped_parameter_is_refused_and_nothing_is_written(number: int) -> None:
    params = parameters(number)
    optimizer = fused_adam.Adam(params)
    for k in range(3):
        set_gradients(params, k)
        optimizer.step()
    before = [p.detach().clone() for p in params]
    params[-1].data = params[-1].data.view(torch.float16)
    with pytest.raises(TypeError, match=r"dtype is torch\.float16; accepted: torch\.float32 or torch\.float64"):
        optimizer.step()
    params[-1].data = params[-1].data.view(torch.float32)
    assert all(torch.equal(p, b) for p, b in zip(params, before, strict=True))


def _replace_state(optimizer: Any, params: list[Any]) -> None:
    optimizer.state = collections.defaultdict(dict)


def _clear_state(optimizer: Any, params: list[Any]) -> None:
    optimizer.state.clear()


def _delete_one(optimizer: Any, params: list[Any]) -> None:
    del optimizer.state[params[-1]]


@pytest.mark.parametrize("take_away", [_replace_state, _clear_state, _delete_one])
def test_state_that_is_taken_away_begins_anew(take_away: Callable[[Any, list[Any]], None]) -> None:
    mine, theirs = parameters(2), parameters(2)
    ours, torchs = fused_adam.Adam(mine, lr=0.1), torch.optim.Adam(theirs, lr=0.1, foreach=False)
    for k in range(6):
        if k == 3:
            take_away(ours, mine)
            take_away(torchs, theirs)
        for params, optimizer in ((mine, ours), (theirs, torchs)):
            set_gradients(params, k)
            optimizer.step()
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_addresses_follow_the_tensors() -> None:
    tensors = [torch.zeros(3)[k % 3 :] for k in range(MANY)]
    given = [None if k % 7 == 0 else t for k, t in enumerate(tensors)]
    expected = [0 if t is None else t.data_ptr() for t in given]
    addresses = torch_addresses.Addresses(MANY)
    assert addresses.read(torch_addresses.objects(given, MANY))
    assert addresses.values.tolist() == expected
    assert not addresses.read(torch_addresses.objects(given, MANY))
    given[1] = torch.zeros(3)
    assert addresses.read(torch_addresses.objects(given, MANY))
