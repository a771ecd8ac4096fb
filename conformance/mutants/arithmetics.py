"""Correct implementations in other arithmetic than the twins': the suite must accept them (exit 0).

Each computes its dialect's formula and declares truthfully how: another association, fused multiply-add, beta^t in
float32 or as a running product, float64 inside, subnormals flushed to zero. A bound that was too tight for any of
them would be a false alarm; ``python -m conformance.mutants.alarms`` looks for one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.contract import Arithmetic, Array, Hyperparameters, Precision, Rows
from conformance.mutants.twin import Scalar, Slot, Work
from conformance.mutants.twins import KerasV2Twin, Mxnet2Twin, RectifiedTwin, TfKerasTwin, TorchTwin

# Another association


class Textbook(TorchTwin):
    """Algorithm 1 as printed: both moments are corrected element by element; both moments are sums."""

    name = "textbook"

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        return replace(TorchTwin.arithmetic(self, dtype), first_moment="sum")

    def first_moment(self, w: Work) -> Any:
        """beta_1 m + (1 - beta_1) g."""
        beta = self.beta_1(w)
        return w.element(beta) * w.m + w.element(w.scalar(1) - beta) * w.g

    def direction(self, w: Work) -> Any:
        """learning_rate (m / (1 - beta_1^t)) / D."""
        corrected = w.m / w.element(self.bias_correction(w, self.beta_1(w)))
        return w.element(self.rate(w)) * corrected / self.denominator(w)


class Folded(TorchTwin):
    """Paper epsilon with sqrt(1 - beta_2^t) on both sides of the quotient: no element meets a bias correction."""

    name = "folded"

    def step_size(self, w: Work) -> Scalar:
        """learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t)."""
        return TorchTwin.step_size(self, w) * np.sqrt(self.bias_correction(w, self.beta_2(w)))

    def epsilon(self, w: Work) -> Scalar:
        """epsilon sqrt(1 - beta_2^t)."""
        return w.scalar(w.h.epsilon) * np.sqrt(self.bias_correction(w, self.beta_2(w)))

    def second(self, w: Work) -> Any:
        """v itself."""
        return w.v if w.v_max is None else w.v_max


class SwitchingLerp(TorchTwin):
    """m counted from the nearer end, as torch.lerp does: g - beta_1 (g - m) where beta_1 is at most 1/2."""

    name = "switching-lerp"

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        return replace(TorchTwin.arithmetic(self, dtype), first_moment="sum")

    def first_moment(self, w: Work) -> Any:
        """beta_1 m + (1 - beta_1) g: as a sum where beta_1 is above 1/2."""
        beta = self.beta_1(w)
        if beta <= w.scalar(0.5):
            return w.g - w.element(beta) * (w.g - w.m)
        return w.element(beta) * w.m + w.element(w.scalar(1) - beta) * w.g


class Reciprocal(TfKerasTwin):
    """Multiplies by 1 / D, where the twin divides by D; (1 - beta_2) g comes before the other g."""

    name = "reciprocal"

    def second_moment(self, w: Work) -> Any:
        """beta_2 v + ((1 - beta_2) g) g."""
        beta = self.beta_2(w)
        return w.element(beta) * w.v + w.element(w.scalar(1) - beta) * w.g * w.g

    def direction(self, w: Work) -> Any:
        """step_size (m (1 / D))."""
        return w.element(self.step_size(w)) * (w.m * (w.element(1) / self.denominator(w)))


class SumsRowsBackwards(KerasV2Twin):
    """Rows that are named several times are summed from the last to the first."""

    name = "sums-rows-backwards"

    def sum_duplicates(self, rows: NDArray[np.int64], values: Array) -> tuple[NDArray[np.int64], Array]:
        """The same terms in the opposite order."""
        return KerasV2Twin.sum_duplicates(self, rows[::-1], values[::-1])


# Fused multiply-add


class KerasFused(KerasV2Twin):
    """Every product that a sum follows is fused with it, as XLA contracts Keras' non-fused Adam."""

    name = "keras-fma"

    def first_moment(self, w: Work) -> Any:
        """fma(1 - beta_1, g - m, m)."""
        return fma(w.element(w.scalar(1) - self.beta_1(w)), w.g - w.m, w.m)

    def second_moment(self, w: Work) -> Any:
        """fma(1 - beta_2, fma(g, g, -v), v); what the maximum takes is formed again, and not contracted."""
        if w.v_max is not None:
            w.v_max = np.maximum(w.v_max, KerasV2Twin.second_moment(self, w))
        return fma(w.element(w.scalar(1) - self.beta_2(w)), fma(w.g, w.g, -w.v), w.v)

    def amsgrad_maximum(self, w: Work) -> Any:
        """As `second_moment` has left it."""
        return w.v_max

    def direction(self, w: Work) -> Any:
        """m / D, which `move` multiplies."""
        return w.m / self.denominator(w)

    def move(self, w: Work, direction: Any) -> Any:
        """fma(-step_size, m / D, theta)."""
        return fma(-w.element(self.step_size(w)), direction, w.theta)


class TorchFused(TorchTwin):
    """Every product that a sum follows is fused with it, the decays as well."""

    name = "torch-fma"

    def add_l2(self, w: Work) -> Array:
        """fma(l2, theta, g)."""
        return fma(w.element(w.h.l2), w.theta, w.g) if w.h.l2 else np.asarray(w.g)

    def first_moment(self, w: Work) -> Any:
        """fma(1 - beta_1, g - m, m)."""
        return fma(w.element(w.scalar(1) - self.beta_1(w)), w.g - w.m, w.m)

    def second_moment(self, w: Work) -> Any:
        """fma((1 - beta_2) g, g, beta_2 v)."""
        beta = self.beta_2(w)
        return fma(w.element(w.scalar(1) - beta) * w.g, w.g, w.element(beta) * w.v)

    def direction(self, w: Work) -> Any:
        """m / D, which `move` multiplies."""
        return w.m / self.denominator(w)

    def move(self, w: Work, direction: Any) -> Any:
        """fma(-step_size, m / D, theta - learning_rate weight_decay theta), the decay fused too."""
        rate = w.element(self.rate(w) * w.scalar(w.h.weight_decay))
        return fma(-w.element(self.step_size(w)), direction, fma(-rate, w.theta, w.theta))


def fma(a: Any, b: Any, c: Any) -> Array:
    """a b + c, rounded once; elementwise, all of one dtype."""
    return np.asarray(_compiled_fma()(a, b, c))


@cache
def _compiled_fma() -> Callable[..., Any]:
    """Compiled where it is first needed; LLVM calls libm's fma where the processor has no instruction."""
    import numba
    from numba.extending import intrinsic

    def typed(_context: Any, a: Any, b: Any, c: Any) -> Any:
        def generate(_target: Any, builder: Any, _signature: Any, values: Any) -> Any:
            return builder.fma(*values)

        return a(a, b, c), generate

    fused = intrinsic(typed)

    def one(a: Any, b: Any, c: Any) -> Any:
        return fused(a, b, c)

    kinds = [f"{x}({x}, {x}, {x})" for x in ("float32", "float64")]
    compiled: Callable[..., Any] = numba.vectorize(kinds)(one)
    return compiled


# beta^t


class PowersInFloat32(TorchTwin):
    """beta and beta^t in float32, for parameters of float64 as well."""

    name = "powers-in-float32"

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        return replace(TorchTwin.arithmetic(self, dtype), power_betas="float32", powers="float32")

    def bias_correction(self, w: Work, beta: Scalar) -> Scalar:
        """1 - beta^t."""
        return w.scalar(np.float32(1) - np.float32(beta) ** np.float32(w.t))


class RunningProducts(TorchTwin):
    """beta^t is multiplied by beta in every step."""

    name = "running-products"

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        return replace(TorchTwin.arithmetic(self, dtype), power_form="product")

    def bias_correction(self, w: Work, beta: Scalar) -> Scalar:
        """1 - beta beta ... beta."""
        return w.scalar(1) - _product(beta, w.t)


class RunningProductsInStorage(TfKerasTwin):
    """beta^t is multiplied by beta in every step, in the parameters' dtype, as accumulators beside them are."""

    name = "running-products-in-storage"

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        return replace(TfKerasTwin.arithmetic(self, dtype), power_form="product")

    def bias_correction(self, w: Work, beta: Scalar) -> Scalar:
        """1 - beta beta ... beta."""
        return w.scalar(1) - _product(beta, w.t)


def _product(beta: Scalar, t: int) -> Scalar:
    """beta^t as t - 1 roundings in the type of beta make it."""
    return np.multiply.accumulate(np.full(t, beta, type(beta)))[-1]


# Other formats


class DoubleInside(TorchTwin):
    """Parameters and state in their dtype, every formula in float64."""

    name = "double-inside"

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        return replace(TorchTwin.arithmetic(self, dtype), compute="float64", step_size="float64")

    def open(self, slot: Slot, gradient: Array | Rows, h: Hyperparameters) -> Work:
        """The quantities, widened."""
        w = TorchTwin.open(self, slot, gradient, h)
        arrays = {name: getattr(w, name) for name in ("g", "theta", "m", "v", "v_max")}
        wide: dict[str, Any] = {
            name: None if array is None else array.astype(np.float64) for name, array in arrays.items()
        }
        return replace(w, element=np.float64, **wide)

    def store(self, slot: Slot, w: Work) -> None:
        """Rounded once, on the way back."""
        arrays = {name: getattr(w, name) for name in ("theta", "m", "v", "v_max")}
        stored: dict[str, Any] = {
            name: None if array is None else array.astype(slot.m.dtype) for name, array in arrays.items()
        }
        TorchTwin.store(self, slot, replace(w, **stored))


class RectifiedInDouble(RectifiedTwin):
    """Scalars in double, where the rectification cancels; its factors under two roots."""

    name = "rectified-in-double"

    def scalar_type(self, dtype: np.dtype[Any]) -> Any:
        return np.float64

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        return Arithmetic(storage=dtype, compute=dtype, step_size=dtype)

    def step_size(self, w: Work) -> Scalar:
        """learning_rate / (1 - beta_1^t), times r_t where it rectifies."""
        size = self.rate(w) / self.bias_correction(w, self.beta_1(w))
        length, longest = self.lengths(w)
        if not self.rectifies(w, length):
            return size
        # Where 2 or 4 lies between them r_t is no number, and no problem is; elsewhere both products have one sign.
        above = np.sqrt(abs((length - 4.0) * (length - 2.0)) * longest)
        return size * (above / np.sqrt(abs((longest - 4.0) * (longest - 2.0)) * length))


class FlushesSubnormals(Mxnet2Twin):
    """Subnormal operands and results of every elementary operation are zero, as a processor in that mode has them."""

    name = "flushes-subnormals"

    def open(self, slot: Slot, gradient: Array | Rows, h: Hyperparameters) -> Work:
        """The quantities as arrays that flush."""
        w = Mxnet2Twin.open(self, slot, gradient, h)
        return replace(w, **{name: getattr(w, name).view(_Flushing) for name in ("g", "theta", "m", "v")})

    def prepare_gradient(self, w: Work) -> Array:
        """Rescaled, clipped and decayed; still an array that flushes."""
        return Mxnet2Twin.prepare_gradient(self, w).view(_Flushing)


class _Flushing(np.ndarray[Any, Any]):
    """An array on which every ufunc takes subnormals as zero and gives zero for them."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        result = getattr(ufunc, method)(*(_flushed(x) for x in inputs), **options)
        return _flushed(result).view(_Flushing)


def _flushed(x: Any) -> Array:
    plain = np.asarray(x).view(np.ndarray)
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(plain) < np.finfo(plain.dtype).tiny, plain.dtype.type(0), plain)
