"""``load_state_dict`` of the torch face: hooks, and states that are refused before anything is written."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch

import fused_adam


def stepped() -> Any:
    p = torch.nn.Parameter(torch.ones(3))
    optimizer = fused_adam.Adam([p])
    p.grad = torch.ones(3)
    optimizer.step()
    return optimizer


def with_moment(make: Callable[[Any], Any]) -> Callable[[dict[str, Any]], Any]:
    def change(state: dict[str, Any]) -> Any:
        state["state"][0]["exp_avg"] = make(state["state"][0]["exp_avg"])
        return state

    return change


BAD: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda _: None, "state_dict is 'NoneType'; accepted: what"),
    (lambda _: [], "state_dict is 'list'"),
    (lambda _: {}, r"state_dict\['state'\] is 'missing'"),
    (lambda s: {"state": s["state"]}, r"state_dict\['param_groups'\] is 'missing'"),
    (lambda s: {**s, "state": None}, r"state_dict\['state'\] is 'NoneType'"),
    (lambda s: {**s, "state": {0: 1}}, r"state_dict\['state'\]\[0\] is 'int'"),
    (lambda s: {**s, "param_groups": {}}, r"state_dict\['param_groups'\] is 'dict'"),
    (lambda s: {**s, "param_groups": [{}]}, r"state_dict\['param_groups'\]\[0\] is {}"),
    (with_moment(lambda m: m.to_sparse()), r"state_dict\['state'\]\[0\]\['exp_avg'\] is .*torch.sparse_coo"),
    (
        with_moment(lambda m: m.int()),
        r"\['exp_avg'\] is 'torch.int32 \(3,\).*accepted: a dense tensor of floating",
    ),
    (with_moment(lambda m: m.to(torch.complex64)), r"\['exp_avg'\] is 'torch.complex64"),
    (with_moment(lambda m: m.to("meta")), r"\['exp_avg'\] is .* on meta"),
    (with_moment(lambda m: torch.nested.nested_tensor([m], layout=torch.jagged)), r"\['exp_avg'\] is .* nested"),
    (with_moment(lambda m: m.tolist()), r"\['exp_avg'\] is 'list'"),
]
WAYS = [(c, m, way) for k, (c, m) in enumerate(BAD) for way in ("argument", "hook")[: 2 if k else 1]]
"""A hook that returns None leaves the state as it is."""


@pytest.mark.parametrize(("change", "message", "through"), WAYS, ids=[f"{way} {m[-30:]}" for _, m, way in WAYS])
def test_bad_states_change_nothing(change: Callable[[Any], Any], message: str, through: str) -> None:
    optimizer = stepped()
    good = copy.deepcopy(optimizer.state_dict())
    bad = change(copy.deepcopy(good))
    if through == "hook":
        optimizer.register_load_state_dict_pre_hook(lambda *_: bad)
    with pytest.raises((ValueError, TypeError), match=message):
        optimizer.load_state_dict(good if through == "hook" else bad)
    assert str(optimizer.state_dict()) == str(good)
    assert len(optimizer._optimizer_load_state_dict_pre_hooks) == (through == "hook")


@pytest.mark.parametrize("cls", [fused_adam.Adam, fused_adam.AdamW, fused_adam.RAdam])
def test_a_hook_may_mend_a_state(cls: Any) -> None:
    optimizer = cls([torch.nn.Parameter(torch.ones(3))])
    good = stepped().state_dict()
    good["param_groups"][0]["decoupled_weight_decay"] = False

    def mend(_: Any, state: dict[str, Any]) -> dict[str, Any]:
        return {"state": state["old"], "param_groups": good["param_groups"]}

    optimizer.register_load_state_dict_pre_hook(mend)
    optimizer.load_state_dict({"old": good["state"]})
    moments = optimizer.state_dict()["state"][0]
    assert moments["step"] == 1
    assert torch.equal(moments["exp_avg"], good["state"][0]["exp_avg"])
    assert moments["exp_avg"].data_ptr() != good["state"][0]["exp_avg"].data_ptr()
    assert optimizer.param_groups[0]["decoupled_weight_decay"] is (cls is fused_adam.AdamW)


@pytest.mark.parametrize("cls", [fused_adam.Adam, fused_adam.RAdam])
def test_a_shallow_copy_is_refused(cls: Any) -> None:
    """It would share the moments and count its steps for itself."""
    with pytest.raises(TypeError, match=r"copy.copy\(optimizer\).*; accepted: copy.deepcopy\(optimizer\)"):
        copy.copy(cls([torch.ones(3)]))


def test_where_there_is_one_t_a_state_has_one() -> None:
    params = [torch.ones(3), torch.ones(2)]
    optimizer = fused_adam.Adam(params, dialect="keras-v2-adam")
    for p in params:
        p.grad = torch.ones_like(p)
    optimizer.step()
    state = optimizer.state_dict()
    state["state"][1]["t"] = 7
    with pytest.raises(ValueError, match=r"step counts of the state is \[1, 7\]; accepted: one number"):
        optimizer.load_state_dict(state)
    assert optimizer._counts() == {params[0]: 1, params[1]: 1}


def test_at_the_last_step_nothing_is_written() -> None:
    optimizer = stepped()
    state = optimizer.state_dict()
    state["state"][0]["step"] = torch.tensor(2.0**53)
    optimizer.load_state_dict(state)
    p = optimizer.param_groups[0]["params"][0]
    p.grad, kept = torch.ones(3), p.detach().clone()
    with pytest.raises(ValueError, match="t is 9007199254740992; accepted: a number below"):
        optimizer.step()
    assert torch.equal(p, kept)
    optimizer.load_state_dict(optimizer.state_dict())
