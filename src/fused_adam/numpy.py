"""Adam for NumPy arrays, in any dialect, without torch."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

try:
    import numpy as np
except ImportError as _error:
    from fused_adam.errors import missing

    raise missing("numpy", "fused_adam.numpy", _error) from _error

from fused_adam import options as opts
from fused_adam.drivers import driver_of
from fused_adam.engine import Driver, Engine, Tensor
from fused_adam.errors import no_copy, refused
from fused_adam.interrupts import uninterrupted
from fused_adam.numpy_arrays import (
    address,
    byte_bounds,
    check_parameter,
    is_array,
    is_dense,
    relaid,
    signature,
    words,
    zeros,
)
from fused_adam.planner import refuse_overlap


class Adam:
    r"""Adam over NumPy arrays, which it updates in place.

    Every step forms, for each parameter :math:`\theta` with gradient :math:`g`,

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
        \theta \leftarrow \theta - \alpha_t \frac{m}{\sqrt{v} + \epsilon_t}

    where the dialect says what :math:`\alpha_t` and :math:`\epsilon_t` are and what happens around it.

    Args:
        parameters: arrays of float32 or float64, writable, each once; any strides, any shape.
        dialect: one of ``fused_adam.options.DIALECTS``: "torch-adam", "torch-radam", "keras-v2-adam", "tf-keras-adam",
            "mxnet2-adam", "mxnet1-adam", "tfa-rectified-adam".
        learning_rate, beta_1, beta_2, epsilon: of Adam. epsilon None is the framework's default.
        amsgrad: divide by the largest v so far. (Keras, TF-Addons, torch)
        l2: coupled decay, l2 * theta is added to the gradient. (MXNet's wd, torch's weight_decay)
        weight_decay: decoupled decay, learning_rate * weight_decay * theta is subtracted. (tf_keras, TF-Addons, AdamW)
        adaptive_epsilon: epsilon is multiplied by sqrt(1 - beta_2^t). (tf_keras)
        rescale_grad, clip_gradient: the gradient's factor, and the bound on its elements after it. (MXNet)
        sma_threshold, total_steps, warmup_proportion, min_lr: of RectifiedAdam. (TF-Addons)

    An option that the dialect does not have is refused; so is everything that is not implemented yet.

    Example:
        >>> import numpy as np, fused_adam.numpy
        >>> w = np.ones(3, np.float32)
        >>> optimizer = fused_adam.numpy.Adam([w], dialect="keras-v2-adam", learning_rate=0.1)
        >>> optimizer.step([np.array([1, 2, -1], np.float32)])
        >>> w.round(3).tolist()
        [0.8999999761581421, 0.8999999761581421, 1.100000023841858]

    Raises:
        ValueError, TypeError: naming the argument, its value and what is accepted; nothing has been written then.
        ImportError: at the first step, where Numba is missing.
    """

    def __init__(self, parameters: Sequence[Any], dialect: str = "torch-adam", **hyperparameters: Any) -> None:
        self._dialect = opts.dialect(dialect)
        self._given = _without_none(hyperparameters)
        self._options = opts.make(self._dialect, self._given)
        if isinstance(parameters, np.ndarray) or not hasattr(parameters, "__iter__"):
            raise refused("parameters", type(parameters).__name__, "a list of arrays", TypeError)
        self.parameters: tuple[Any, ...] = tuple(parameters)
        _check_parameters(self.parameters)
        # Where the elements of an array do not lie densely in memory, a copy does the work.
        self._work = tuple(a if is_dense(a) else np.empty(a.shape, a.dtype) for a in self.parameters)
        self._m = tuple(zeros(a) for a in self._work)
        self._v = tuple(zeros(a) for a in self._work)
        self._v_max = tuple(zeros(a) for a in self._work) if self._options.amsgrad else None
        self._counts = [0] * len(self.parameters)
        self._engine: Engine | None = None
        self._torn = False
        """A step has begun and has not ended: the engine's tables may be half rewritten, except its counts."""
        self._remember()

    # Hyper-parameters

    @property
    def dialect(self) -> str:
        """Name of the dialect."""
        return self._dialect.name

    @property
    def hyperparameters(self) -> Mapping[str, Any]:
        """All options and their values."""
        return {name: getattr(self._options, name) for name in ("epsilon", *opts.DEFAULTS)}

    def set(self, **hyperparameters: Any) -> None:
        """Change options for the steps to come, for example ``set(learning_rate=1e-4)``.

        epsilon None is the framework's default. amsgrad cannot change.
        """
        if "amsgrad" in hyperparameters and hyperparameters["amsgrad"] is not self._options.amsgrad:
            raise refused("amsgrad", hyperparameters["amsgrad"], f"{self._options.amsgrad}; it is set at construction")
        given = _without_none({**self._given, **hyperparameters})
        self._options = opts.make(self._dialect, given)
        self._given = given

    # State

    @property
    def m(self) -> tuple[Any, ...]:
        """First moments: live arrays, of the shapes of the parameters."""
        return self._m

    @property
    def v(self) -> tuple[Any, ...]:
        """Second raw moments: live arrays."""
        return self._v

    @property
    def v_max(self) -> tuple[Any, ...] | None:
        """AMSGrad maxima: live arrays, or None."""
        return self._v_max

    @property
    def t(self) -> tuple[int, ...]:
        """Step count of every parameter."""
        return tuple(self._counts if self._engine is None else self._engine.counts)

    @property
    def ran(self) -> frozenset[str]:
        """Drivers and compiled variants that have computed something, as the engine saw them."""
        return frozenset() if self._engine is None else frozenset(self._engine.ran)

    def state_dict(self) -> dict[str, Any]:
        """A copy of the state and the options: plain Python and NumPy arrays."""

        def copies(arrays: Sequence[Any]) -> list[Any]:
            return [a.copy() for a in arrays]

        return {
            "dialect": self.dialect,
            "hyperparameters": dict(self.hyperparameters),
            "t": list(self.t),
            "m": copies(self._m),
            "v": copies(self._v),
            "v_max": None if self._v_max is None else copies(self._v_max),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state_dict` of the same dialect, shapes and dtypes. All of it is checked first.

        t: whole numbers from 0 to 2^53, of Python or NumPy.

        Raises:
            ValueError, TypeError: naming the entry, its value and what is accepted; nothing has been written then.
        """
        if not isinstance(state, Mapping):
            raise refused("state", type(state).__name__, "what state_dict() returned", TypeError)
        for key in ("dialect", "hyperparameters", "t", "m", "v", "v_max"):
            if key not in state and (key != "v_max" or self._v_max is not None):
                raise refused(f"state[{key!r}]", "missing", "all entries that state_dict() returned")
        self._refuse_changes()
        if not isinstance(state["dialect"], str) or state["dialect"] != self.dialect:
            raise refused("state['dialect']", state["dialect"], self.dialect)
        if not isinstance(state["hyperparameters"], Mapping):
            raise refused("state['hyperparameters']", state["hyperparameters"], "names and values", TypeError)
        hyperparameters = _without_none(state["hyperparameters"])
        options = opts.make(self._dialect, hyperparameters)
        if options.amsgrad != self._options.amsgrad:
            raise refused("state['hyperparameters']['amsgrad']", options.amsgrad, str(self._options.amsgrad))
        pairs = [("m", self._m), ("v", self._v)] + ([("v_max", self._v_max)] if self._v_max is not None else [])
        for name, mine in pairs:
            for i, (a, b) in enumerate(zip(mine, _listed(f"state[{name!r}]", state[name], len(mine)), strict=True)):
                if not is_array(b) or a.shape != b.shape or a.dtype != b.dtype:
                    found = f"{b.dtype} {b.shape}" if is_array(b) else type(b).__name__
                    raise refused(f"state[{name!r}][{i}]", found, f"an array of {a.dtype} {a.shape}, not masked")
        counts = _listed("state['t']", state["t"], len(self._m))
        for i, t in enumerate(counts):
            if isinstance(t, bool) or not isinstance(t, int | np.integer) or not 0 <= t <= opts.LAST_STEP:
                raise refused(f"state['t'][{i}]", t, f"a whole number from 0 to {opts.LAST_STEP}")
        if self._dialect.step_count == "optimizer" and len(set(map(int, counts))) > 1:
            raise refused(
                "state['t']", counts, f"one number, as often as there are parameters; {self.dialect} has one t"
            )
        # The caller may have put our own moments into another order.
        copies = [
            (a, b.copy() if self._is_written(b) else b)
            for name, mine in pairs
            for a, b in zip(mine, state[name], strict=True)
        ]
        for a, b in copies:
            a[...] = b
        self._options = options
        self._given = hyperparameters
        self._counts = [int(t) for t in counts]
        self._engine = None

    def __copy__(self) -> NoReturn:
        """Refused: a shallow copy would share the moments and count its steps for itself."""
        raise no_copy()

    def __getstate__(self) -> dict[str, Any]:
        values = dict(self.__dict__)
        values.update(_engine=None, _counts=list(self.t), _dialect=self._dialect.name, _options=None)
        return values

    def __setstate__(self, values: dict[str, Any]) -> None:
        # Arrays that pickle has put into a caller's buffers (protocol 5) may be read-only, or share memory.
        _check_parameters(values["parameters"])
        self.__dict__.update(values)
        self._dialect = opts.dialect(values["_dialect"])
        self._options = opts.make(self._dialect, self._given)
        # A copied array is dense; what was dense before shares its memory with the parameters again.
        self._work = tuple(a if is_dense(a) else np.empty(a.shape, a.dtype) for a in self.parameters)
        self._m, self._v = (tuple(map(relaid, s, self._work)) for s in (self._m, self._v))
        self._v_max = None if self._v_max is None else tuple(map(relaid, self._v_max, self._work))
        self._remember()

    # Steps

    def step(self, gradients: Sequence[Any]) -> None:
        """One step; gradients[i] is an array of the dtype and shape of parameters[i], or None.

        Whatever is raised, Ctrl-C included: a parameter, its moments and its t have made the step together or not.
        """
        gradients = _listed("gradients", gradients, len(self.parameters), ", one per parameter")
        self._refuse_changes()
        laid = [None if g is None else self._gradient(f"gradients[{i}]", g, i) for i, g in enumerate(gradients)]
        engine_addresses = [0 if g is None else (address(g) or 1) for g in laid]
        staged = [
            (theta, work)
            for theta, work, g in zip(self.parameters, self._work, laid, strict=True)
            if g is not None and work is not theta
        ]
        engine = self._bound()
        self._torn = True
        if staged:
            self._step_staged(engine, engine_addresses, staged)
        else:
            engine.step(engine_addresses, (self._options,))
        self._torn = False

    def _step_staged(self, engine: Engine, addresses: Sequence[int], staged: Sequence[tuple[Any, Any]]) -> None:
        """A step in which copies do the work of some parameters."""
        for theta, work in staged:
            work[...] = theta
        with uninterrupted():
            try:
                engine.step(addresses, (self._options,))
            finally:  # the moments and t may have advanced all the same
                for theta, work in staged:
                    theta[...] = work

    def _arrays(self) -> list[Any]:
        """What a step writes."""
        return [*self.parameters, *self._m, *self._v, *(self._v_max or ())]

    def _remember(self) -> None:
        """Note where the arrays lie: the engine keeps their addresses."""
        arrays = self._arrays()
        self._seen = [signature(a) for a in arrays]
        bounds = sorted(byte_bounds(a) for a in arrays if a.size)
        self._lows, self._highs = [low for low, _ in bounds], [high for _, high in bounds]

    def _refuse_changes(self) -> None:
        """ValueError if an array is not what, or where, it was when its address was taken."""
        arrays = self._arrays()
        if [signature(a) for a in arrays] == self._seen:
            return
        n = len(self._m)
        names = [f"{name}[{i}]" for name in ("parameters", "m", "v", "v_max") for i in range(n)]
        for name, a, seen in zip(names[: len(self._seen)], arrays, self._seen, strict=True):
            if not a.flags.writeable:
                raise refused(f"{name}.flags.writeable", False, "True, it is updated in place")
            if signature(a) != seen:
                raise refused(name, words(a), "the array that was given, neither resized nor re-typed nor moved")

    def _driver(self) -> Driver:
        return driver_of("cpu")

    def _bound(self) -> Engine:
        """The engine: a new one where there is none, and after a step that was cut short."""
        if self._engine is None or self._torn:
            self._counts = list(self.t)
            v_max = self._v_max or (None,) * len(self._m)
            tensors = [
                Tensor(address(p), address(m), address(v), 0 if x is None else address(x), p.size, p.dtype.name, 0)
                for p, m, v, x in zip(self._work, self._m, self._v, v_max, strict=True)
            ]
            together = self._dialect.step_count == "optimizer"
            self._engine = Engine(self._driver(), tensors, self._counts, together=together)
        return self._engine

    def _gradient(self, name: str, g: Any, i: int) -> Any:
        """`g`, or a copy that lies in memory as the parameter does and that the step does not write to."""
        theta, work = self.parameters[i], self._work[i]
        if not is_array(g):
            accepted = f"an array of {theta.dtype} {theta.shape}, not masked, or None"
            note = "row-sparse gradients are not implemented yet"
            raise refused(name, type(g).__name__, f"{accepted}; {note}", TypeError)
        if g.dtype != theta.dtype or not g.dtype.isnative:
            raise refused(f"{name}.dtype", str(g.dtype), str(theta.dtype))
        if g.shape != theta.shape:
            raise refused(f"{name}.shape", g.shape, str(theta.shape))
        alike = g.strides == work.strides or (g.flags.c_contiguous and work.flags.c_contiguous)
        if alike and g.flags.aligned and (g is theta or not self._is_written(g)):
            return g
        laid = np.empty_like(work)
        laid[...] = g
        return laid

    def _is_written(self, g: Any) -> bool:
        """Whether a step may write into the memory of `g`. The arrays it writes do not overlap one another."""
        low, high = byte_bounds(g)
        k = bisect_right(self._highs, low)
        return k < len(self._lows) and self._lows[k] < high


def _check_parameters(parameters: Sequence[Any]) -> None:
    """TypeError or ValueError unless all of them can be trained together."""
    names = [f"parameters[{i}]" for i in range(len(parameters))]
    for name, theta in zip(names, parameters, strict=True):
        check_parameter(name, theta)
    bounds = [byte_bounds(a) for a in parameters]
    refuse_overlap(names, [low for low, _ in bounds], [high - low for low, high in bounds])


def _without_none(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """The same without an epsilon of None, which stands for the dialect's default."""
    return {name: value for name, value in hyperparameters.items() if name != "epsilon" or value is not None}


def _listed(name: str, values: Any, n: int, note: str = "") -> list[Any]:
    """`values` as a list of `n`; a generator has no length and is refused before it is used up."""
    if not hasattr(values, "__len__") or not hasattr(values, "__iter__"):
        raise refused(name, type(values).__name__, f"a list of {n}{note}", TypeError)
    if len(values) != n:
        raise refused(f"len({name})", len(values), f"{n}{note}")
    return list(values)
