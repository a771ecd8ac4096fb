"""The torch face: `Adam`, `AdamW` and `RAdam`, true ``torch.optim.Optimizer`` subclasses.

``optimizer.state`` holds the moments under torch's names. Step counts live in the engine while it runs and
become torch's "step" tensors in `state_dict`, in pickles and in copies.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

try:
    import torch
except ImportError as _error:
    from fused_adam.errors import missing

    raise missing("torch", "fused_adam.Adam", _error) from _error

from torch.autograd.graph import increment_version
from torch.optim import Optimizer

from fused_adam import options as opts
from fused_adam.engine import Engine, Tensor
from fused_adam.errors import refused
from fused_adam.options import Dialect, Options
from fused_adam.planner import refuse_overlap

_DTYPES = {torch.float32: "float32", torch.float64: "float64"}

_Base: Any = torch._C.TensorBase
_grad = operator.attrgetter("grad")
_nbytes = operator.attrgetter("nbytes")
_data_ptr, _is_contiguous = _Base.data_ptr, _Base.is_contiguous

_MOMENTS = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
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
    }
)


class _Bound:
    """What is known about the parameters while nothing but their values changes."""

    def __init__(self, params: list[Any], engine: Engine, work: list[Any], groups: int) -> None:
        self.params = params
        self.engine = engine
        self.work = work
        """The parameter, or a dense tensor that stands for it where its elements do not lie densely."""
        self.staged = [i for i, (p, w) in enumerate(zip(params, work, strict=True)) if p is not w]
        self.empty = [i for i, p in enumerate(params) if p.numel() == 0]
        self.addresses = list(map(_data_ptr, params))
        self.sizes = list(map(_nbytes, params))
        self.contiguous = list(map(_is_contiguous, params))
        self.all_contiguous = all(self.contiguous)
        self.waiting = list(range(len(params)))
        """Parameters without state yet."""
        self.pointers: list[int] | None = None
        self.active: list[Any] = []
        """Parameters with a gradient, where all have been seen with these pointers."""
        self.fingerprints: list[Any] = [None] * groups
        self.options: list[Options] = [None] * groups  # type: ignore[list-item]


class _Fused(Optimizer):
    """What the three have in common."""

    _TORCH_DIALECT: str
    """The dialect of torch's own class of this name; its state is torch's."""
    _EXTRA: tuple[str, ...]
    """Group keys that torch's class does not have."""
    state: Any

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self._dialect: Dialect = opts.dialect(defaults["dialect"])
        self._t: dict[Any, int] = {}
        self._bound: _Bound | None = None
        self._key: Any = None
        self._group_options(defaults)
        super().__init__(params, defaults)
        self._prepare()

    def _prepare(self) -> None:
        self._bound = None
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
                _check_parameter(f"{where}['params'][{i}]", p)
            self._refuse_overlap()
        except BaseException:
            self.param_groups.pop()
            raise
        if self._dialect.step_count == "optimizer":
            t = max(self._counts().values(), default=0)
            self._t = {**self._counts(), **dict.fromkeys(group["params"], t)}
        else:
            self._t = self._counts()
        self._bound = None

    def _refuse_overlap(self) -> None:
        named = [
            (f"param_groups[{k}]['params'][{i}]", p)
            for k, group in enumerate(self.param_groups)
            for i, p in enumerate(group["params"])
        ]
        spans = [_span(p) for _, p in named]
        refuse_overlap([name for name, _ in named], [p.data_ptr() for _, p in named], spans)

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
        given.update({name: group[name] for name in self._EXTRA if name != "dialect"})
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
        bound = self._bound
        if bound is None:
            bound = self._bind()
        params = bound.params
        for k, group in enumerate(self.param_groups):
            fingerprint = self._key(group)
            if fingerprint != bound.fingerprints[k]:
                self._change_options(bound, k, group, fingerprint)
        if (
            list(map(_data_ptr, params)) != bound.addresses
            or list(map(_nbytes, params)) != bound.sizes
            or list(map(_is_contiguous, params)) != bound.contiguous
        ):
            bound = self._moved()
        gradients = list(map(_grad, params))
        kept: list[Any] = []  # copies of gradients must outlive the run
        pointers: list[int] | None = None
        if bound.all_contiguous and not bound.empty:
            try:
                pointers = list(map(_data_ptr, gradients))
                if not all(map(_is_contiguous, gradients)):
                    pointers = None
                elif pointers == bound.pointers:
                    pointers = bound.pointers
                elif list(map(_nbytes, gradients)) != bound.sizes:
                    pointers = None
            except (TypeError, RuntimeError):  # None, or a tensor that has no memory of its own
                pointers = None
        if pointers is None:
            pointers = [self._gradient(bound, i, g, kept) for i, g in enumerate(gradients)]
        if pointers is not bound.pointers:
            bound.pointers = None
            bound.active = params
            if 0 in pointers:
                bound.active = [p for p, address in zip(params, pointers, strict=True) if address]
            if bound.waiting:
                self._begin(bound, pointers)
        staged = [i for i in bound.staged if pointers[i]]
        with torch.no_grad():
            for i in staged:
                bound.work[i].copy_(params[i])
            bound.engine.step(pointers, bound.options)
            for i in staged:
                params[i].copy_(bound.work[i])
        bound.pointers = None if kept else pointers
        increment_version(bound.active)

    def _bind(self) -> _Bound:
        from fused_adam.cpu_driver import DRIVER

        params = [p for group in self.param_groups for p in group["params"]]
        groups = [k for k, group in enumerate(self.param_groups) for _ in group["params"]]
        for i, p in enumerate(params):
            _check_parameter(f"parameter {i}", p)
            self._check_state(f"parameter {i}", p)
        self._refuse_overlap()
        work = [p if _is_dense(p) else torch.empty(p.shape, dtype=p.dtype) for p in params]
        tensors = [
            Tensor(w.data_ptr(), 0, 0, 0, w.numel(), _DTYPES[w.dtype], k) for w, k in zip(work, groups, strict=True)
        ]
        counts = [self._t.get(p, 0) for p in params]
        engine = Engine(DRIVER, tensors, counts, together=self._dialect.step_count == "optimizer")
        bound = _Bound(params, engine, work, len(self.param_groups))
        self._begin(bound, [int(bool(self.state.get(p))) for p in params])
        self._bound = bound
        return bound

    def _begin(self, bound: _Bound, wanted: Sequence[int]) -> None:
        """State for the parameters that are `wanted` and have none; where the engine finds it."""
        group_of = [group for group in self.param_groups for _ in group["params"]]
        for i in [i for i in bound.waiting if wanted[i]]:
            p = bound.params[i]
            names = _MOMENTS[: 3 if group_of[i].get("amsgrad") else 2]
            state = self.state[p]
            for name in names:
                tensor = state.get(name)
                if tensor is None:
                    state[name] = torch.zeros_like(bound.work[i], requires_grad=False)
                elif tensor.stride() != bound.work[i].stride() or tensor.device != p.device:
                    state[name] = torch.empty_like(bound.work[i]).copy_(tensor)
            bound.engine.place(i, *(state[name].data_ptr() for name in names))
            bound.waiting.remove(i)

    def _change_options(self, bound: _Bound, k: int, group: dict[str, Any], fingerprint: Any) -> None:
        new = self._group_options(group)
        old = bound.options[k]
        if old is not None and old.amsgrad != new.amsgrad:
            raise refused(
                f"param_groups[{k}]['amsgrad']", new.amsgrad, f"{old.amsgrad}; it cannot change between steps"
            )
        bound.options[k] = new
        bound.fingerprints[k] = fingerprint

    def _moved(self) -> _Bound:
        """Parameters that lie elsewhere now: bind anew, if their moments still fit."""
        self._t = self._counts()
        self._bound = None
        bound = self._bind()
        for k, group in enumerate(self.param_groups):
            self._change_options(bound, k, group, self._key(group))
        return bound

    def _check_state(self, name: str, p: Any) -> None:
        for key in _MOMENTS:
            tensor = self.state.get(p, {}).get(key)
            if tensor is None:
                continue
            if tensor.shape != p.shape or tensor.dtype != p.dtype:
                found = f"{p.dtype} {tuple(p.shape)}"
                accepted = f"{tensor.dtype} {tuple(tensor.shape)}, as its state {key!r} has it"
                raise refused(name, found, f"{accepted}; a parameter is neither resized nor re-typed between steps")

    def _gradient(self, bound: _Bound, i: int, g: Any, kept: list[Any]) -> int:
        """Address of gradient `i`: its own, or that of a copy that lies as the parameter does."""
        if g is None:
            return 0
        p, work = bound.params[i], bound.work[i]
        name = f"gradient of parameter {i}"
        if g.layout is not torch.strided:
            raise refused(f"{name}: layout", g.layout, "torch.strided; row-sparse gradients are not implemented yet")
        if g.dtype != p.dtype:
            raise refused(f"{name}: dtype", g.dtype, str(p.dtype))
        if g.device != p.device:
            raise refused(f"{name}: device", str(g.device), str(p.device))
        if g.shape != p.shape:
            raise refused(f"{name}: shape", tuple(g.shape), str(tuple(p.shape)))
        if g.numel() == 0:
            return 1  # nothing is read there, but the parameter has a gradient
        plain = g.is_contiguous() and work.is_contiguous()
        if (not plain and g.stride() != work.stride()) or g.is_neg():
            with torch.no_grad():
                g = torch.empty_like(work).copy_(g)
            kept.append(g)
        return int(g.data_ptr())

    # State

    def _counts(self) -> dict[Any, int]:
        """t of every parameter that has one."""
        if self._bound is None:
            return dict(self._t)
        return dict(zip(self._bound.params, self._bound.engine.counts, strict=True))

    @property
    def ran(self) -> frozenset[str]:
        """Drivers and compiled variants that have computed something since the state was made or loaded."""
        return frozenset() if self._bound is None else frozenset(self._bound.engine.ran)

    @property
    def _is_torch(self) -> bool:
        return self._dialect.name == self._TORCH_DIALECT

    def _with_steps(self, p: Any, state: Mapping[str, Any], t: int) -> dict[str, Any]:
        """The state of a parameter with its step count, as torch writes it, or so that torch refuses it."""
        if self._is_torch:
            return {"step": torch.tensor(float(t), dtype=_step_dtype()), **state}
        # torch's classes take float() of a step that is no tensor, and show what could not be converted.
        text = (
            f"this state is of dialect {self._dialect.name}, with which torch.optim.{type(self).__name__} would train "
            f"wrongly; accepted: fused_adam.{type(self).__name__}(..., dialect={self._dialect.name!r})"
        )
        return {"step": text.encode(), "t": t, **state}

    def __getstate__(self) -> dict[str, Any]:
        counts = self._counts()
        state = {p: self._with_steps(p, s, counts.get(p, 0)) for p, s in self.state.items()}
        together = max(counts.values(), default=0) if self._dialect.step_count == "optimizer" else 0
        return {**super().__getstate__(), "state": state, "_together": together}

    def __setstate__(self, state: dict[str, Any]) -> None:
        together = state.pop("_together", 0) if "_together" in state else 0
        super().__setstate__(state)
        self._dialect = opts.dialect(self.defaults["dialect"])
        moments: dict[Any, Any] = {}
        self._t = {}
        for p, s in self.state.items():
            if not isinstance(p, torch.Tensor):
                moments[p] = s
                continue
            self._t[p] = int(s["t"] if "t" in s else s["step"])
            moments[p] = {k: v for k, v in s.items() if k not in ("step", "t")}
        for group in self.param_groups:
            for key, value in self.defaults.items():
                group.setdefault(key, value)
            if self._dialect.step_count == "optimizer":
                t = max(together, *self._t.values()) if self._t else together
                self._t.update(dict.fromkeys(group["params"], t))
        self.state = defaultdict(dict, moments)
        if "_key" not in self.__dict__ or self._key is None:
            self._prepare()
        self._bound = None

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a state of this class or of torch's class of this name. All of it is checked first.

        Unlike in torch, the moments are copied, so that two optimizers never share them.
        """
        state_dict = self._checked(state_dict)
        super().load_state_dict(state_dict)

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
                states[number] = _checked_state(f"state_dict['state'][{number}]", p, states[number], group)
            else:
                states.pop(number, None)
        return {**state_dict, "param_groups": groups, "state": states}


def _as_torch_state(optimizer: Any, state_dict: dict[str, Any]) -> dict[str, Any]:
    """Post hook of `state_dict`: step counts, and torch's own keys alone where the dialect is torch's."""
    counts = optimizer._counts()
    params = [p for group in optimizer.param_groups for p in group["params"]]
    states = {
        number: optimizer._with_steps(params[number], state, counts.get(params[number], 0))
        for number, state in state_dict["state"].items()
        if isinstance(number, int)
    }
    groups = state_dict["param_groups"]
    if optimizer._is_torch:
        groups = [{k: v for k, v in group.items() if k not in optimizer._EXTRA} for group in groups]
    return {**state_dict, "state": states, "param_groups": groups}


def _checked_state(name: str, p: Any, state: Mapping[str, Any], group: Mapping[str, Any]) -> dict[str, Any]:
    names = _MOMENTS[: 3 if group.get("amsgrad") else 2]
    checked: dict[str, Any] = {}
    for key in names:
        tensor = state.get(key)
        if not isinstance(tensor, torch.Tensor) or tensor.shape != p.shape:
            found = tuple(tensor.shape) if isinstance(tensor, torch.Tensor) else type(tensor).__name__
            raise refused(f"{name}[{key!r}]", found, f"a tensor of shape {tuple(p.shape)}")
        checked[key] = tensor.detach().clone()
    step = state.get("t", state.get("step"))
    number = step.item() if isinstance(step, torch.Tensor) and step.numel() == 1 else step
    if isinstance(number, bool) or not isinstance(number, int | float) or not number >= 0 or number != int(number):
        raise refused(f"{name}['step']", step, "a whole number >= 0")
    return {"step": int(number), **checked}


def _step_dtype() -> Any:
    return torch.float64 if torch.get_default_dtype() == torch.float64 else torch.float32


def _scalar(name: str, value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        raise refused(name, value, "a Python number; tensors are not implemented yet", TypeError)
    return value


def _check_parameter(name: str, p: Any) -> None:
    if p.layout is not torch.strided:
        raise refused(f"{name}: layout", p.layout, "torch.strided", TypeError)
    if p.device.type != "cpu":
        raise refused(f"{name}: device", str(p.device), "cpu; other devices are not implemented yet", TypeError)
    if p.dtype not in _DTYPES:
        accepted = "torch.float32 or torch.float64; others are not implemented yet"
        raise refused(f"{name}: dtype", p.dtype, accepted, TypeError)
    if type(p) is not torch.Tensor and hasattr(p, "__tensor_flatten__"):
        raise refused(name, type(p).__name__, "a tensor with memory of its own", TypeError)
    if _overlaps_itself(p):
        raise refused(f"{name}: stride", p.stride(), "strides under which no two elements share memory")


def _axes(p: Any) -> list[tuple[int, int]]:
    return sorted((s, n) for s, n in zip(p.stride(), p.shape, strict=True) if n != 1)


def _is_dense(p: Any) -> bool:
    """Whether the elements fill their memory without a hole, in whatever order of axes."""
    if p.is_contiguous():
        return True
    expected = 1
    for stride, length in _axes(p):
        if stride != expected:
            return False
        expected *= length
    return True


def _overlaps_itself(p: Any) -> bool:
    if p.numel() < 2 or p.is_contiguous():
        return False
    reach = 0
    for stride, length in _axes(p):
        if stride <= reach:
            return True
        reach += stride * (length - 1)
    return False


def _span(p: Any) -> int:
    """Bytes from the first element to the end of the last."""
    if p.numel() == 0:
        return 0
    last = sum(stride * (length - 1) for stride, length in zip(p.stride(), p.shape, strict=True))
    return int((last + 1) * p.element_size())


class Adam(_Fused):
    r"""``torch.optim.Adam``, all parameters and groups in one pass; other frameworks' Adam with `dialect`.

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
        \theta \leftarrow \theta - \frac{lr}{1 - \beta_1^t} \frac{m}{\sqrt{v / (1 - \beta_2^t)} + eps}

    Args:
        params: parameters, named parameters or groups, as in torch; float32 or float64 on the CPU.
        lr, betas, eps, weight_decay, amsgrad, decoupled_weight_decay: as in torch, Python numbers. eps None is the
            dialect's default, which is torch's 1e-8 for "torch-adam".
        maximize, capturable, differentiable: False; True is refused, it is not implemented yet.
        foreach, fused: without effect, there is one implementation.
        dialect: whose Adam: "torch-adam", "keras-v2-adam", "tf-keras-adam", "mxnet2-adam", "mxnet1-adam". All but the
            first put eps beside sqrt(v) (epsilon hat); torch.optim.Adam refuses to load their state.
        adaptive_epsilon: of tf_keras. rescale_grad, clip_gradient: of MXNet.

    ``state_dict`` of dialect "torch-adam" is torch's own, in both directions.

    Example:
        >>> import torch, fused_adam
        >>> w = torch.nn.Parameter(torch.ones(2))
        >>> optimizer = fused_adam.Adam([w], lr=0.1)
        >>> w.sum().backward()
        >>> optimizer.step()
        >>> w.data
        tensor([0.9000, 0.9000])

    Raises:
        ValueError, TypeError: naming the argument, its value and what is accepted, before anything is written.
        ImportError: at the first step, where Numba is missing.
    """

    _TORCH_DIALECT = "torch-adam"
    _EXTRA = ("dialect", "adaptive_epsilon", "rescale_grad", "clip_gradient")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float | None = None,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
        dialect: str = "torch-adam",
        adaptive_epsilon: bool = False,
        rescale_grad: float = 1.0,
        clip_gradient: float | None = None,
    ) -> None:
        chosen = opts.dialect(dialect)
        if chosen.rectified:
            raise refused("dialect", dialect, "that of an Adam; rectified ones belong to fused_adam.RAdam")
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": chosen.default_epsilon if eps is None else eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
            "dialect": dialect,
            "adaptive_epsilon": adaptive_epsilon,
            "rescale_grad": rescale_grad,
            "clip_gradient": clip_gradient,
        }
        super().__init__(params, defaults)


class AdamW(Adam):
    """``torch.optim.AdamW``: `Adam` with decoupled_weight_decay and weight_decay 0.01."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float | None = None,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        dialect: str = "torch-adam",
        adaptive_epsilon: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
            dialect=dialect,
            adaptive_epsilon=adaptive_epsilon,
        )

    def _checked(self, state_dict: Mapping[str, Any]) -> dict[str, Any]:
        """As torch's AdamW, whatever is loaded decays decoupled."""
        groups = [{**group, "decoupled_weight_decay": True} for group in state_dict["param_groups"]]
        return super()._checked({**state_dict, "param_groups": groups})


class RAdam(_Fused):
    """``torch.optim.RAdam`` (Liu et al.); TF-Addons' RectifiedAdam with ``dialect="tfa-rectified-adam"``.

    Both rectify from a length of the moving average of sma_threshold on. torch: eps beside sqrt(v), > 5, one t per
    parameter. TF-Addons: eps beside sqrt(v / (1 - beta_2^t)), >=, one t for all, weight decay inside the update
    (decoupled_weight_decay=True), and a warm-up over total_steps.

    Args, errors and state as for `Adam`.
    """

    _TORCH_DIALECT = "torch-radam"
    _EXTRA = ("amsgrad", "dialect", "sma_threshold", "total_steps", "warmup_proportion", "min_lr")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float | None = None,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        amsgrad: bool = False,
        dialect: str = "torch-radam",
        sma_threshold: float = 5.0,
        total_steps: int = 0,
        warmup_proportion: float = 0.1,
        min_lr: float = 0.0,
    ) -> None:
        chosen = opts.dialect(dialect)
        if not chosen.rectified:
            raise refused("dialect", dialect, "a rectified one; the others belong to fused_adam.Adam")
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": chosen.default_epsilon if eps is None else eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
            "amsgrad": amsgrad,
            "dialect": dialect,
            "sma_threshold": sma_threshold,
            "total_steps": total_steps,
            "warmup_proportion": warmup_proportion,
            "min_lr": min_lr,
        }
        super().__init__(params, defaults)
