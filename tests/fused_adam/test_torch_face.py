"""``fused_adam.Adam``, ``AdamW`` and ``RAdam`` against torch's own classes, in both directions."""

from __future__ import annotations

import copy
import gc
import io
import math
import pickle
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import fused_adam  # noqa: E402

PAIRS = [
    ("Adam", {}),
    ("Adam", {"weight_decay": 0.1, "amsgrad": True}),
    ("AdamW", {}),
    ("RAdam", {"weight_decay": 0.1}),
]
IDS = ["Adam", "AMSGrad", "AdamW", "RAdam"]


def parameters(seed: int = 0) -> list[Any]:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((3,), (), (0,), (4, 5), (2, 3, 4))
    return [torch.nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64)) for shape in shapes]


def give(leaves: list[Any], k: int, without: tuple[int, ...] = ()) -> None:
    generator = torch.Generator().manual_seed(100 + k)
    for i, p in enumerate(leaves):
        g = torch.randn(p.shape, generator=generator, dtype=p.dtype)
        p.grad = None if i in without else g


def same(one: list[Any], two: list[Any]) -> None:
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a.detach(), b.detach(), rtol=1e-13, atol=1e-15)


def pair(name: str, given: dict[str, Any]) -> tuple[Any, Any, list[Any], list[Any]]:
    a, b = parameters(), parameters()
    groups = [[{"params": q[:2]}, {"params": q[2:], "lr": 0.05, "betas": (0.8, 0.95)}] for q in (a, b)]
    ours = getattr(fused_adam, name)(groups[0], lr=0.01, **given)
    theirs = getattr(torch.optim, name)(groups[1], lr=0.01, **given)
    return ours, theirs, a, b


@pytest.mark.parametrize(("name", "given"), PAIRS, ids=IDS)
def test_trains_as_torch_does(name: str, given: dict[str, Any]) -> None:
    ours, theirs, a, b = pair(name, given)
    schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(o, 20) for o in (ours, theirs)]
    for k in range(12):
        without = (0, 3) if k % 3 == 1 else ()
        for leaves, optimizer, schedule in zip((a, b), (ours, theirs), schedules, strict=True):
            give(leaves, k, without)
            optimizer.step()
            schedule.step()
        same(a, b)


@pytest.mark.parametrize(("name", "given"), PAIRS, ids=IDS)
@pytest.mark.parametrize("way", ["to torch", "from torch"])
def test_states_are_interchangeable(name: str, given: dict[str, Any], way: str) -> None:
    ours, theirs, a, b = pair(name, given)
    source, target, p, q = (ours, theirs, a, b) if way == "to torch" else (theirs, ours, b, a)
    for k in range(7):
        give(p, k, (1,) if k < 2 else ())
        source.step()
    for x, y in zip(p, q, strict=True):
        y.data.copy_(x.data)
    buffer = io.BytesIO()
    torch.save(source.state_dict(), buffer)
    buffer.seek(0)
    target.load_state_dict(torch.load(buffer))
    for k in range(7, 12):
        give(p, k)
        give(q, k)
        source.step()
        target.step()
        same(p, q)
    one, two = ours.state_dict(), theirs.state_dict()
    assert one["state"].keys() == two["state"].keys()
    for number, state in one["state"].items():
        assert set(state) == set(two["state"][number])
        assert state["step"].dtype == two["state"][number]["step"].dtype
        assert torch.equal(state["step"], two["state"][number]["step"])
    known = set(two["param_groups"][0]) | {"foreach", "fused"}
    assert set(one["param_groups"][0]) <= known


@pytest.mark.parametrize(("name", "given"), PAIRS, ids=IDS)
@pytest.mark.parametrize("how", ["pickle", "deepcopy", "state_dict", "torch.save"])
def test_going_on_from_a_copy(name: str, given: dict[str, Any], how: str) -> None:
    p = parameters()
    optimizer = getattr(fused_adam, name)(p, lr=0.01, **given)
    for k in range(6):
        give(p, k, (4,) if k < 3 else ())
        optimizer.step()
    if how == "state_dict":
        q = [torch.nn.Parameter(x.detach().clone()) for x in p]
        other = getattr(fused_adam, name)(q, **given)
        other.load_state_dict(optimizer.state_dict())
    else:
        if how == "torch.save":
            buffer = io.BytesIO()
            torch.save((p, optimizer), buffer)
            buffer.seek(0)
            q, other = torch.load(buffer, weights_only=False)
        else:
            q, other = (
                copy.deepcopy((p, optimizer)) if how == "deepcopy" else pickle.loads(pickle.dumps((p, optimizer)))
            )
        assert other.param_groups[0]["params"][0] is q[0]
    for k in range(6, 9):
        give(p, k)
        give(q, k)
        optimizer.step()
        other.step()
    for x, y in zip(p, q, strict=True):
        assert torch.equal(x, y)
    assert [int(s["step"]) for s in other.state_dict()["state"].values()] == [9, 9, 9, 9, 6]


@pytest.mark.parametrize("dialect", ["keras-v2-adam", "tf-keras-adam", "mxnet2-adam", "mxnet1-adam"])
def test_epsilon_hat_is_refused_on_the_way_to_torch(dialect: str) -> None:
    p = parameters()
    optimizer = fused_adam.Adam(p, dialect=dialect)
    give(p, 0)
    optimizer.step()
    buffer = io.BytesIO()
    torch.save(optimizer.state_dict(), buffer)
    buffer.seek(0)
    state = torch.load(buffer)
    with pytest.raises(ValueError, match=rf"fused_adam.Adam\(\.\.\., dialect=.*{dialect}"):
        torch.optim.Adam(parameters()).load_state_dict(state)
    with pytest.raises(ValueError, match=rf"construct with dialect='{dialect}'"):
        fused_adam.Adam(parameters()).load_state_dict(state)
    with pytest.raises(ValueError, match="construct with dialect='torch-adam'"):
        optimizer.load_state_dict(torch.optim.Adam(parameters()).state_dict())
    q = [torch.nn.Parameter(x.detach().clone()) for x in p]
    other = fused_adam.Adam(q, dialect=dialect)
    other.load_state_dict(state)
    for o, leaves in ((optimizer, p), (other, q)):
        give(leaves, 1)
        o.step()
    assert all(torch.equal(x, y) for x, y in zip(p, q, strict=True))


def test_loaded_moments_are_copies() -> None:
    p, q = parameters(), parameters()
    one, two = fused_adam.Adam(p), fused_adam.Adam(q)
    give(p, 0)
    one.step()
    two.load_state_dict(one.state_dict())
    before = one.state[p[0]]["exp_avg"].clone()
    give(q, 1)
    two.step()
    assert torch.equal(one.state[p[0]]["exp_avg"], before)


LAYOUTS: dict[str, Any] = {
    "contiguous": lambda: torch.zeros(4, 6),
    "transposed": lambda: torch.zeros(6, 4).t(),
    "every second": lambda: torch.zeros(4, 12)[:, ::2],
    "column": lambda: torch.zeros(4, 6, 2)[..., 0],
}


@pytest.mark.parametrize("of_gradient", LAYOUTS)
@pytest.mark.parametrize("of_parameter", LAYOUTS)
def test_any_layout_is_the_same_training(of_parameter: str, of_gradient: str) -> None:
    start = torch.randn(4, 6)
    plain = torch.nn.Parameter(start.clone())
    other = torch.nn.Parameter(LAYOUTS[of_parameter]())
    other.data.copy_(start)
    one, two = fused_adam.Adam([plain]), fused_adam.Adam([other])
    for _ in range(3):
        g = torch.randn(4, 6)
        plain.grad, other.grad = g, LAYOUTS[of_gradient]().copy_(g)
        one.step()
        two.step()
    assert torch.equal(plain, other)
    assert torch.equal(one.state[plain]["exp_avg"], two.state[other]["exp_avg"])


def test_channels_last_after_a_step() -> None:
    a, b = (torch.nn.Parameter(torch.ones(2, 3, 4, 5)) for _ in range(2))
    one, two = fused_adam.Adam([a]), fused_adam.Adam([b])
    for k in range(3):
        if k == 1:
            b.data = b.data.to(memory_format=torch.channels_last)
        g = torch.randn(2, 3, 4, 5)
        a.grad, b.grad = g, g.clone().to(memory_format=torch.channels_last if k else torch.contiguous_format)
        one.step()
        two.step()
    assert torch.equal(a, b)


def test_closure() -> None:
    p = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = fused_adam.Adam([p], lr=0.1)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (p * 3).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 3
    assert p.item() == pytest.approx(0.9)


def test_autograd_sees_that_the_parameter_has_changed() -> None:
    p, frozen = torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(3))
    optimizer = fused_adam.Adam([p, frozen])
    loss = (p * p).sum()
    p.grad = torch.ones(3)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    assert frozen._version == 0
    assert frozen not in optimizer.state


def test_late_group_and_step_counts() -> None:
    for dialect, expected in (("torch-adam", [3, 1]), ("keras-v2-adam", [3, 3])):
        p, q = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
        optimizer = fused_adam.Adam([p], dialect=dialect)
        for k in range(3):
            if k == 2:
                optimizer.add_param_group({"params": [q], "lr": 0.5})
            for x in (p, q):
                x.grad = torch.ones(2)
            optimizer.step()
        states = optimizer.state_dict()["state"].values()
        assert [int(s.get("t", s["step"]) if "t" in s else s["step"]) for s in states] == expected


def test_no_tensor_is_allocated_in_a_step() -> None:
    p = torch.nn.Parameter(torch.ones(1000))
    p.grad = torch.ones(1000)
    optimizer = fused_adam.Adam([p])
    optimizer.step()
    with torch.profiler.profile(profile_memory=True, activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
        optimizer.step()
    assert sum(max(e.self_cpu_memory_usage, 0) for e in seen.key_averages()) == 0


def test_gradients_are_not_kept_alive() -> None:
    import weakref

    p = torch.nn.Parameter(torch.ones(1000))
    p.grad = torch.ones(1000)
    optimizer = fused_adam.Adam([p])
    optimizer.step()
    gone = weakref.ref(p.grad)
    optimizer.zero_grad()
    gc.collect()
    assert gone() is None


def test_profiler_and_hooks_work() -> None:
    p = torch.nn.Parameter(torch.ones(2))
    optimizer = fused_adam.AdamW([("weight", p)])
    calls: list[str] = []
    optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    optimizer.register_step_post_hook(lambda *_: calls.append("after"))
    p.grad = torch.ones(2)
    optimizer.step()
    assert calls == ["before", "after"]
    assert isinstance(optimizer, torch.optim.Optimizer)
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight"]
    assert optimizer.ran == {"cpu-numba serial", "float32_decay_before"}


def test_gradient_scaler() -> None:
    p = torch.nn.Parameter(torch.ones(2))
    optimizer = fused_adam.Adam([p], lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    scaler.scale((p * torch.tensor([1.0, math.inf])).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert torch.equal(p.detach(), torch.ones(2))
    optimizer.zero_grad()
    scaler.scale(p.sum()).backward()
    scaler.step(optimizer)
    assert p.detach().tolist() == pytest.approx([0.9, 0.9])


ONE = [torch.nn.Parameter(torch.ones(2))]
BAD: list[tuple[Any, dict[str, Any], str]] = [
    (ONE, {"lr": -1.0}, "lr is -1.0; accepted: a finite number >= 0"),
    (ONE, {"lr": math.nan}, "lr is nan"),
    (ONE, {"lr": torch.tensor(0.1)}, "tensors are not implemented yet"),
    (ONE, {"betas": (0.9, 1.0)}, r"betas\[1\] is 1.0; accepted: a number in \[0, 1\)"),
    (ONE, {"betas": 0.9}, "betas is 0.9"),
    (ONE, {"eps": -1e-8}, "eps is -1e-08"),
    (ONE, {"maximize": True}, "maximize is True; accepted: False; it is not implemented yet"),
    (ONE, {"capturable": True}, "capturable is True"),
    (ONE, {"differentiable": True}, "differentiable is True"),
    (ONE, {"dialect": "tfa-rectified-adam"}, "rectified ones belong to fused_adam.RAdam"),
    (ONE, {"dialect": "keras-v2-adam", "weight_decay": 0.1}, "weight_decay with decoupled_weight_decay=False is 0.1"),
    (ONE, {"rescale_grad": 2.0}, "rescale_grad is 2.0; .*torch-adam does not have it"),
    ([torch.ones(2, dtype=torch.bfloat16, requires_grad=True)], {}, "dtype is torch.bfloat16; accepted: torch.float32"),
    ([torch.ones(2, dtype=torch.int64)], {}, "dtype is torch.int64"),
    ([torch.ones(2, device="meta", requires_grad=True)], {}, "device is 'meta'; accepted: cpu or cuda"),
    ([torch.ones(1, requires_grad=True).detach().expand(3).requires_grad_()], {}, "no two elements share memory"),
    ([ONE[0], torch.nn.Parameter(ONE[0].data)], {}, "does not overlap"),
    (
        [torch.nested.nested_tensor([torch.ones(2)], layout=torch.jagged)],
        {},
        r"\[0\] is 'a nested tensor'; accepted: a",
    ),
    ([{"params": ONE, "lr": -2.0}], {}, "lr is -2.0"),
]


@pytest.mark.parametrize(("params", "given", "message"), BAD, ids=[m[:30] for _, _, m in BAD])
def test_bad_arguments(params: Any, given: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        fused_adam.Adam(params, **given)


def trained() -> tuple[Any, Any, Any]:
    p, q = (torch.nn.Parameter(torch.ones(4, 2)) for _ in range(2))
    optimizer = fused_adam.Adam([p, q])
    for x in (p, q):
        x.grad = torch.ones(4, 2)
    optimizer.step()
    return p, q, optimizer


CHANGES: dict[str, tuple[Any, str]] = {
    "sparse": (
        lambda q, _o: setattr(q, "grad", torch.ones(4, 2).to_sparse()),
        "row-sparse gradients are not implemented",
    ),
    "resized": (lambda q, _o: setattr(q, "data", torch.ones(3)), "neither resized nor re-typed"),
    "cut": (lambda q, _o: setattr(q, "data", q.data[:2]), "neither resized nor re-typed|shape"),
    "re-typed": (lambda q, _o: setattr(q, "data", q.data.double()), "neither resized nor re-typed"),
    "half": (lambda q, _o: setattr(q, "data", q.data.half()), "dtype is torch.float16"),
    "learning rate": (lambda _q, o: o.param_groups[0].update(lr=math.nan), "lr is nan"),
    "betas": (lambda _q, o: o.param_groups[0].update(betas=(0.9, 2.0)), r"betas\[1\] is 2.0"),
    "amsgrad": (lambda _q, o: o.param_groups[0].update(amsgrad=True), "amsgrad"),
    "tied": (lambda q, o: setattr(q, "data", o.param_groups[0]["params"][0].data), "does not overlap"),
    "dtype of gradient": (
        lambda q, _o: (
            setattr(q, "grad", None),
            setattr(q, "grad_dtype", None),
            setattr(q, "grad", torch.ones(4, 2).double()),
        ),
        "dtype is torch.float64; accepted: torch.float32",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_bad_changes_between_steps_are_refused_before_anything_is_written(change: str) -> None:
    p, q, optimizer = trained()
    act, message = CHANGES[change]
    act(q, optimizer)
    before = [x.detach().clone() for x in (p, q, *(optimizer.state[p].values()))]
    with pytest.raises((ValueError, TypeError, RuntimeError), match=message):
        optimizer.step()
    after = (p, q, *optimizer.state[p].values())
    assert all(torch.equal(x, y.detach()) for x, y in zip(before, after, strict=True))
    assert optimizer._counts()[p] == 1


def test_a_moved_parameter_is_followed() -> None:
    p, q, optimizer = trained()
    old = q.data
    q.data = old.clone()
    kept = old.clone()
    optimizer.step()
    assert torch.equal(p, q)
    assert torch.equal(old, kept)


def test_bad_states() -> None:
    p, _, optimizer = trained()
    good = optimizer.state_dict()
    wrong = [
        {**good, "param_groups": []},
        {**good, "param_groups": [{**good["param_groups"][0], "maximize": True}]},
        {**good, "state": {0: {**good["state"][0], "exp_avg": torch.ones(3)}}},
        {**good, "state": {0: {k: v for k, v in good["state"][0].items() if k != "exp_avg_sq"}}},
        {**good, "state": {0: {**good["state"][0], "step": torch.tensor(1.5)}}},
        {**good, "param_groups": [{**good["param_groups"][0], "amsgrad": True}]},
    ]
    for state in wrong:
        with pytest.raises(ValueError, match="accepted"):
            optimizer.load_state_dict(state)
    assert optimizer._counts()[p] == 1
    optimizer.step()


def test_tfa_rectified_with_warm_up() -> None:
    p = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    optimizer = fused_adam.RAdam(
        [p], lr=0.1, dialect="tfa-rectified-adam", total_steps=10, warmup_proportion=0.5, weight_decay=0.5,
        decoupled_weight_decay=True,
    )  # fmt: skip
    p.grad = torch.ones(1, dtype=torch.float64)
    optimizer.step()
    assert p.item() == pytest.approx(1 - 0.02 * (1 + 0.5))
