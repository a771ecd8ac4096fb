"""The production optimizer behind the contract: ``fused_adam.numpy.Adam``, one class per dialect.

What ran is read from the engine: the driver that it called, and the compiled variants whose address stood
in the rows of the step.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np

from adapters.contract import (
    CONTRACT_VERSION,
    LAYOUTS,
    Arithmetic,
    Array,
    Claim,
    ContractError,
    Gradient,
    Hyperparameters,
    Identity,
    Precision,
    Procedure,
    Rows,
    State,
)
from adapters.memory import copied

_ADAM = frozenset({"learning_rate", "beta_1", "beta_2", "epsilon"})
_MXNET = _ADAM | {"l2", "rescale_grad", "clip_gradient"}
_NOT_YET = (
    "row-sparse gradients",
    "lazy updates",
    "clipping by norm",
    "averages (EMA, Lookahead)",
    "learning-rate schedules as objects",
    "float16 and bfloat16 parameters",
)


class _Run:
    """One ``fused_adam.numpy.Adam`` over arrays of its own."""

    def __init__(self, optimizer: Any, names: frozenset[str]) -> None:
        """names: the hyper-parameters that may change."""
        self.optimizer = optimizer
        self._names = names

    def step(self, gradients: Sequence[Gradient]) -> State:
        """``Adam.step``; `ContractError` for rows."""
        for i, gradient in enumerate(gradients):
            if isinstance(gradient, Rows):
                raise ContractError(f"gradients[{i}]", "Rows", "an array or None: fused_adam takes no rows yet")
        self.optimizer.step(gradients)
        o = self.optimizer
        return State(
            parameters=_copies(o.parameters),
            m=_copies(o.m),
            v=_copies(o.v),
            v_max=None if o.v_max is None else _copies(o.v_max),
            t=o.t,
        )

    def save(self) -> bytes:
        """``pickle`` of the parameters and of ``state_dict``."""
        return pickle.dumps((self.optimizer.parameters, self.optimizer.state_dict()))

    def load(self, saved: bytes) -> None:
        """What `save` made."""
        parameters, state = pickle.loads(saved)
        for theta, value in zip(self.optimizer.parameters, parameters, strict=True):
            theta[...] = value
        self.optimizer.load_state_dict(state)

    def put(self, state: State) -> None:
        """``state_dict`` with these numbers in it, and ``load_state_dict``; the parameters in place."""
        for theta, value in zip(self.optimizer.parameters, state.parameters, strict=True):
            theta[...] = value
        own = {"t": state.t, "m": state.m, "v": state.v, "v_max": state.v_max}
        self.optimizer.load_state_dict(self.optimizer.state_dict() | own)

    def configuration(self) -> bytes:
        """The dialect and ``hyperparameters`` as JSON."""
        return json.dumps([self.optimizer.dialect, dict(self.optimizer.hyperparameters)]).encode()

    def change(self, hyperparameters: Hyperparameters) -> None:
        """``Adam.set``."""
        self.optimizer.set(**{name: getattr(hyperparameters, name) for name in self._names})


class _Adam:
    contract_version: int = CONTRACT_VERSION
    name: str
    claim: Claim
    probe: Hyperparameters = Hyperparameters()
    """Hyper-parameters of the step that shows which code runs."""
    variant: str
    driver = "cpu-numba serial"
    """What must have run, among others."""
    large = 200_000
    """Elements of a parameter for which the driver does more than for a small one."""

    def __init__(self) -> None:
        import fused_adam
        import fused_adam.cpu_driver  # Numba missing shows here
        import fused_adam.numpy

        self._version = fused_adam.__version__
        self._adam = fused_adam.numpy.Adam

    def identity(self) -> Identity:
        """Steps on a small and on a large parameter, in both dtypes; the engine's record of what ran."""
        observed: set[str] = set()
        for dtype, size in (("float32", 3), ("float32", self.large), ("float64", 3)):
            theta = np.ones(size, dtype)
            run = self.start([theta], self.probe)
            run.step([theta])
            observed |= run.optimizer.ran
        variants = {f"{dtype}{self.variant}" for dtype in ("float32", "float64")}
        return Identity(
            framework="adam-conformance",
            version=self._version,
            required=frozenset({self.driver, *variants}),
            observed=frozenset(observed),
        )

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """Scalars are formed in double and rounded to the parameters' dtype; m as a lerp, v as a sum."""
        return Arithmetic(storage=dtype, compute=dtype, step_size=dtype, first_moment="lerp")

    def start(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> _Run:
        """A new optimizer over copies."""
        given = {name: getattr(hyperparameters, name) for name in self.claim.hyperparameters}
        copies = [copied(theta) for theta in parameters]
        return self._run(self._adam(copies, dialect=self.claim.dialect, **given))

    def resume(self, parameters: Sequence[Array], hyperparameters: Hyperparameters, saved: bytes) -> _Run:
        """A new optimizer that has loaded what `_Run.save` made."""
        run = self.start(parameters, hyperparameters)
        run.load(saved)
        return run

    def configured(self, parameters: Sequence[Array], configuration: bytes) -> _Run:
        """A new optimizer over copies."""
        dialect, hyperparameters = json.loads(configuration)
        return self._run(self._adam([copied(theta) for theta in parameters], dialect=dialect, **hyperparameters))

    def _run(self, optimizer: Any) -> _Run:
        return _Run(optimizer, self.claim.procedures["change"].hyperparameters)


def _copies(arrays: Sequence[Array]) -> tuple[Array, ...]:
    return tuple(copied(a) for a in arrays)


def _claim(dialect: str, hyperparameters: frozenset[str], *more: str) -> Claim:
    free = hyperparameters - {"amsgrad"}
    procedures = {
        "mixed dtypes": Procedure(how="arrays of several dtypes in one list"),
        "empty steps": Procedure(how="step() where every gradient is None"),
        "save": Procedure(how="state_dict, pickle, load_state_dict; the parameters by pickle", hyperparameters=free),
        "rewind": Procedure(how="load_state_dict of an optimizer that has stepped; the parameters in place"),
        "configuration": Procedure(how="Adam(..., dialect=o.dialect, **o.hyperparameters)"),
        "change": Procedure(how="Adam.set", hyperparameters=free),
        "state": Procedure(how="state_dict with other numbers in it, load_state_dict"),
    }
    not_claimed = (*_NOT_YET, *more)
    return Claim(
        dialect=dialect,
        hyperparameters=hyperparameters,
        not_claimed=not_claimed,
        both_decays={"l2", "weight_decay"} <= hyperparameters,
        layouts=frozenset(LAYOUTS),
        procedures=procedures,
    )


class KerasV2(_Adam):
    """``dialect="keras-v2-adam"``."""

    name = "fused-adam-keras-v2"
    claim = _claim("keras-v2-adam", _ADAM | {"amsgrad"}, "decay")
    probe = Hyperparameters(amsgrad=True)
    variant = "_amsgrad"


class TfKeras(_Adam):
    """``dialect="tf-keras-adam"``."""

    name = "fused-adam-tf-keras"
    claim = _claim("tf-keras-adam", _ADAM | {"amsgrad", "weight_decay", "adaptive_epsilon"})
    probe = Hyperparameters(amsgrad=True, weight_decay=0.1)
    variant = "_amsgrad_decay_before"


class Mxnet2(_Adam):
    """``dialect="mxnet2-adam"``."""

    name = "fused-adam-mxnet2"
    claim = _claim("mxnet2-adam", _MXNET, "lr_mult and wd_mult")
    probe = Hyperparameters(l2=0.1, rescale_grad=0.5, clip_gradient=1.0)
    variant = "_rescale_l2_clip_before_l2"


class Mxnet1(_Adam):
    """``dialect="mxnet1-adam"``."""

    name = "fused-adam-mxnet1"
    claim = _claim("mxnet1-adam", _MXNET, "lr_mult and wd_mult")
    probe = Hyperparameters(l2=0.1, rescale_grad=0.5, clip_gradient=1.0)
    variant = "_rescale_l2_clip_after_l2"


class TfaRectified(_Adam):
    """``dialect="tfa-rectified-adam"``."""

    name = "fused-adam-tfa-rectified"
    claim = _claim(
        "tfa-rectified-adam",
        _ADAM | {"amsgrad", "weight_decay", "sma_threshold"},
        "total_steps, warmup_proportion and min_lr (the contract has none yet; tests compare them with TF-Addons)",
        "decay",
    )
    probe = Hyperparameters(amsgrad=True, weight_decay=0.1)
    variant = "_amsgrad_decay_inside_undivided"


class Torch(_Adam):
    """``dialect="torch-adam"``."""

    name = "fused-adam-torch"
    claim = _claim("torch-adam", _ADAM | {"amsgrad", "l2", "weight_decay"}, "maximize")
    probe = Hyperparameters(amsgrad=True, l2=0.1)
    variant = "_l2_amsgrad"


class TorchRadam(_Adam):
    """``dialect="torch-radam"``."""

    name = "fused-adam-torch-radam"
    claim = _claim("torch-radam", _ADAM | {"l2", "weight_decay"}, "maximize")
    probe = Hyperparameters(l2=0.1, weight_decay=0.1)
    variant = "_l2_decay_before_undivided"
