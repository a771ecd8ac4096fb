"""MXNet 2 behind the contract: the four code paths of ``mxnet.optimizer.Adam``.

``mxnet/optimizer/adam.py`` has two paths: ``Adam.step`` composes NDArray operators, ``Adam.fused_step`` calls
the operator ``adam_update``. The kernel of the latter follows from ``lazy_update`` and the storage types of
its operands (``src/operator/optimizer_op-inl.h``, ``AdamUpdate`` and ``AdamUpdateEx``).
"""

from __future__ import annotations

import json
import os
import pickle
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from adapters.contract import (
    CONTRACT_VERSION,
    Arithmetic,
    Array,
    Claim,
    Gradient,
    Hyperparameters,
    Identity,
    Precision,
    Procedure,
    Rows,
    State,
    check_count,
)
from adapters.mxnet_schedulers import Rate, change_rate, rate_of, rates

_CHANGEABLE = frozenset(
    {"learning_rate", "beta_1", "beta_2", "epsilon", "l2", "rescale_grad", "clip_gradient", "lr_mult", "wd_mult"}
    | {"lr_scheduler"}
)
_HYPERPARAMETERS = _CHANGEABLE | {"begin_num_update"}
_SAVE = "Updater.get_states(dump_optimizer=True) and set_states, as Trainer.save_states and load_states call them"
"""Without dump_optimizer, its default, t and every hyper-parameter are lost; the kvstore's default is that, too."""


def _claim(dialect: str) -> Claim:
    return Claim(
        dialect=dialect,
        hyperparameters=_HYPERPARAMETERS,
        dtypes=("float32", "float64", "float16"),
        masters=frozenset({"float16"}),
        # Unsorted and duplicate rows are outside MXNet's own definition of row_sparse (RowSparseNDArray):
        # the standard kernel gives their values to the wrong rows, the lazy one repeats its update.
        gradients=frozenset({"dense", "none", "rows", "empty rows"}),
        not_claimed=(
            "step counts per device",
            "get_states without dump_optimizer=True (it holds neither t nor hyper-parameters)",
            "kvstore",
            "float16 weights without multi_precision",
            "PolyScheduler and CosineScheduler assigned where max_update is behind (they keep base_lr)",
            "a state put beside an lr_scheduler, which goes on from what it has been asked so far",
        ),
        procedures={
            "save": Procedure(how=_SAVE, hyperparameters=_HYPERPARAMETERS),
            "rewind": Procedure(how="Updater.set_states of an Updater that has stepped; the weights by value"),
            "change": Procedure(how="set_learning_rate, set_*_mult, attributes", hyperparameters=_CHANGEABLE),
            "state": Procedure(how="arrays in place, and the counts of every index"),
        },
    )


class AdamRun:
    """One ``mxnet.optimizer.Adam`` over one list of weights."""

    def __init__(self, mxnet: Any, optimizer: Any, weights: list[Any]) -> None:
        self._mxnet = mxnet
        self._optimizer = optimizer
        self._weights = weights
        self.rate: Rate | None = None
        """What the caller has asked for, if it is known."""
        self._states = [optimizer.create_state_multi_precision(i, weight) for i, weight in enumerate(weights)]

    def step(self, gradients: Sequence[Gradient]) -> State:
        """``Optimizer.update`` with the parameters that have a gradient."""
        check_count(self._weights, gradients)
        present = [i for i, gradient in enumerate(gradients) if gradient is not None]
        given = [self._ndarray(gradients[i], self._weights[i].shape) for i in present]
        with warnings.catch_warnings():
            # Adam.step writes 0-d arrays in a way that MXNet warns of.
            warnings.filterwarnings("ignore", "You are attempting to copy an array to itself", RuntimeWarning)
            self._update(present, given)
        self._mxnet.nd.waitall()  # the engine reports an error late; it belongs to this step
        # The public num_update is the largest count alone; the bias correction reads these.
        counts = self._optimizer._index_update_count
        return State(
            parameters=tuple(held[0].asnumpy() for held in self._held()),
            m=tuple(mean.asnumpy() for _, mean, _ in self._held()),
            v=tuple(var.asnumpy() for _, _, var in self._held()),
            v_max=None,
            weights=tuple(weight.asnumpy() for weight in self._weights) if self._optimizer.multi_precision else None,
            t=tuple(counts.get(i, self._optimizer.begin_num_update) for i in range(len(self._weights))),
        )

    def _held(self) -> list[tuple[Any, Any, Any]]:
        """Of every weight what the steps are of, itself or its master copy, and its mean and variance."""
        if not self._optimizer.multi_precision:
            return [(weight, *state) for weight, state in zip(self._weights, self._states, strict=True)]
        return [(master, *state) for master, state in self._states]

    def _update(self, present: list[int], gradients: list[Any]) -> None:
        self._optimizer.update_multi_precision(
            present, [self._weights[i] for i in present], gradients, [self._states[i] for i in present]
        )

    def save(self) -> bytes:
        """Weights, and what an ``Updater`` writes of states and optimizer."""
        updater = self._mxnet.optimizer.get_updater(self._optimizer)
        updater.states = dict(enumerate(self._states))
        return pickle.dumps((self._weights, updater.get_states(dump_optimizer=True), self.rate))

    def load(self, saved: bytes) -> None:
        """What `save` made; ``Updater.set_states`` puts the saved optimizer in the place of the new one."""
        weights, states, self.rate = pickle.loads(saved)
        for weight, value in zip(self._weights, weights, strict=True):
            value.copyto(weight)
        updater = self._mxnet.optimizer.get_updater(self._optimizer)
        updater.set_states(states)
        self._optimizer = updater.optimizer
        self._states = [updater.states[i] for i in range(len(self._weights))]

    def put(self, state: State) -> None:
        """Arrays are written; ``Optimizer`` counts in `_index_update_count`, and the largest count is num_update."""
        for i, (weight, held) in enumerate(zip(self._weights, self._held(), strict=True)):
            for stored, array in zip(held, (state.parameters[i], state.m[i], state.v[i]), strict=True):
                self._stored_as(stored, array).copyto(stored)
            if held[0] is not weight:
                self._stored_as(weight, state.parameters[i]).copyto(weight)
            self._optimizer._index_update_count[i] = state.t[i]
        self._optimizer.num_update = max(state.t)

    def _stored_as(self, stored: Any, array: Array) -> Any:
        """A copy of `array` in the storage of another."""
        if stored.stype == "default":
            return self._mxnet.nd.array(array, dtype=stored.dtype)
        return _row_sparse(self._mxnet, array, np.arange(len(array)), array.shape)

    def change(self, hyperparameters: Hyperparameters) -> None:
        """The learning rate, and the attributes that a step reads; ``Trainer.step`` sets rescale_grad so."""
        _multiply(self._optimizer, hyperparameters)
        if self.rate != rate_of(hyperparameters):
            change_rate(self._optimizer, self._mxnet, hyperparameters)
            self.rate = rate_of(hyperparameters)
        for name, value in _arguments(hyperparameters).items():
            setattr(self._optimizer, name, value)

    def _ndarray(self, gradient: Any, shape: tuple[int, ...]) -> Any:
        """A copy: ``Adam.step`` rescales and decays its gradient in place."""
        if isinstance(gradient, Rows):
            return _row_sparse(self._mxnet, gradient.values, gradient.indices, shape)
        return self._mxnet.nd.array(gradient, dtype=gradient.dtype)


class Adam:
    """What the code paths of MXNet's Adam share; `adapters.mxnet1` says in which parts version 1.9 differs."""

    contract_version: int = CONTRACT_VERSION
    major: str = "2"
    module: str = "adam"
    """Of ``mxnet.optimizer``, where the class and the operator that it calls are."""
    run: type[AdamRun] = AdamRun
    name: str
    claim: Claim
    arguments: Mapping[str, bool]
    weight_storage: str = "default"
    required: frozenset[str]
    excluded: frozenset[str]

    def __init__(self) -> None:
        # A row_sparse weight with a dense gradient logs 15 lines per step otherwise.
        os.environ.setdefault("MXNET_STORAGE_FALLBACK_LOG_VERBOSE", "0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated NumPy aliases; the caller may raise for warnings
            import mxnet

        if not mxnet.__version__.startswith(f"{self.major}."):
            raise ImportError(f"mxnet is {mxnet.__version__}, accepted: {self.major}.x")
        self._mxnet = mxnet

    def identity(self) -> Identity:
        """A dense step and a step with one of three rows under the profiler."""
        theta = np.ones((3, 2), np.float32)
        run = self.start([theta], Hyperparameters())
        states: list[State] = []

        def steps() -> None:
            states.append(run.step([theta]))
            states.append(run.step([Rows(np.array([0]), theta[:1])]))

        observed = _observed(self._mxnet, getattr(self._mxnet.optimizer, self.module), steps)
        kept = np.array_equal(states[0].m[0][1:], states[1].m[0][1:])
        return Identity(
            framework="mxnet",
            version=self._mxnet.__version__,
            required=self.required,
            excluded=self.excluded,
            observed=observed | {"untouched rows kept" if kept else "untouched rows decay"},
        )

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """Python corrects the learning rate; the operator's parameters (``AdamParam``) are float32.

        They reach it as decimal text, which ``dmlc::stof`` does not always round to the nearest float32:
        numbers of one digit it does, longer ones below 1e-4 or above 1 may be a unit or two off.
        """
        dtype = _of_master(dtype)
        return Arithmetic(
            storage=dtype,
            compute=dtype,
            moment_betas="float32",
            step_size="float32",
            epsilon="float32",
            decay="float32",
            rescale_grad="float32",
            clip_gradient="float32",
        )

    def start(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> AdamRun:
        """A new optimizer over new weights."""
        begin = hyperparameters.begin_num_update
        optimizer = self._mxnet.optimizer.Adam(
            **rates(self._mxnet, hyperparameters),
            **_arguments(hyperparameters),
            begin_num_update=begin,
            multi_precision=any(theta.dtype == np.float16 for theta in parameters),
            **self.arguments,
        )
        _multiply(optimizer, hyperparameters)
        run = self.run(self._mxnet, optimizer, [self._weight(theta) for theta in parameters])
        run.rate = rate_of(hyperparameters)
        return run

    def resume(self, parameters: Sequence[Array], hyperparameters: Hyperparameters, saved: bytes) -> AdamRun:
        """A new optimizer over new weights, and what `AdamRun.save` made."""
        run = self.start(parameters, hyperparameters)
        run.load(saved)
        return run

    def _weight(self, theta: Array) -> Any:
        if self.weight_storage == "default" or theta.ndim == 0 or theta.size == 0:
            return self._mxnet.nd.array(theta, dtype=theta.dtype)
        # Every row is stored, a zero one too: adam_update refuses a row_sparse weight that lacks rows.
        return _row_sparse(self._mxnet, theta, np.arange(len(theta)), theta.shape)


class Fused(Adam):
    """``use_fused_step=True``: ``AdamUpdateKernel``, and ``AdamStdDnsRspDnsKernel`` for rows."""

    name = "mxnet2-fused"
    claim = _claim("mxnet2-adam")
    arguments = MappingProxyType({"use_fused_step": True, "lazy_update": False})
    required = frozenset({"adam_update", "lazy_update=False", "weight default", "untouched rows decay"})
    excluded = frozenset({"square", "lazy_update=True", "weight row_sparse", "untouched rows kept"})


class Step(Adam):
    """``use_fused_step=False``: ``Adam.step``, one NDArray operator after the other."""

    name = "mxnet2-step"
    claim = _claim("mxnet2-adam")
    arguments = MappingProxyType({"use_fused_step": False, "lazy_update": False})
    required = frozenset({"_mul_scalar", "square", "sqrt", "broadcast_div", "untouched rows decay"})
    excluded = frozenset({"adam_update", "untouched rows kept"})

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """Operators take their scalars in double, except ``clip``, whose bounds are float32."""
        dtype = _of_master(dtype)
        return Arithmetic(storage=dtype, compute=dtype, clip_gradient="float32")


class Lazy(Adam):
    """``lazy_update=True`` on dense weights: ``AdamDnsRspDnsKernel`` for rows, else ``AdamUpdateKernel``."""

    name = "mxnet2-lazy"
    claim = _claim("mxnet2-adam-lazy")
    arguments = MappingProxyType({"use_fused_step": True, "lazy_update": True})
    required = frozenset({"adam_update", "lazy_update=True", "weight default", "untouched rows kept"})
    excluded = frozenset({"square", "lazy_update=False", "weight row_sparse", "untouched rows decay"})


class LazyRowSparse(Adam):
    """``lazy_update=True`` on row_sparse weights and states: ``AdamLazyUpdateRspImpl`` for rows.

    A dense gradient makes MXNet fall back to dense copies and ``AdamUpdateKernel``. Parameters of no
    dimension or no element, for which there is no row_sparse storage, are dense weights here too.
    """

    name = "mxnet2-lazy-row-sparse"
    # A dense gradient makes MXNet store the weight anew without its zero rows, after which adam_update
    # refuses it ("only implemented for RowSparse weights with all rows containing non-zeros").
    claim = replace(
        Lazy.claim,
        gradients=Lazy.claim.gradients - {"dense"},
        dtypes=("float32", "float64"),
        masters=frozenset(),
        not_claimed=(
            *Lazy.claim.not_claimed,
            "multi_precision of row_sparse weights",
            "dense gradients on row_sparse weights",
            "get_states of row_sparse states (MXNet 2 refuses to serialise them in its default NumPy semantics)",
        ),
        procedures={name: value for name, value in Lazy.claim.procedures.items() if name not in ("save", "rewind")},
    )
    arguments = Lazy.arguments
    weight_storage = "row_sparse"
    required = frozenset({"adam_update", "lazy_update=True", "weight row_sparse", "untouched rows kept"})
    excluded = frozenset({"square", "lazy_update=False", "weight default", "untouched rows decay"})


def _arguments(h: Hyperparameters) -> dict[str, Any]:
    """By MXNet's names, which are the attributes' too; the rate aside."""
    return {
        "beta1": h.beta_1,
        "beta2": h.beta_2,
        "epsilon": h.epsilon,
        "wd": h.l2,
        "rescale_grad": h.rescale_grad,
        "clip_gradient": h.clip_gradient,
    }


def _of_master(dtype: Precision) -> Precision:
    """What the steps are of: with multi_precision a float32 copy of a float16 weight."""
    return "float32" if dtype == "float16" else dtype


def _multiply(optimizer: Any, h: Hyperparameters) -> None:
    """By index; ``param_idx2name``, ``param_dict`` and ``sym`` give the same (tests/adapters/test_mxnet_indices.py)."""
    optimizer.set_lr_mult(dict(enumerate(h.lr_mult)))
    optimizer.set_wd_mult(dict(enumerate(h.wd_mult)))


def _row_sparse(mxnet: Any, values: Array, indices: Array, shape: tuple[int, ...]) -> Any:
    return mxnet.nd.sparse.row_sparse_array((values, indices), shape=shape, dtype=values.dtype)


def _observed(mxnet: Any, module: Any, steps: Callable[[], None]) -> frozenset[str]:
    """Operators that the engine executed, by ``mx.profiler``, and with what ``adam_update`` was called.

    The profiler names an operator but not its kernel, which the operands' storage types decide.
    """
    operands: set[str] = set()
    adam_update = module.adam_update

    def spy(weight: Any, grad: Any, *states: Any, **arguments: Any) -> Any:
        lazy_update = arguments["lazy_update"]
        operands.update({f"weight {weight.stype}", f"gradient {grad.stype}", f"lazy_update={lazy_update}"})
        return adam_update(weight, grad, *states, **arguments)

    # MXNet deletes what is at `filename`, be it a device, and writes it again: below, and at exit.
    with tempfile.TemporaryDirectory() as folder:
        profiler = mxnet.profiler
        profiler.set_config(
            profile_imperative=True,
            profile_api=False,
            aggregate_stats=True,
            filename=str(Path(folder, "trace.json")),
        )
        profiler.set_state("run")
        module.adam_update = spy
        try:
            steps()
            mxnet.nd.waitall()
        finally:
            module.adam_update = adam_update
            profiler.set_state("stop")  # a process that ends with a running profiler hangs
            table = json.loads(profiler.dumps(reset=True, format="json"))
    return frozenset(operands).union(table["Time"]["operator"])
