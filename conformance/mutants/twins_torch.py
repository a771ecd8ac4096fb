"""The twins of torch's other optimizers: RAdam, NAdam, SparseAdam."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.contract import Arithmetic, Claim, Gradient, GradientKind, Precision, Procedure
from conformance.mutants.twin import Scalar, Slot, Twin, Work, write
from conformance.mutants.twins import TorchTwin

_ADAM = frozenset({"learning_rate", "beta_1", "beta_2", "epsilon"})
_NADAM = _ADAM | {"l2", "weight_decay", "momentum_decay"}
_DENSE: frozenset[GradientKind] = frozenset({"dense", "none"})
_ROWS_ALONE: frozenset[GradientKind] = frozenset({"none", "rows", "duplicate rows", "unsorted rows", "empty rows"})
_STEP = Twin.required | {"add_l2"}


class TorchRadamTwin(TorchTwin):
    """torch-radam, the single-tensor loop (torch/optim/radam.py)."""

    name = "twin-torch-radam"
    claim = Claim(dialect="torch-radam", hyperparameters=_ADAM | {"l2", "weight_decay"}, gradients=_DENSE)
    required = _STEP | {"rectifies"}

    def lengths(self, w: Work) -> tuple[Scalar, Scalar]:
        """rho_t and rho_inf."""
        beta = self.beta_2(w)
        longest = 2 / (1 - beta) - 1
        return longest - 2 * w.t * beta**w.t / (1 - beta**w.t), longest

    def rectifies(self, w: Work) -> bool:
        return bool(self.lengths(w)[0] > 5)

    def adaptive(self, w: Work) -> Any:
        """sqrt(1 - beta_2^t) / (sqrt(v) + epsilon)."""
        bias_2 = self.bias_correction(w, self.beta_2(w))
        return w.element(math.sqrt(bias_2)) / (np.sqrt(w.v) + w.element(self.epsilon(w)))

    def direction(self, w: Work) -> Any:
        """learning_rate m / (1 - beta_1^t), times the adaptive rate and r_t where it rectifies."""
        corrected = w.m / w.element(self.bias_correction(w, self.beta_1(w)))
        step = corrected * w.element(self.rate(w))
        if not self.rectifies(w):
            return step
        length, longest = self.lengths(w)
        r_t = math.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
        return step * self.adaptive(w) * w.element(r_t)


class TorchNadamTwin(TorchTwin):
    """torch-nadam, the single-tensor loop (torch/optim/nadam.py)."""

    name = "twin-torch-nadam"
    claim = Claim(
        dialect="torch-nadam",
        hyperparameters=_NADAM,
        gradients=_DENSE,
        procedures={"save": Procedure(how="pickle of the slots", hyperparameters=_NADAM)},
    )
    required = _STEP | {"momentum", "momentum_product"}

    def momentum(self, w: Work, t: int) -> float:
        """mu_t."""
        return float(self.beta_1(w) * (1 - 0.5 * 0.96 ** (t * w.h.momentum_decay)))

    def momentum_product(self, w: Work, t: int) -> float:
        """mu_1 mu_2 ... mu_t."""
        return math.prod(self.momentum(w, k) for k in range(1, t + 1))

    def shares(self, w: Work) -> tuple[float, float]:
        """Of m and of g."""
        of_m = self.momentum(w, w.t + 1) / (1 - self.momentum_product(w, w.t + 1))
        return of_m, (1 - self.momentum(w, w.t)) / (1 - self.momentum_product(w, w.t))

    def direction(self, w: Work) -> Any:
        """Both terms are divided by themselves."""
        of_m, of_g = (w.element(self.rate(w) * share) for share in self.shares(w))
        denominator = self.denominator(w)
        return of_g * w.g / denominator + of_m * w.m / denominator


class TorchSparseAdamTwin(Twin):
    """torch-sparse-adam (torch/optim/sparse_adam.py, _functional.py): named rows alone, epsilon hat."""

    name = "twin-torch-sparse-adam"
    claim = Claim(dialect="torch-sparse-adam", hyperparameters=_ADAM, gradients=_ROWS_ALONE)
    required = Twin.required | {"sum_duplicates", "place_rows"}

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        return Arithmetic(storage=dtype, compute=dtype, step_size=dtype, first_moment="lerp", second_moment="lerp")

    def count(self, slots: Sequence[Slot], gradients: Sequence[Gradient]) -> None:
        """Every parameter has its own t, which a gradient without rows advances too."""
        for slot, gradient in zip(slots, gradients, strict=True):
            slot.t += gradient is not None

    def place_rows(self, w: Work) -> None:
        """Nothing but the named rows takes part in the step."""
        w.theta, w.m, w.v = w.theta[w.rows], w.m[w.rows], w.v[w.rows]

    def first_moment(self, w: Work) -> Any:
        """m + (1 - beta_1) (g - m)."""
        return w.m + (w.g - w.m) * w.element(w.scalar(1) - self.beta_1(w))

    def second_moment(self, w: Work) -> Any:
        """v + (1 - beta_2) (g^2 - v)."""
        return w.v + (self.square(w) - w.v) * w.element(w.scalar(1) - self.beta_2(w))

    def store(self, slot: Slot, w: Work) -> None:
        rows: NDArray[np.int64] | Any = ... if w.rows is None else w.rows
        write(slot.theta, w.theta, rows)
        write(slot.m, w.m, rows)
        write(slot.v, w.v, rows)


TWINS: tuple[type[Twin], ...] = (TorchRadamTwin, TorchNadamTwin, TorchSparseAdamTwin)
