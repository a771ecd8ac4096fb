"""The twins of optax: adam with adamw and amsgrad, radam, nadam with nadamw."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from adapters.contract import Arithmetic, Claim, GradientKind, Precision
from conformance.mutants.twin import Scalar, Twin, Work

_ADAM = frozenset({"learning_rate", "beta_1", "beta_2", "epsilon", "epsilon_root"})
_DENSE: frozenset[GradientKind] = frozenset({"dense", "none"})


class OptaxTwin(Twin):
    """optax-adam (optax/_src/transform.py: scale_by_adam, scale_by_amsgrad)."""

    name = "twin-optax"
    claim = Claim(dialect="optax-adam", hyperparameters=_ADAM | {"amsgrad", "weight_decay"}, gradients=_DENSE)
    required = Twin.required | {"amsgrad_maximum", "numerator", "corrected"}
    excluded = frozenset({"sum_duplicates", "place_rows"})

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """Numbers of Python until they meet an array; beta^t in the arrays' dtype."""
        return Arithmetic(storage=dtype, compute=dtype, power_betas=dtype, powers=dtype, step_size=dtype)

    def bias_at(self, w: Work, beta: Scalar, t: int) -> Any:
        """1 - beta^t in the arrays' dtype."""
        return w.element(1) - w.element(beta) ** w.element(t)

    def corrected(self, w: Work) -> Any:
        """v / (1 - beta_2^t)."""
        return w.v / self.bias_at(w, self.beta_2(w), w.t)

    def amsgrad_maximum(self, w: Work) -> Any:
        """Of the corrected moment."""
        return np.maximum(w.v_max, self.corrected(w))

    def second(self, w: Work) -> Any:
        """What stands under the root."""
        return (self.corrected(w) if w.v_max is None else w.v_max) + w.element(w.h.epsilon_root)

    def numerator(self, w: Work) -> Any:
        """m / (1 - beta_1^t)."""
        return w.m / self.bias_at(w, self.beta_1(w), w.t)

    def direction(self, w: Work) -> Any:
        """learning_rate (m_hat / D + weight_decay theta)."""
        update = self.numerator(w) / self.denominator(w)
        if w.h.weight_decay:
            update = update + w.element(w.h.weight_decay) * w.theta
        return w.element(self.rate(w)) * update


class OptaxRadamTwin(OptaxTwin):
    """optax-radam (optax/_src/transform.py: scale_by_radam)."""

    name = "twin-optax-radam"
    claim = Claim(dialect="optax-radam", hyperparameters=_ADAM | {"sma_threshold"}, gradients=_DENSE)
    required = Twin.required | {"numerator", "corrected", "threshold"}

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """rho_inf is formed in double, beta_2^t of a beta_2 that is rounded."""
        usual = OptaxTwin.arithmetic(self, dtype)
        return replace(usual, power_betas="float64", power_form="rounded", sma_threshold=dtype)

    def threshold(self, w: Work) -> float:
        return float(w.h.sma_threshold)

    def direction(self, w: Work) -> Any:
        """Both branches are formed, and one is selected."""
        one, longest = w.element(1), 2 / (1 - float(self.beta_2(w))) - 1
        power = w.element(self.beta_2(w)) ** w.element(w.t)
        length = w.element(longest) - w.element(2 * w.t) * power / (one - power)
        below = w.element((longest - 4) * (longest - 2)) * length
        r_t = np.sqrt((length - w.element(4)) * (length - w.element(2)) * w.element(longest) / below)
        plain = self.numerator(w)
        update = np.where(length >= w.element(self.threshold(w)), r_t * plain / self.denominator(w), plain)
        return w.element(self.rate(w)) * update


class OptaxNadamTwin(OptaxTwin):
    """optax-nadam (optax/_src/transform.py: scale_by_adam with nesterov)."""

    name = "twin-optax-nadam"
    claim = Claim(dialect="optax-nadam", hyperparameters=_ADAM | {"weight_decay"}, gradients=_DENSE)
    required = Twin.required | {"numerator", "corrected", "next_step"}

    def next_step(self, w: Work) -> int:
        """The step whose bias correction m gets."""
        return w.t + 1

    def numerator(self, w: Work) -> Any:
        """beta_1 m / (1 - beta_1^(t+1)) + (1 - beta_1) g / (1 - beta_1^t)."""
        beta = self.beta_1(w)
        m_hat, g_hat = w.m / self.bias_at(w, beta, self.next_step(w)), w.g / self.bias_at(w, beta, w.t)
        return w.element(beta) * m_hat + w.element(w.scalar(1) - beta) * g_hat


TWINS: tuple[type[Twin], ...] = (OptaxTwin, OptaxRadamTwin, OptaxNadamTwin)
