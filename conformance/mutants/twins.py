"""The twins: one correct implementation of every dialect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.contract import (
    LAYOUTS,
    Arithmetic,
    Array,
    Claim,
    Gradient,
    GradientKind,
    Hyperparameters,
    Precision,
    Rows,
)
from conformance.mutants.twin import Scalar, Slot, Twin, Work, write
from conformance.mutants.twin_beside import NEWER, Averaged, AveragedFromFirstStep, Constrained
from conformance.mutants.twin_claim import twin_claim
from conformance.mutants.twin_clipping import CLIPS, Clips, ClipsInOneWay, on_values
from conformance.mutants.twin_rates import RATES, RECTIFIED_RATES, Rates, WarmsUp, decayed
from conformance.mutants.twin_schedulers import Schedulers

_ADAM = frozenset({"learning_rate", "beta_1", "beta_2", "epsilon"})
BY_INDEX = frozenset({"lr_mult", "wd_mult", "begin_num_update", "lr_scheduler"})
_DENSE: frozenset[GradientKind] = frozenset({"dense", "none"})
_UNIQUE_ROWS: frozenset[GradientKind] = _DENSE | {"rows", "empty rows"}
_ANY_ROWS: frozenset[GradientKind] = _UNIQUE_ROWS | {"duplicate rows", "unsorted rows"}


class TensorFlowTwin(Twin):
    """What the TensorFlow dialects share: a step's scalars are formed in the variables' dtype."""

    required = Twin.required | {"sum_duplicates", "place_rows", "amsgrad_maximum"}
    listing: tuple[tuple[str, ...], ...] = (("m",), ("v",), ("v_max",))
    """What comes after what in the list of weights: of every parameter what stands together here, then the next."""

    def listed(self, slots: Sequence[Slot], h: Hyperparameters) -> tuple[Array, ...]:
        """The weights, the count first."""
        arrays = (getattr(slot, name) for names in self.listing for slot in slots for name in names)
        return np.array(slots[0].t), *(np.array(array) for array in arrays if array is not None)

    def scalar_type(self, dtype: np.dtype[Any]) -> Any:
        return dtype.type

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """Every hyper-parameter is rounded to `dtype` on its way in, and nothing is wider after that."""
        return Arithmetic(
            storage=dtype,
            compute=dtype,
            learning_rate=dtype,
            moment_betas=dtype,
            power_betas=dtype,
            powers=dtype,
            step_size=dtype,
            epsilon=dtype,
            decay=dtype,
            sma_threshold=dtype,
            schedule=dtype,
            rate_decay=dtype,
            clips=dtype,
        )


class KerasV2Twin(Constrained, Rates, Clips, TensorFlowTwin):
    """keras-v2-adam, its moments written as increments (keras/optimizers/legacy/adam.py, NonFusedAdam)."""

    name = "twin-keras-v2"
    claim = twin_claim(
        "keras-v2-adam",
        _ADAM | CLIPS | RATES | {"amsgrad", "decay", "constraint"},
        _ANY_ROWS,
        _ADAM - {"epsilon"},
        unless={"learning_rate": "schedule"},
        clips_together=True,
    )

    def loaded(self, h: Hyperparameters, saved: Hyperparameters) -> Hyperparameters:
        """A checkpoint holds what is a variable: not epsilon, decay, a schedule, nor what clips."""
        kept = {"epsilon", "decay", "schedule", *CLIPS}
        if h.schedule or saved.schedule:
            kept.add("learning_rate")
        return replace(saved, **{name: getattr(h, name) for name in kept})

    def rate(self, w: Work) -> Scalar:
        return decayed(self, w)

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        return _with_increments(TensorFlowTwin.arithmetic(self, dtype))

    def first_moment(self, w: Work) -> Any:
        """m + (1 - beta_1) (g - m)."""
        return w.m + w.element(w.scalar(1) - self.beta_1(w)) * (w.g - w.m)

    def second_moment(self, w: Work) -> Any:
        """v + (1 - beta_2) (g^2 - v)."""
        return w.v + w.element(w.scalar(1) - self.beta_2(w)) * (self.square(w) - w.v)

    def epsilon(self, w: Work) -> Scalar:
        """``epsilon or backend.epsilon()``."""
        return w.scalar(w.h.epsilon or 1e-7)


class TfKerasTwin(Averaged, Rates, ClipsInOneWay, TensorFlowTwin):
    """tf-keras-adam (tf_keras/optimizers/adam.py)."""

    name = "twin-tf-keras"
    listing = (("average",), ("m", "v"), ("v_max",))
    claim = twin_claim(
        "tf-keras-adam",
        _ADAM | CLIPS | NEWER | RATES | {"amsgrad", "weight_decay", "adaptive_epsilon"},
        _ANY_ROWS,
        clips_together=True,
    )

    def epsilon(self, w: Work) -> Scalar:
        """epsilon, times sqrt(1 - beta_2^t) where it is adaptive."""
        epsilon = w.scalar(w.h.epsilon)
        return epsilon * np.sqrt(self.bias_correction(w, self.beta_2(w))) if w.h.adaptive_epsilon else epsilon

    def move(self, w: Work, direction: Any) -> Any:
        """Decay comes first; the moments do not read theta, so it may wait until here."""
        decays = w.decays and w.h.weight_decay
        return w.theta - self.decay(w) - direction if decays else w.theta - direction


class Keras3Twin(AveragedFromFirstStep, TfKerasTwin):
    """keras3-adam (keras/src/optimizers/adam.py, version 3, on TensorFlow): duplicates are squared, then summed."""

    name = "twin-keras3"
    claim = twin_claim("keras3-adam", _ADAM | CLIPS | NEWER | RATES | {"amsgrad", "weight_decay"}, _ANY_ROWS)

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        return replace(TfKerasTwin.arithmetic(self, dtype), ema_momentum=dtype)

    def listed(self, slots: Sequence[Slot], h: Hyperparameters) -> tuple[Array, ...]:
        """The learning rate is a variable."""
        count, *others = TfKerasTwin.listed(self, slots, h)
        return count, np.array(h.learning_rate), *others

    def square(self, w: Work) -> Any:
        """The sum of the squares of a row's values; clipped by the global norm they are one."""
        if not isinstance(w.gradient, Rows) or w.h.global_clipnorm:
            return w.g * w.g
        total = np.zeros_like(w.g)
        for row, value in zip(w.gradient.indices.tolist(), w.gradient.values, strict=True):
            total[row] += value * value
        return total


class RectifiedTwin(Constrained, WarmsUp, Clips, TensorFlowTwin):
    """tfa-rectified-adam (tensorflow_addons/optimizers/rectified_adam.py)."""

    name = "twin-rectified"
    claim = twin_claim(
        "tfa-rectified-adam",
        _ADAM | CLIPS | RECTIFIED_RATES | {"amsgrad", "decay", "weight_decay", "sma_threshold", "constraint"},
        _ANY_ROWS,
        clips_together=True,
    )
    required = TensorFlowTwin.required | {"moving_rows"}

    def rate(self, w: Work) -> Scalar:
        return self.warmed_up(w, decayed(self, w))

    def epsilon(self, w: Work) -> Scalar:
        """``epsilon or backend.epsilon()``."""
        return w.scalar(w.h.epsilon or 1e-7)

    def lengths(self, w: Work) -> tuple[Scalar, Scalar]:
        """sma_t and sma_inf, as the framework writes them, cancellation and all."""
        beta, one, two = self.beta_2(w), w.scalar(1), w.scalar(2)
        longest = two / (one - beta) - one
        power = beta ** w.scalar(w.t)
        return longest - two * w.scalar(w.t) * power / (one - power), longest

    def rectifies(self, w: Work, length: Scalar) -> bool:
        return bool(length >= w.scalar(w.h.sma_threshold))

    def step_size(self, w: Work) -> Scalar:
        """learning_rate / (1 - beta_1^t), times r_t where it rectifies."""
        size = self.rate(w) / self.bias_correction(w, self.beta_1(w))
        length, longest = self.lengths(w)
        if not self.rectifies(w, length):
            return size
        two, four = w.scalar(2), w.scalar(4)
        factors = (length - four) / (longest - four) * (length - two) / (longest - two) * longest / length
        return size * np.sqrt(factors)

    def second(self, w: Work) -> Any:
        """v / (1 - beta_2^t), which makes epsilon the paper's."""
        return TensorFlowTwin.second(self, w) / w.element(self.bias_correction(w, self.beta_2(w)))

    def direction(self, w: Work) -> Any:
        """Not divided by anything where it does not rectify."""
        length, _ = self.lengths(w)
        step = w.element(self.step_size(w)) * self.numerator(w)
        return step / self.denominator(w) if self.rectifies(w, length) else step

    def moving_rows(self, w: Work) -> Any:
        """The moments of all rows decay, but only the rows that are named move."""
        return ... if w.rows is None else w.rows

    def move(self, w: Work, direction: Any) -> Any:
        rows = self.moving_rows(w)
        if w.h.weight_decay or w.h.weight_decay_schedule:
            direction = direction + self.decay(w)
        theta = np.array(w.theta)
        theta[rows] = (w.theta - direction)[rows]
        return theta


class TorchTwin(Twin):
    """torch-adam, the single-tensor loop (torch/optim/adam.py)."""

    name = "twin-torch"
    claim = replace(
        twin_claim("torch-adam", _ADAM | {"amsgrad", "l2", "weight_decay"}, _DENSE),
        dtypes=("float32", "float64", "float16"),
        layouts=frozenset(LAYOUTS),
    )
    required = Twin.required | {"add_l2", "amsgrad_maximum"}
    excluded = frozenset({"sum_duplicates", "place_rows"})

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """float16 is for storage alone: elements are formed in float32, as torch's kernels do."""
        compute: Precision = "float32" if dtype == "float16" else dtype
        return Arithmetic(storage=dtype, compute=compute, step_size=compute, first_moment="lerp")

    def element_type(self, dtype: np.dtype[Any]) -> Any:
        return np.float32 if dtype == np.float16 else dtype.type

    def open(self, slot: Slot, gradient: Array | Rows, h: Hyperparameters) -> Work:
        w = Twin.open(self, slot, gradient, h)
        if slot.theta.dtype == np.float16:
            w.g, w.theta, w.m, w.v = (x.astype(w.element) for x in (w.g, w.theta, w.m, w.v))
            w.v_max = None if w.v_max is None else w.v_max.astype(w.element)
        return w

    def stored(self, w: Work, value: Any) -> Any:
        return value.astype(w.storage) if w.storage == np.float16 else value

    def count(self, slots: Sequence[Slot], gradients: Sequence[Gradient]) -> None:
        _count_each(slots, gradients)

    def late(self, slot: Slot, present: Sequence[Slot]) -> None:
        """t = 0: it is the parameter's own."""

    def prepare_gradient(self, w: Work) -> Array:
        return self.add_l2(w)

    def add_l2(self, w: Work) -> Array:
        return np.asarray(w.g + w.element(w.h.l2) * w.theta) if w.h.l2 else np.asarray(w.g)

    def first_moment(self, w: Work) -> Any:
        """m + (1 - beta_1) (g - m)."""
        return w.m + w.element(w.scalar(1) - self.beta_1(w)) * (w.g - w.m)

    def step_size(self, w: Work) -> Scalar:
        """learning_rate / (1 - beta_1^t)."""
        return self.rate(w) / self.bias_correction(w, self.beta_1(w))

    def second(self, w: Work) -> Any:
        """v / (1 - beta_2^t), which makes epsilon the paper's."""
        return Twin.second(self, w) / w.element(self.bias_correction(w, self.beta_2(w)))

    def move(self, w: Work, direction: Any) -> Any:
        kept = w.element(w.scalar(1) - self.rate(w) * w.scalar(w.h.weight_decay))
        return kept * w.theta - direction


def _with_masters(dialect: str) -> Claim:
    """Of MXNet's dialects, with multi_precision for float16."""
    hyperparameters = _ADAM | {"l2", "rescale_grad", "clip_gradient", *BY_INDEX}
    claim = twin_claim(dialect, hyperparameters, _UNIQUE_ROWS)
    return replace(claim, dtypes=("float32", "float64", "float16"), masters=frozenset({"float16"}))


class Mxnet2Twin(Schedulers, Twin):
    """mxnet2-adam (mxnet/optimizer/adam.py, version 2): rescale, clip, then weight decay."""

    name = "twin-mxnet2"
    claim = _with_masters("mxnet2-adam")
    required = Twin.required | {"rescale", "clip", "add_l2", "place_rows"}
    excluded = frozenset({"take_rows"})

    def slots(self, parameters: Sequence[Array], h: Hyperparameters) -> list[Slot]:
        """t begins at begin_num_update; of a float16 parameter theta is a copy in float32 (multi_precision)."""
        masters = [theta.astype(np.float32) if theta.dtype == np.float16 else theta for theta in parameters]
        made = zip(parameters, Twin.slots(self, masters, h), strict=True)
        return [
            replace(slot, t=h.begin_num_update, weight=np.array(theta) if theta.dtype == np.float16 else None)
            for theta, slot in made
        ]

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """Of the master copy, where there is one."""
        return Twin.arithmetic(self, "float32" if dtype == "float16" else dtype)

    def prepared(self, gradient: Gradient) -> Gradient:
        """float16 is converted before anything is done with it."""
        return on_values(gradient, lambda values: values.astype(np.float32) if values.dtype == np.float16 else values)

    def open(self, slot: Slot, gradient: Array | Rows, h: Hyperparameters) -> Work:
        exact = self.prepared(gradient)
        assert exact is not None
        return replace(Twin.open(self, slot, exact, h), gradient=gradient)

    def late(self, slot: Slot, present: Sequence[Slot]) -> None:
        """t begins as that of all others did: it is the parameter's own."""

    def of_parameter(self, h: Hyperparameters, i: int) -> Hyperparameters:
        """Its own multiplier of the rate; the other product is formed by the caller, in double."""
        if not (h.lr_mult or h.wd_mult):
            return h
        lr_mult, wd_mult = (factors[i] if factors else 1.0 for factors in (h.lr_mult, h.wd_mult))
        return replace(h, lr_mult=(lr_mult,), l2=h.l2 * wd_mult)

    def rescale(self, w: Work, g: Any) -> Any:
        return w.element(w.h.rescale_grad) * g

    def clip(self, w: Work, g: Any) -> Any:
        """0 clips everything to 0."""
        if w.h.clip_gradient is None:
            return g
        bound = w.element(w.h.clip_gradient)
        return np.minimum(np.maximum(g, -bound), bound)

    def add_l2(self, w: Work, g: Any) -> Any:
        return g + w.element(w.h.l2) * w.theta

    def prepare_gradient(self, w: Work) -> Array:
        return np.asarray(self.add_l2(w, self.clip(w, self.rescale(w, w.g))))

    def take_rows(self, w: Work) -> None:
        """Lazy: nothing but the named rows takes part in the step."""
        w.theta, w.m, w.v = w.theta[w.rows], w.m[w.rows], w.v[w.rows]


class Mxnet2LazyTwin(Mxnet2Twin):
    """mxnet2-adam-lazy (``lazy_update=True``)."""

    name = "twin-mxnet2-lazy"
    claim = _with_masters("mxnet2-adam-lazy")
    required = Twin.required | {"rescale", "clip", "add_l2", "take_rows"}
    excluded = frozenset()

    def place_rows(self, w: Work) -> None:
        self.take_rows(w)

    def store(self, slot: Slot, w: Work) -> None:
        rows: NDArray[np.int64] | Any = ... if w.rows is None else w.rows
        write(slot.theta, w.theta, rows)
        write(slot.m, w.m, rows)
        write(slot.v, w.v, rows)


class Mxnet1Twin(Mxnet2Twin):
    """mxnet1-adam (mxnet/optimizer/optimizer.py, version 1.9): weight decay, then clip."""

    name = "twin-mxnet1"
    claim = _with_masters("mxnet1-adam")

    def prepare_gradient(self, w: Work) -> Array:
        return np.asarray(self.clip(w, self.add_l2(w, self.rescale(w, w.g))))


class Mxnet1LazyTwin(Mxnet2LazyTwin):
    """mxnet1-adam-lazy, what ``Adam`` of MXNet 1.9 is by default."""

    name = "twin-mxnet1-lazy"
    claim = _with_masters("mxnet1-adam-lazy")

    def prepare_gradient(self, w: Work) -> Array:
        return np.asarray(self.clip(w, self.add_l2(w, self.rescale(w, w.g))))


def _count_each(slots: Sequence[Slot], gradients: Sequence[Gradient]) -> None:
    """Every parameter has its own t, which a step without gradient does not advance."""
    for slot, gradient in zip(slots, gradients, strict=True):
        slot.t += gradient is not None


def _with_increments(a: Arithmetic) -> Arithmetic:
    return Arithmetic(**{**vars(a), "first_moment": "lerp", "second_moment": "lerp"})


TWINS: tuple[type[Twin], ...] = (
    KerasV2Twin,
    TfKerasTwin,
    Keras3Twin,
    Mxnet2Twin,
    Mxnet2LazyTwin,
    Mxnet1Twin,
    Mxnet1LazyTwin,
    RectifiedTwin,
    TorchTwin,
)
