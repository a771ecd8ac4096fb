"""A run of a ``torch.optim.Optimizer`` behind the contract: tensors in and out, steps, groups, saving and loading."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from adapters.contract import Array, ContractError, Gradient, Hyperparameters, Precision, Rows, State, check_count
from adapters.memory import GAP, copied, offset
from adapters.procedures import Group

BEHIND = 64
"""Elements between a parameter's end and that of its memory: more than any vector has."""


class TorchRun:
    """One ``torch.optim.Adam`` over one list of parameters."""

    def __init__(
        self, torch: Any, optimizer: Any, parameters: list[Any], maxima: list[bool], adapter: TorchAdapter
    ) -> None:
        self._torch = torch
        self.optimizer = optimizer
        self.parameters = parameters
        self._maxima = maxima
        """Of every parameter, whether its group has AMSGrad."""
        self._adapter = adapter

    def step(self, gradients: Sequence[Gradient]) -> State:
        """``Adam.step``, with ``grad`` set to the caller's own memory where torch can, or to None.

        What writes into ``grad``, or keeps it and writes later, writes into the caller's array. `ContractError` for
        rows, and for an optimizer that takes ``grad`` away, which who accumulates gradients or logs them needs, or
        ``requires_grad``, without which there is no next one, or writes behind a parameter's end.
        """
        check_count(self.parameters, gradients)
        for i, (parameter, gradient) in enumerate(zip(self.parameters, gradients, strict=True)):
            tensor = None if gradient is None else self.gradient(i, gradient)
            parameter.grad = None if tensor is None else tensor.to(parameter.device, parameter.dtype)
        given = [(parameter.grad, parameter.requires_grad) for parameter in self.parameters]
        self.optimizer.step()
        for i, (parameter, (gradient, required)) in enumerate(zip(self.parameters, given, strict=True)):
            if parameter.grad is not gradient:
                now = "None" if parameter.grad is None else "another tensor"
                raise ContractError(f"parameters[{i}].grad after step()", now, "the tensor that it was before")
            if required and not parameter.requires_grad:
                raise ContractError(f"parameters[{i}].requires_grad after step()", False, "True, as before")
            if not bool((_behind(parameter) == GAP).all()):
                raise ContractError(f"memory behind parameters[{i}] after step()", "written", "left alone")
        return State(
            parameters=tuple(_copy(parameter) for parameter in self.parameters),
            m=self._moments("exp_avg"),
            v=self._moments("exp_avg_sq"),
            v_max=self._moments("max_exp_avg_sq", self._maxima) if any(self._maxima) else None,
            t=self.counts(),
        )

    def gradient(self, i: int, gradient: Array | Rows) -> Any:
        """It as a tensor, on the CPU of the same memory; `ContractError` for rows."""
        if isinstance(gradient, Rows):
            raise ContractError(f"gradients[{i}]", "Rows", "an array or None: torch.optim.Adam takes no rows")
        return _tensor(self._torch, gradient, self.parameters[i].device, shared=True)

    def save(self) -> bytes:
        """``torch.save`` of the parameters and of ``state_dict``."""
        buffer = io.BytesIO()
        self._torch.save({"parameters": self.parameters, "optimizer": self.optimizer.state_dict()}, buffer)
        return buffer.getvalue()

    def load(self, saved: bytes) -> None:
        """What `save` made; ``load_state_dict`` brings the hyper-parameters of every group with it."""
        content = self._torch.load(io.BytesIO(saved))
        with self._torch.no_grad():
            for parameter, value in zip(self.parameters, content["parameters"], strict=True):
                if isinstance(parameter, self._torch.nn.Parameter):
                    parameter.copy_(value)
                else:
                    parameter.data = value.data  # other memory: whoever has kept where the parameter lay writes nowhere
        self.optimizer.load_state_dict(content["optimizer"])

    def put(self, state: State) -> None:
        """``state_dict`` with these numbers in it, and ``load_state_dict``; the parameters in place."""
        whole = self.optimizer.state_dict()
        own = whole["state"]
        for i, parameter in enumerate(self.parameters):
            moments = {"exp_avg": state.m[i], "exp_avg_sq": state.v[i]}
            moments |= {} if state.v_max is None else {"max_exp_avg_sq": state.v_max[i]}
            own[i] = {**own[i], **self.counted(own[i], state.t[i])}
            own[i] |= {name: self._as(parameter, array) for name, array in moments.items()}
            with self._torch.no_grad():
                parameter.copy_(self._as(parameter, state.parameters[i]))
        self.optimizer.load_state_dict(whole)

    def counted(self, own: Mapping[str, Any], t: int) -> dict[str, Any]:
        """What the count of a parameter's state becomes, of the kind that it is."""
        step = own["step"]
        return {"step": self._torch.full_like(step, t) if isinstance(step, self._torch.Tensor) else type(step)(t)}

    def _as(self, parameter: Any, array: Array) -> Any:
        """A tensor of the parameter's device and dtype."""
        return _tensor(self._torch, array, parameter.device).to(parameter.dtype)

    def change(self, hyperparameters: Hyperparameters) -> None:
        """In every group, where a scheduler of torch leaves a key of its own."""
        for group in self.optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
            group.update(self._adapter.settings(hyperparameters))

    def change_group(self, group: int, hyperparameters: Hyperparameters) -> None:
        """In one of them."""
        self.optimizer.param_groups[group].update(self._adapter.settings(hyperparameters))

    def add_group(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> None:
        """``add_param_group``."""
        new = leaves(self._torch, parameters, self._adapter.device)
        self.optimizer.add_param_group({"params": new, **self._adapter.settings(hyperparameters)})
        self.parameters += new
        self._maxima += [hyperparameters.amsgrad] * len(new)

    def counts(self) -> tuple[int, ...]:
        """t of every parameter, 0 before its first gradient."""
        return tuple(int(self._state(parameter).get("step", 0)) for parameter in self.parameters)

    def _state(self, parameter: Any) -> Mapping[str, Any]:
        """Empty until the first gradient; `get`, because indexing ``state`` would create an entry."""
        state: Mapping[str, Any] = self.optimizer.state.get(parameter, {})
        return state

    def _moments(self, name: str, held: Sequence[bool] | None = None) -> tuple[Array, ...]:
        """0 of a parameter that has none yet, or that does not hold it."""
        zeros = self._torch.zeros_like
        return tuple(
            _copy(state[name]) if name in state and (held is None or held[i]) else _copy(zeros(parameter))
            for i, parameter in enumerate(self.parameters)
            for state in [self._state(parameter)]
        )


class TorchAdapter:
    """What starts a run: `construct` makes the optimizer, `settings` what a parameter group holds."""

    run: type[TorchRun] = TorchRun
    device = "cpu"
    _torch: Any

    def construct(self, params: list[Any], hyperparameters: Hyperparameters) -> Any:
        """A new optimizer over tensors or group dicts; ContractError for what the framework cannot be asked for."""
        raise NotImplementedError

    def settings(self, hyperparameters: Hyperparameters) -> dict[str, Any]:
        """Keys and values of a group."""
        return settings(hyperparameters)

    def start(
        self, parameters: Sequence[Array], hyperparameters: Hyperparameters, dtype: Precision | None = None
    ) -> TorchRun:
        """A new optimizer over new leaves; dtype: of parameters that NumPy has no dtype for."""
        tensors = leaves(self._torch, parameters, self.device, dtype=dtype)
        maxima = [hyperparameters.amsgrad] * len(tensors)
        return self.run(self._torch, self.construct(tensors, hyperparameters), tensors, maxima, self)

    def start_groups(self, groups: Sequence[Group]) -> TorchRun:
        """A new optimizer over several groups; what the first is given are the defaults."""
        dicts = [{"params": leaves(self._torch, theta, self.device), **self.settings(h)} for theta, h in groups]
        tensors = [parameter for group in dicts for parameter in group["params"]]
        maxima = [h.amsgrad for theta, h in groups for _ in theta]
        return self.run(self._torch, self.construct(dicts, groups[0][1]), tensors, maxima, self)

    def resume(
        self,
        parameters: Sequence[Array],
        hyperparameters: Hyperparameters,
        saved: bytes,
        dtype: Precision | None = None,
    ) -> TorchRun:
        """A new optimizer that has loaded what `TorchRun.save` made; dtype: as in `start`."""
        run = self.start(parameters, hyperparameters, dtype)
        run.load(saved)
        return run

    def resume_groups(self, groups: Sequence[Group], saved: bytes) -> TorchRun:
        """As `resume`, of several groups."""
        run = self.start_groups(groups)
        run.load(saved)
        return run


def leaves(
    torch: Any, parameters: Sequence[Array], device: str = "cpu", *, dtype: Precision | None = None
) -> list[Any]:
    """New leaves that hold `parameters`, every second one a plain tensor, `BEHIND` each; dtype: None is theirs."""
    tensors = (_tensor(torch, theta, device) for theta in parameters)
    typed = [tensor.to(getattr(torch, dtype) if dtype else tensor.dtype) for tensor in tensors]
    typed = [_with_room(torch, t) if offset(theta) == 0 else t for t, theta in zip(typed, parameters, strict=True)]
    return [tensor.requires_grad_() if i % 2 else torch.nn.Parameter(tensor) for i, tensor in enumerate(typed)]


def _with_room(torch: Any, tensor: Any) -> Any:
    """A contiguous tensor as a view that has memory of somebody else's behind it, as one of a flat buffer has."""
    if not tensor.is_contiguous():
        return tensor
    n = tensor.numel()
    memory = torch.full((n + BEHIND,), GAP, dtype=tensor.dtype, device=tensor.device)
    memory[:n] = tensor.reshape(-1)
    return memory[:n].view(tensor.shape)


def _behind(parameter: Any) -> Any:
    """The memory behind a parameter that `_with_room` has laid out; nothing if another one has come in its place."""
    end = parameter.storage_offset() + parameter.numel()
    room = parameter.untyped_storage().nbytes() // parameter.element_size() - end
    return parameter.detach().as_strided((BEHIND if parameter.is_contiguous() and room == BEHIND else 0,), (1,), end)


def settings(h: Hyperparameters) -> dict[str, Any]:
    """What a group of ``torch.optim.Adam`` holds; `ContractError` where both l2 and weight_decay are asked for."""
    return {
        "lr": h.learning_rate,
        "betas": (float(h.beta_1), float(h.beta_2)),  # torch refuses the integer 0
        "eps": h.epsilon,
        "amsgrad": h.amsgrad,
        **decay_arguments(h),
    }


def decay_arguments(h: Hyperparameters) -> dict[str, Any]:
    """torch's one argument for both decays; `ContractError` where both are asked for."""
    if h.l2 and h.weight_decay:
        raise ContractError(
            "l2, weight_decay",
            (h.l2, h.weight_decay),
            "at most one above 0: torch.optim.Adam has one argument for both",
        )
    return {"weight_decay": h.l2 or h.weight_decay, "decoupled_weight_decay": h.weight_decay > 0}


def _tensor(torch: Any, array: Array, device: Any, *, shared: bool = False) -> Any:
    """A tensor that lies as `array` does, of its own memory or, where torch can have it, of the array's."""
    backwards = any(stride < 0 for stride in array.strides)  # which torch has not
    shared = shared and array.flags.writeable  # torch would write into what NumPy says nobody does
    own = np.array(array, order="C") if backwards else array if shared else copied(array)
    tensor = torch.from_numpy(own)
    if tensor.device == torch.device(device):
        return tensor
    return _memory(tensor).to(device).as_strided(tensor.shape, tensor.stride())


def _copy(tensor: Any) -> Array:
    """An array that lies as `tensor` does; bfloat16 travels as float32."""
    tensor = tensor.float() if "bfloat16" in str(tensor.dtype) else tensor
    if tensor.is_contiguous():
        array: Array = tensor.detach().cpu().numpy()
    else:
        array = _memory(tensor.detach()).cpu().as_strided(tensor.shape, tensor.stride()).numpy()
    return copied(array)


def _memory(tensor: Any) -> Any:
    """All memory from the first to the last element, along one axis."""
    reach = sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return tensor.as_strided((1 + reach if tensor.numel() else 0,), (1,))


def observe(step: Callable[[], object], seen: set[str]) -> None:
    """Add the name of every operator that PyTorch's dispatcher sees during `step`."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Observer(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.add(str(func.overloadpacket))
            return func(*args, **(kwargs or {}))

    with Observer():
        step()
