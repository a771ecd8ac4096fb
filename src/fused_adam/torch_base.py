"""What `Adam`, `AdamW` and `RAdam` have in common: param groups, steps and state.

``optimizer.state`` holds the moments under torch's names. Step counts live in the engine while it runs and
become torch's "step" tensors in `state_dict`, in pickles and in copies.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, NoReturn

import torch
from torch.optim import Optimizer

from fused_adam import options as opts
from fused_adam.drivers import driver_of
from fused_adam.engine import Driver
from fused_adam.errors import no_copy, refused
from fused_adam.options import Dialect, Options
from fused_adam.planner import refuse_overlap
from fused_adam.torch_binding import Binding
from fused_adam.torch_slots import Slots, State, Watch
from fused_adam.torch_state import (
    check_entries,
    check_fits,
    checked_state,
    moments,
    step_count,
    whole_number,
    with_steps,
)
from fused_adam.torch_tensors import check_parameter, span, zeros_like

_params_of = operator.itemgetter("params")
_REFUSED_IF_TRUE = ("maximize", "capturable", "differentiable")
_WITHOUT_EFFECT = ("foreach", "fused")
"""Which of torch's own implementations; there is one here."""

_SPELLING = MappingProxyType(
    {
        "learning_rate": "lr",
        "beta_1": "betas[0]",
        "beta_2": "betas[1]",
        "epsilon": "eps",
        "l2": "weight_decay with decoupled_weight_decay=False",
        "weight_decay": "weight_decay with decoupled_weight_decay=True",
        "min_lr": "warmup_min_lr",
    }
)
_OPTION = MappingProxyType({"warmup_min_lr": "min_lr"})
"""A group key that is not called as the option is, because torch's schedulers write one of that name."""


class Fused(Optimizer):
    """What the three have in common."""

    _TORCH_DIALECT: str
    """The dialect of torch's own class of this name; its state is torch's."""
    _EXTRA: tuple[str, ...]
    """Group keys that torch's class does not have."""
    state: Any

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self._dialect: Dialect = opts.dialect(defaults["dialect"])
        self._together = 0
        """t where the optimizer has one, while no engine has it."""
        self._bindings: list[Binding] | None = None
        """One per device; None: to be made."""
        self._key: Any = None
        self._group_options(defaults)
        super().__init__(params, defaults)
        self._prepare()

    def _prepare(self) -> None:
        self._bindings = None
        keys = [k for k in self.defaults if k not in _WITHOUT_EFFECT]
        self._key = operator.itemgetter(*keys)
        self.register_state_dict_post_hook(_as_torch_state)

    # Groups

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As in torch. Refused before it is added: a tensor that cannot be trained, memory that is shared."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        try:
            where = f"param_groups[{len(self.param_groups) - 1}]"
            self._group_options(group)
            if len(set(map(id, group["params"]))) < len(group["params"]):
                raise refused(f"{where}['params']", "one parameter twice", "each parameter once")
            for i, p in enumerate(group["params"]):
                check_parameter(f"{where}['params'][{i}]", p)
            self._refuse_overlap()
        except BaseException:
            self.param_groups.pop()
            raise
        self._unbind()

    def _refuse_overlap(self) -> None:
        named = [
            (f"param_groups[{k}]['params'][{i}]", p)
            for k, group in enumerate(self.param_groups)
            for i, p in enumerate(group["params"])
        ]
        for device in {p.device for _, p in named}:
            here = [(name, p) for name, p in named if p.device == device]
            refuse_overlap([name for name, _ in here], [p.data_ptr() for _, p in here], [span(p) for _, p in here])

    def _group_options(self, group: Mapping[str, Any]) -> Options:
        if group["dialect"] != self._dialect.name:
            raise refused("dialect", group["dialect"], f"{self._dialect.name!r}, one dialect per optimizer")
        for name in _REFUSED_IF_TRUE:
            if group.get(name):
                raise refused(name, group[name], "False; it is not implemented yet")
        betas = group["betas"]
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise refused("betas", betas, "two numbers in [0, 1)")
        given = {
            "learning_rate": _scalar("lr", group["lr"]),
            "beta_1": _scalar("betas[0]", betas[0]),
            "beta_2": _scalar("betas[1]", betas[1]),
            "epsilon": _scalar("eps", group["eps"]),
            "amsgrad": group.get("amsgrad", False),
            "weight_decay" if group["decoupled_weight_decay"] else "l2": _scalar("weight_decay", group["weight_decay"]),
        }
        given.update({_OPTION.get(name, name): group[name] for name in self._EXTRA if name != "dialect"})
        return opts.make(self._dialect, given, _SPELLING)

    # Steps

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step for all parameters that have a gradient; the closure's result, if there is one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._advance()
        return loss

    def _advance(self) -> None:
        try:
            if self._bindings is None or self._changed(self._bindings):
                self._bind()
            bindings = self._bindings or []
            for k, group in enumerate(self.param_groups):
                fingerprint = self._key(group)
                if fingerprint != self._fingerprints[k]:
                    self._change_options(k, group, fingerprint)
            for binding in bindings:
                binding.take()
            for binding in bindings:
                if binding.waiting:
                    self._begin(binding, binding.wanted())
                binding.prepare(self._options)
            with torch.no_grad():
                for binding in bindings:
                    binding.run()
        except BaseException:  # an interrupt may have come between any two lines: look at everything again
            self._unbind()
            raise

    def _changed(self, bindings: list[Binding]) -> bool:
        """Whether somebody has exchanged parameters or state, or moved what they hold."""
        params = list(chain.from_iterable(map(_params_of, self.param_groups)))
        return (
            self.state is not self._watched
            or self._watched.watch.written
            or len(params) != len(self._params)
            or not all(map(operator.is_, params, self._params))
            or [len(group["params"]) for group in self.param_groups] != self._sizes
            or any(binding.moved() for binding in bindings)
        )

    def _bind(self) -> None:
        """Bind all parameters, anew if they lie elsewhere now; ValueError if their moments do not fit any more."""
        self._unbind()
        self._options: list[Any] = [None] * len(self.param_groups)
        self._fingerprints: list[Any] = [None] * len(self.param_groups)
        params = [p for group in self.param_groups for p in group["params"]]
        groups = [k for k, group in enumerate(self.param_groups) for _ in group["params"]]
        for i, p in enumerate(params):
            check_parameter(f"parameter {i}", p)
            check_fits(f"parameter {i}", p, self.state.get(p, {}))
        self._refuse_overlap()
        counts = self._begin_counts(params)
        self._params, self._sizes = params, [len(group["params"]) for group in self.param_groups]
        bindings = []
        for device in dict.fromkeys(p.device for p in params):
            here = [i for i, p in enumerate(params) if p.device == device]
            binding = Binding(
                self._driver(device),
                [params[i] for i in here],
                [f"parameter {i}" for i in here],
                [groups[i] for i in here],
                [counts[i] for i in here],
                together=self._dialect.step_count == "optimizer",
            )
            self._begin(binding, [k for k, i in enumerate(here) if self.state.get(params[i])])
            bindings.append(binding)
        self._watched.watch.written = False
        self._bindings = bindings

    def _begin_counts(self, params: list[Any]) -> list[int]:
        """t of every parameter, from a "step" that somebody wrote, or from where the last engine left it."""
        if not isinstance(self.state, State):
            self.state = State(self.state, Watch())
            self.state.watch.written = True
        self._watched: State = self.state
        slots = [self.state.get(p, {}) for p in params]
        for i, s in enumerate(slots):
            if "step" in s:
                s.t = whole_number(f"state of parameter {i}['step']", s["step"])
                dict.__delitem__(s, "step")
        if self._dialect.step_count == "parameter":
            return [s.t if s else 0 for s in slots]
        if self._watched.watch.written and not any(slots):  # taken away: begin anew, as torch's classes do
            self._together = max((s.t for s in slots if isinstance(s, Slots)), default=0)
        self._together = max([self._together, *(s.t for s in slots if s)])
        return [self._together] * len(params)

    def _unbind(self) -> None:
        """Take the step counts back from the engines; nothing is bound any more."""
        for binding in self._bindings or ():
            for slots, t in zip(binding.slots, binding.engine.counts, strict=True):
                if slots is not None:
                    slots.t = t
                self._together = t
        self._bindings = None

    def _driver(self, device: Any) -> Driver:
        """The driver of a device."""
        return driver_of(device)

    def _begin(self, binding: Binding, wanted: Sequence[int]) -> None:
        """State for the `wanted` parameters of a binding; where the engine finds it."""
        for i in wanted:
            work, slots = binding.work[i], self.state[binding.params[i]]
            names = moments(self.param_groups[binding.groups[i]])
            for name in names:
                tensor = slots.get(name)
                if tensor is None:
                    slots.put(name, zeros_like(work))
                elif tensor.stride() != work.stride() or tensor.device != work.device or tensor.is_neg():
                    slots.put(name, torch.empty_like(work).copy_(tensor))
            binding.place(i, slots, [slots[name] for name in names])
        if wanted:
            binding.remember()

    def _change_options(self, k: int, group: dict[str, Any], fingerprint: Any) -> None:
        new, old = self._group_options(group), self._options[k]
        if old is not None and old.amsgrad != new.amsgrad:
            raise refused(
                f"param_groups[{k}]['amsgrad']", new.amsgrad, f"{old.amsgrad}; it cannot change between steps"
            )
        self._options[k] = new
        # What can change in place is remembered as what it was.
        self._fingerprints[k] = tuple(
            tuple(x) if isinstance(x, list) else x.item() if hasattr(x, "item") else x for x in fingerprint
        )

    # State

    def _counts(self) -> dict[Any, int]:
        """t of every parameter."""
        counts = {}
        for p in (p for group in self.param_groups for p in group["params"]):
            slots = self.state.get(p, {})
            counts[p] = self._together if self._dialect.step_count == "optimizer" else getattr(slots, "t", 0)
        for binding in self._bindings or ():
            counts.update(zip(binding.params, binding.engine.counts, strict=True))
        for p in counts:  # what somebody wrote counts, bound or not
            if "step" in self.state.get(p, {}):
                counts[p] = whole_number("state['step']", self.state[p]["step"])
        return counts

    @property
    def ran(self) -> frozenset[str]:
        """Drivers and compiled variants that have computed something since the state was made or loaded."""
        return frozenset(what for binding in self._bindings or () for what in binding.engine.ran)

    @property
    def _is_torch(self) -> bool:
        return self._dialect.name == self._TORCH_DIALECT

    def _with_steps(self, state: Mapping[str, Any], t: int) -> dict[str, Any]:
        return with_steps(type(self).__name__, self._dialect.name, self._is_torch, state, t)

    def __copy__(self) -> NoReturn:
        """Refused: a shallow copy would share the moments and count its steps for itself."""
        raise no_copy()

    def __getstate__(self) -> dict[str, Any]:
        counts = self._counts()
        state = {p: self._with_steps(s, counts[p]) if p in counts else s for p, s in self.state.items()}
        together = max(counts.values(), default=0) if self._dialect.step_count == "optimizer" else 0
        return {**super().__getstate__(), "state": state, "_together": together}

    def __setstate__(self, state: dict[str, Any]) -> None:
        together = state.pop("_together", 0) if "_together" in state else 0
        super().__setstate__(state)
        self._dialect = opts.dialect(self.defaults["dialect"])
        watch = Watch()
        state_of: dict[Any, Any] = dict(self.state)
        for p, s in self.state.items():
            if isinstance(p, torch.Tensor):
                own = {k: v for k, v in s.items() if k not in ("step", "t")}
                state_of[p] = Slots(own, watch, whole_number("state['step']", step_count(s)))
        for group in self.param_groups:
            for key, value in self.defaults.items():
                group.setdefault(key, value)
        self._together = max([together, *(s.t for s in state_of.values() if isinstance(s, Slots))])
        self.state = State(state_of, watch)
        if "_key" not in self.__dict__ or self._key is None:
            self._prepare()
        self._bindings = None

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a state of this class or of torch's class of this name. All of it is checked first.

        What torch's pre-hooks make of it is what is checked. Unlike in torch, the moments are copied, so that two
        optimizers never share them.

        Raises:
            ValueError, TypeError: naming the entry, its value and what is accepted; nothing has been written then.
        """
        if not isinstance(state_dict, Mapping):
            raise refused("state_dict", type(state_dict).__name__, "what state_dict() returned", TypeError)
        last = self.register_load_state_dict_pre_hook(_checked)
        try:
            super().load_state_dict(dict(state_dict))
        finally:
            last.remove()

    def _checked(self, state_dict: Mapping[str, Any]) -> dict[str, Any]:
        """`state_dict` completed by what torch leaves out, its tensors copied; ValueError if it does not fit."""
        groups = [dict(group) for group in state_dict["param_groups"]]
        mine = [len(group["params"]) for group in self.param_groups]
        if [len(group["params"]) for group in groups] != mine:
            sizes = [len(group["params"]) for group in groups]
            raise refused("numbers of parameters in state_dict['param_groups']", sizes, str(mine))
        for group in groups:
            dialect = group.get("dialect", self._TORCH_DIALECT)
            if dialect != self._dialect.name:
                raise refused(
                    "dialect of the state",
                    dialect,
                    f"{self._dialect.name!r}; construct with dialect={dialect!r} to go on",
                )
            for key, value in self.defaults.items():
                group.setdefault(key, value)
            self._group_options(group)
        places = [
            (number, p, group)
            for group, own in zip(groups, self.param_groups, strict=True)
            for number, p in zip(group["params"], own["params"], strict=True)
        ]
        states = dict(state_dict["state"])
        for number, p, group in places:
            if states.get(number):
                states[number] = checked_state(f"state_dict['state'][{number}]", p, states[number], group)
            else:
                states.pop(number, None)
        counts = [states[number]["step"] for number, _, _ in places if number in states]
        if self._dialect.step_count == "optimizer" and len(set(counts)) > 1:
            raise refused("step counts of the state", counts, f"one number; {self._dialect.name} has one t")
        return {**state_dict, "param_groups": groups, "state": states}


def _checked(optimizer: Any, state_dict: Any) -> dict[str, Any]:
    """Pre hook of `load_state_dict`, the last one."""
    check_entries(state_dict)
    checked: dict[str, Any] = optimizer._checked(state_dict)
    return checked


def _as_torch_state(optimizer: Any, state_dict: dict[str, Any]) -> dict[str, Any]:
    """Post hook of `state_dict`: step counts, and torch's own keys alone where the dialect is torch's.

    In another dialect every parameter has an entry, so that torch has something to refuse before the first step too.
    """
    counts = optimizer._counts()
    params = [p for group in optimizer.param_groups for p in group["params"]]
    given = state_dict["state"]
    states = {key: value for key, value in given.items() if not isinstance(key, int)}
    for number, p in enumerate(params):
        if given.get(number) or not optimizer._is_torch:
            states[number] = optimizer._with_steps(given.get(number, {}), counts[p])
    groups = state_dict["param_groups"]
    if optimizer._is_torch:
        groups = [{k: v for k, v in group.items() if k not in optimizer._EXTRA} for group in groups]
    return {**state_dict, "state": states, "param_groups": groups}


def _scalar(name: str, value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        raise refused(name, value, "a Python number; tensors are not implemented yet", TypeError)
    return value
