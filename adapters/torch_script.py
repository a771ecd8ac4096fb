"""Python that uses a torch optimizer class by torch alone: construction, steps, state, and the procedures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def script(module: str, name: str, fixed: Mapping[str, Any]) -> str:
    """The source of start, step, read, view and the procedures; fixed: arguments of every construction."""
    return _SCRIPT.format(module=module, first=name.partition(".")[0], name=name, fixed=dict(fixed))


_SCRIPT = """
import io
from types import SimpleNamespace

import torch
from {module} import {first}

FIXED = {fixed}
NAMES = {{"m": "exp_avg", "v": "exp_avg_sq", "v_max": "max_exp_avg_sq"}}


def leaves(parameters):
    tensors = map(torch.from_numpy, parameters)
    return [torch.nn.Parameter(t.bfloat16() if DTYPE == "bfloat16" else t) for t in tensors]


def start(groups):
    made = [leaves(parameters) for parameters, _ in groups]
    if len(groups) == 1:
        params, settings = made[0], groups[0][1]
    else:
        params, settings = [{{"params": p, **own}} for p, (_, own) in zip(made, groups)], groups[0][1]
    return SimpleNamespace(leaves=sum(made, []), optimizer={name}(params, **settings, **FIXED))


def step(run, gradients):
    for leaf, g in zip(run.leaves, gradients):
        leaf.grad = None if g is None else torch.from_numpy(g).to(leaf.dtype)
    run.optimizer.step()


def read(run, quantity, i):
    leaf = run.leaves[i]
    state = run.optimizer.state.get(leaf, {{}})  # nothing before the first gradient
    if quantity == "parameters":
        return leaf.detach().double().numpy().copy()
    if quantity == "t":
        return np.array(float(state.get("step", 0)))
    return state[NAMES[quantity]].double().numpy().copy() if state else np.zeros(leaf.shape)


def view(run, i):
    return run.leaves[i].detach().numpy()


def save(run):
    buffer = io.BytesIO()
    torch.save({{"parameters": run.leaves, "optimizer": run.optimizer.state_dict()}}, buffer)
    return buffer.getvalue()


def resume(groups, saved):
    run = start(groups)
    load(run, saved)
    return run


def load(run, saved):
    content = torch.load(io.BytesIO(saved))
    with torch.no_grad():
        for leaf, value in zip(run.leaves, content["parameters"]):
            leaf.copy_(value)
    run.optimizer.load_state_dict(content["optimizer"])


def change(run, settings):
    for group in run.optimizer.param_groups:
        group.update(settings)


def change_group(run, group, settings):
    run.optimizer.param_groups[group].update(settings)


def add_group(run, parameters, settings):
    new = leaves(parameters)
    run.optimizer.add_param_group({{"params": new, **settings}})
    run.leaves += new


def put(run, state):
    whole = run.optimizer.state_dict()
    for i, leaf in enumerate(run.leaves):
        own, t = whole["state"][i], state["t"][i]
        count = {{"t": t}} if "t" in own else {{"step": own["step"] * 0 + t}}
        moments = {{NAMES[q]: torch.from_numpy(state[q][i]).to(leaf.dtype) for q in NAMES if state[q] is not None}}
        whole["state"][i] = {{**own, **count, **moments}}
        with torch.no_grad():
            leaf.copy_(torch.from_numpy(state["parameters"][i]))
    run.optimizer.load_state_dict(whole)

"""
