"""Groups, state, hyper-parameters and memory that somebody changes between steps: as in torch, or refused."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

import fused_adam


def parameter(seed: int, n: int = 4) -> Any:
    return torch.nn.Parameter(torch.randn(n, generator=torch.Generator().manual_seed(seed)))


def groups() -> list[dict[str, Any]]:
    return [{"params": [parameter(0), parameter(1)]}, {"params": [parameter(2)], "lr": 0.01}]


def every(optimizer: Any) -> list[Any]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def _exchange(o: Any) -> None:
    o.param_groups[0]["params"][0] = parameter(7)


def _append(o: Any) -> None:
    o.param_groups[0]["params"].append(parameter(8))


def _pop_group(o: Any) -> None:
    o.param_groups.pop()


def _empty_group(o: Any) -> None:
    o.param_groups[0]["params"] = []


def _reverse(o: Any) -> None:
    o.param_groups.reverse()


def _move_state(o: Any) -> None:
    """As densification does in Gaussian splatting."""
    old, new = o.param_groups[0]["params"][0], parameter(9)
    state = o.state[old]
    del o.state[old]
    o.param_groups[0]["params"][0] = new
    o.state[new] = state


def _exchange_moment(o: Any) -> None:
    o.state[every(o)[0]]["exp_avg"] = torch.full((4,), 7.0)


def _empty_state(o: Any) -> None:
    o.state[every(o)[1]] = {}


def _take_out_and_back(o: Any) -> None:
    p = every(o)[0]
    state = o.state.pop(p)
    o.state[p] = {key: (v * 2 if key != "step" else v) for key, v in state.items()}
    o.state[p]["step"] = torch.tensor(2.0)


def _step_anew(o: Any) -> None:
    o.state[every(o)[0]]["step"] = torch.tensor(0.0)


def _share(o: Any) -> None:
    o.state[every(o)[0]]["exp_avg"].share_memory_()


def _swap_moment(o: Any) -> None:
    m = o.state[every(o)[0]]["exp_avg"]
    m.data = m.data.clone() * 2


def _betas_in_place(o: Any) -> None:
    for k, value in ((0.5, 0.6), (0.6, 0.7)):
        o.param_groups[0]["betas"] = [k, value]
    o.param_groups[0]["betas"][0] = 0.1


MEDDLING: tuple[Callable[[Any], None], ...] = (
    _exchange,
    _append,
    _pop_group,
    _empty_group,
    _reverse,
    _move_state,
    _exchange_moment,
    _empty_state,
    _take_out_and_back,
    _step_anew,
    _share,
    _swap_moment,
    _betas_in_place,
)


@pytest.mark.parametrize("meddle", MEDDLING)
def test_the_same_as_in_torch(meddle: Callable[[Any], None]) -> None:
    trained = []
    for cls, more in ((fused_adam.Adam, {}), (torch.optim.Adam, {"foreach": False})):
        optimizer: Any = cls(groups(), lr=0.1, **more)
        old = every(optimizer)
        for k in range(7):
            if k == 3:
                meddle(optimizer)
            for i, p in enumerate(dict.fromkeys([*old, *every(optimizer)])):
                p.grad = torch.randn(4, generator=torch.Generator().manual_seed(100 * k + i))
            optimizer.step()
        trained.append((list(dict.fromkeys([*old, *every(optimizer)])), _steps(optimizer)))
    (mine, my_steps), (theirs, their_steps) = trained
    assert len(mine) == len(theirs)
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b)
    assert my_steps == their_steps


def _steps(optimizer: Any) -> dict[int, float] | None:
    try:
        return {k: float(s["step"]) for k, s in optimizer.state_dict()["state"].items()}
    except KeyError:  # torch has no state_dict where state belongs to no parameter any more
        return None


def test_lists_and_arrays_of_hyperparameters_may_change_in_place() -> None:
    import numpy as np

    p = parameter(0)
    learning_rate = np.array(0.1)
    optimizer = fused_adam.Adam([p], lr=learning_rate)
    p.grad = torch.ones(4)
    optimizer.step()
    before = p.detach().clone()
    learning_rate[...] = 0
    optimizer.step()
    assert torch.equal(p, before)


def test_a_state_from_elsewhere_before_the_first_step() -> None:
    trained = []
    for cls in (fused_adam.Adam, torch.optim.Adam):
        p = parameter(0)
        optimizer: Any = cls([p], lr=0.1)
        optimizer.state[p] = {
            "step": torch.tensor(10.0),
            "exp_avg": torch.full((4,), 0.1),
            "exp_avg_sq": torch.full((4,), 0.2),
        }
        p.grad = torch.ones(4)
        optimizer.step()
        trained.append(p)
    torch.testing.assert_close(*trained)


@pytest.mark.parametrize("t", [float("inf"), 1e30, -1.0, 0.5, True])
def test_a_step_count_that_is_none_is_refused(t: Any) -> None:
    p = parameter(0)
    optimizer = fused_adam.Adam([p])
    p.grad = torch.ones(4)
    optimizer.step()
    state = optimizer.state_dict()
    state["state"][0]["step"] = torch.tensor(t) if t is not True else t
    with pytest.raises(ValueError, match=r"\['step'\] is .*; accepted: a whole number from 0 to"):
        optimizer.load_state_dict(state)


def test_step_counts_lie_on_the_cpu_whatever_the_default_device_is() -> None:
    p = torch.nn.Parameter(torch.ones(2))
    optimizer = fused_adam.Adam([p])
    p.grad = torch.ones(2)
    optimizer.step()
    with torch.device("meta"):
        state = optimizer.state_dict()
        again = copy.deepcopy(optimizer)
    assert state["state"][0]["step"].item() == 1
    assert again.state_dict()["state"][0]["step"].item() == 1


def test_a_state_that_was_only_looked_at_is_none() -> None:
    p = parameter(0)
    optimizer = fused_adam.Adam([p])
    assert optimizer.state[p] == {}
    assert optimizer.state_dict()["state"] == {}


def test_what_else_is_in_the_state_is_kept() -> None:
    p, q = parameter(0), parameter(0)
    optimizer, other = fused_adam.Adam([p]), fused_adam.Adam([q])
    p.grad = q.grad = torch.ones(4)
    optimizer.step()
    optimizer.state[p]["slow"] = torch.ones(4)
    optimizer.state["everything"] = 3
    other.load_state_dict(optimizer.state_dict())
    other.step()
    assert torch.equal(other.state[q]["slow"], torch.ones(4))
    assert other.state["everything"] == 3


@pytest.mark.parametrize("dialect", ["keras-v2-adam", "mxnet2-adam"])
def test_epsilon_hat_is_refused_by_torch_before_the_first_step_too(dialect: str) -> None:
    p = parameter(0)
    state = fused_adam.Adam([p], dialect=dialect).state_dict()
    with pytest.raises((ValueError, TypeError, RuntimeError), match=f"dialect='{dialect}'"):
        torch.optim.Adam([p]).load_state_dict(state)
    again = fused_adam.Adam([p], dialect=dialect)
    again.load_state_dict(state)
    p.grad = torch.ones(4)
    again.step()


@pytest.mark.parametrize("given", [{"weight_decay": 1e39}, {"dialect": "mxnet2-adam", "rescale_grad": 1e39}])
def test_what_float32_does_not_hold_is_refused_before_anything_is_written(given: dict[str, Any]) -> None:
    p = parameter(0)
    before = p.detach().clone()
    optimizer = fused_adam.Adam([p], **given)
    p.grad = torch.ones(4)
    with pytest.raises(ValueError, match=r"is 1e\+39; accepted: a number that float32 holds"):
        optimizer.step()
    assert torch.equal(p, before)


def test_a_gradient_without_memory_is_refused() -> None:
    p, q = parameter(0), parameter(1)
    optimizer = fused_adam.Adam([p, q])
    for _ in range(2):
        p.grad, q.grad = torch.ones(4), torch.ones(4)
        optimizer.step()
    before = p.detach().clone()
    q.grad.untyped_storage().resize_(0)
    with pytest.raises(ValueError, match=r"gradient of parameter 1: data_ptr\(\) is 0"):
        optimizer.step()
    assert torch.equal(p, before)
    q.grad = torch.ones(4)
    optimizer.step()
    assert not torch.equal(p, before)


def test_a_gradient_that_another_thread_drops_lives_as_long_as_the_step() -> None:
    p = torch.nn.Parameter(torch.zeros(4_000_000))
    optimizer = fused_adam.Adam([p], lr=0.1)
    for _ in range(10):
        p.grad = torch.ones_like(p)
        thread = threading.Thread(target=optimizer.step)
        thread.start()
        time.sleep(0.001)
        p.grad = None
        thread.join()
    assert torch.isfinite(p).all()


def test_an_interrupt_between_any_two_lines_leaves_a_training_that_can_go_on() -> None:
    """Either the step was made or it was not."""

    def train(interrupt: int | None, skip: bool) -> tuple[Any, bool]:
        params = [parameter(k) for k in range(3)]
        optimizer: Any = fused_adam.Adam(params, lr=0.1)
        interrupted = False
        for k in range(5):
            for i, p in enumerate(params):
                p.grad = torch.randn(4, generator=torch.Generator().manual_seed(10 * k + i))
            if k == 2:
                params[1].data, params[0].grad = params[1].data.clone(), None
                if skip:
                    continue
            interrupted |= k == 2 and interrupt is not None and _interrupted(optimizer, interrupt)
            if k != 2 or interrupt is None:
                optimizer.step()
        return torch.cat([p.detach() for p in params]), interrupted

    made, left_out = train(None, False)[0], train(None, True)[0]
    line, interrupted = 0, True
    while interrupted:
        result, interrupted = train(line, False)
        assert torch.equal(result, made) or torch.equal(result, left_out), line
        line += 1
    assert line > 50


def _interrupted(optimizer: Any, line: int) -> bool:
    """Whether a step was interrupted before its line number `line`."""
    count = 0

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal count
        if "fused_adam" not in frame.f_code.co_filename:
            return None
        if event == "line":
            count += 1
            if count == line + 1:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        optimizer.step()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
        torch.set_grad_enabled(True)  # Python leaves out __exit__ where it is interrupted on its way there (bpo-29988)
    return False


def test_the_first_step_of_a_forked_child_after_torch_has_used_its_threads() -> None:
    text = """
import os, torch, fused_adam
p = torch.nn.Parameter(torch.zeros(1_000_000)); p.grad = torch.ones(1_000_000)
torch.ones(10_000_000).add_(1)
pid = os.fork()
if pid == 0:
    fused_adam.Adam([p], lr=0.1).step()
    os._exit(0 if abs(p[0].item() + 0.1) < 1e-6 else 3)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=120, check=False, env=dict(os.environ)
    )
    assert done.stdout.strip() == "0", done.stderr
