"""State on its way in and out of the torch face: step counts as tensors, and what another class may load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from fused_adam.errors import refused
from fused_adam.options import LAST_STEP

MOMENTS = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
"""torch's names of m, v and v_max."""


def moments(group: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the moments that the parameters of `group` have."""
    return MOMENTS[: 3 if group.get("amsgrad") else 2]


def with_steps(optimizer: str, dialect: str, own: bool, state: Mapping[str, Any], t: int) -> dict[str, Any]:
    """The state of a parameter with its step count, as torch writes it, or so that torch refuses it.

    own: whether `dialect` is the one of torch's class called `optimizer`.
    """
    state = {key: value for key, value in state.items() if key != "step"}
    if own:
        return {"step": torch.tensor(float(t), dtype=_step_dtype(), device="cpu"), **state}
    # torch's classes take float() of a step that is no tensor, and show what could not be converted.
    text = (
        f"this state is of dialect {dialect}, with which torch.optim.{optimizer} would train wrongly; "
        f"accepted: fused_adam.{optimizer}(..., dialect={dialect!r})"
    )
    return {"step": text.encode(), "t": t, **state}


def step_count(state: Mapping[str, Any]) -> Any:
    """t, as `with_steps` or torch wrote it."""
    return state.get("t", state.get("step"))


def whole_number(name: str, step: Any) -> int:
    """A step count, from a number or a tensor of one; ValueError if it is none."""
    number = step.item() if isinstance(step, torch.Tensor) and step.numel() == 1 else step
    if (
        isinstance(number, bool)
        or not isinstance(number, int | float)
        or not 0 <= number <= LAST_STEP
        or number != int(number)
    ):
        raise refused(name, step, f"a whole number from 0 to {LAST_STEP}")
    return int(number)


def check_entries(state_dict: Any) -> None:
    """TypeError or ValueError unless `state_dict` is built as `state_dict()` builds one."""
    if not isinstance(state_dict, Mapping):
        raise refused("state_dict", type(state_dict).__name__, "what state_dict() returned", TypeError)
    for key in ("state", "param_groups"):
        if key not in state_dict:
            raise refused(f"state_dict[{key!r}]", "missing", "all entries that state_dict() returned")
    if not isinstance(state_dict["state"], Mapping):
        found = type(state_dict["state"]).__name__
        raise refused("state_dict['state']", found, "a dict of the parameters' states", TypeError)
    groups = state_dict["param_groups"]
    if not isinstance(groups, list | tuple):
        raise refused("state_dict['param_groups']", type(groups).__name__, "a list of groups", TypeError)
    for k, group in enumerate(groups):
        if not isinstance(group, Mapping) or not isinstance(group.get("params"), list | tuple):
            raise refused(f"state_dict['param_groups'][{k}]", group, "a dict with a list 'params'", TypeError)
    for number, state in state_dict["state"].items():
        if isinstance(number, int) and not isinstance(state, Mapping):
            raise refused(f"state_dict['state'][{number}]", type(state).__name__, "a dict", TypeError)


def _is_moment(tensor: Any) -> bool:
    return (
        isinstance(tensor, torch.Tensor)
        and not tensor.is_nested
        and tensor.layout is torch.strided
        and tensor.is_floating_point()
        and not tensor.is_meta
    )


def _words(tensor: Any) -> str:
    """What was found instead of a moment."""
    if not isinstance(tensor, torch.Tensor):
        return type(tensor).__name__
    shape = "nested" if tensor.is_nested else tuple(tensor.shape)
    return f"{tensor.dtype} {shape}, {tensor.layout}, on {tensor.device}"


def checked_state(name: str, p: Any, state: Mapping[str, Any], group: Mapping[str, Any]) -> dict[str, Any]:
    """Copies of the moments, the step count of `p` and what else is there; ValueError if they do not fit `p`."""
    checked = {key: value for key, value in state.items() if key not in (*MOMENTS, "step", "t")}
    names = moments(group) if any(key in state for key in MOMENTS) else ()
    for key in names:
        tensor: Any = state.get(key)
        if not _is_moment(tensor) or tensor.shape != p.shape:
            accepted = f"a dense tensor of floating point of shape {tuple(p.shape)}"
            raise refused(f"{name}[{key!r}]", _words(tensor), accepted)
        checked[key] = tensor.detach().clone()
    return {"step": whole_number(f"{name}['step']", step_count(state)), **checked}


def check_fits(name: str, p: Any, state: Mapping[str, Any]) -> None:
    """ValueError if the moments are of another shape or dtype than the parameter."""
    for key in MOMENTS:
        tensor = state.get(key)
        if tensor is not None and (tensor.shape != p.shape or tensor.dtype != p.dtype):
            found = f"{p.dtype} {tuple(p.shape)}"
            accepted = f"{tensor.dtype} {tuple(tensor.shape)}, as its state {key!r} has it"
            raise refused(name, found, f"{accepted}; a parameter is neither resized nor re-typed between steps")


def _step_dtype() -> Any:
    return torch.float64 if torch.get_default_dtype() == torch.float64 else torch.float32
