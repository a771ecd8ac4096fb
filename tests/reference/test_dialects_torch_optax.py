"""Worked cases of torch's RAdam, NAdam, SparseAdam and of optax: their sources, word for word, on one number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from test_dialects import close, run

from reference import DIALECTS, Hyperparameters, dialect, initial_state, step
from reference.bias_correction import momentum, one_minus_momentum, one_minus_momentum_product, sma
from reference.namespace import FLOAT64

G = [1.0, -2.0, 0.5, 3.0, 1.5, -0.25, 2.0, 0.0]
VALUES: dict[str, Any] = {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 0.25}
LR, B1, B2, EPS = VALUES.values()


def last(name: str, g: list[float], **more: Any) -> float:
    state = run(name, [[2.0]], *[[[x]] for x in g], **(VALUES | more))
    return float(state.theta[0][0])


def close_after_every_step(name: str, wanted: list[float], **more: Any) -> None:
    for k, theta in enumerate(wanted, start=1):
        np.testing.assert_allclose(last(name, G[:k], **more), theta, rtol=1e-12)


# torch


def torch_radam(*, l2: float = 0.0, weight_decay: float = 0.0) -> list[float]:
    """torch/optim/radam.py: _single_tensor_radam."""
    theta, m, v, found = 2.0, 0.0, 0.0, []
    for t, gradient in enumerate(G, start=1):
        theta *= 1 - LR * weight_decay
        g = gradient + l2 * theta
        m, v = B1 * m + (1 - B1) * g, B2 * v + (1 - B2) * g * g
        rho_inf = 2 / (1 - B2) - 1
        rho_t = rho_inf - 2 * t * B2**t / (1 - B2**t)
        update = m / (1 - B1**t) * LR
        if rho_t > 5:
            update *= math.sqrt(1 - B2**t) / (math.sqrt(v) + EPS)
            update *= math.sqrt((rho_t - 4) * (rho_t - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho_t))
        theta -= update
        found.append(theta)
    return found


@pytest.mark.parametrize("decay", [{}, {"l2": 0.5}, {"weight_decay": 0.5}])
def test_torch_radam_word_for_word(decay: dict[str, float]) -> None:
    close_after_every_step("torch-radam", torch_radam(**decay), **decay)


def test_torch_radam_does_not_rectify_at_its_threshold() -> None:
    """rho_t > 5, where TF-Addons and optax say >=."""
    rho = sma(0.9, 8, FLOAT64)
    h = Hyperparameters(beta_2=0.9, sma_threshold=rho)
    taken = {}
    for name in ("torch-radam", "optax-radam"):
        seen: list[bool | None] = []

        def watch(*of: Any, seen: list[bool | None] = seen) -> None:
            seen.append(of[-1].rectified)

        d = dialect(name)
        d = type(d)(**{**vars(d), "hyperparameters": d.hyperparameters | {"sma_threshold"}})
        state = initial_state([np.ones(1)], h)
        state = type(state)(state.theta, state.m, state.v, None, (7,))
        step(d, h, state, [np.ones(1)], watch=watch)
        taken[name] = seen[-1]
    assert taken == {"torch-radam": False, "optax-radam": True}


def torch_nadam(psi: float, *, l2: float = 0.0, weight_decay: float = 0.0) -> list[float]:
    """torch/optim/nadam.py: _single_tensor_nadam."""
    theta, m, v, product, found = 2.0, 0.0, 0.0, 1.0, []
    for t, gradient in enumerate(G, start=1):
        theta *= 1 - LR * weight_decay
        g = gradient + l2 * theta
        mu = B1 * (1 - 0.5 * 0.96 ** (t * psi))
        mu_next = B1 * (1 - 0.5 * 0.96 ** ((t + 1) * psi))
        product *= mu
        m, v = B1 * m + (1 - B1) * g, B2 * v + (1 - B2) * g * g
        denominator = math.sqrt(v / (1 - B2**t)) + EPS
        theta += -LR * (1 - mu) / (1 - product) * g / denominator
        theta += -LR * mu_next / (1 - product * mu_next) * m / denominator
        found.append(theta)
    return found


@pytest.mark.parametrize("psi", [0.004, 0.0, 2.0])
@pytest.mark.parametrize("decay", [{}, {"l2": 0.5}, {"weight_decay": 0.5}])
def test_torch_nadam_word_for_word(psi: float, decay: dict[str, float]) -> None:
    close_after_every_step("torch-nadam", torch_nadam(psi, **decay), momentum_decay=psi, **decay)


def test_the_momentum_schedule() -> None:
    """From beta_1 / 2 without decay to beta_1; the product is that of all steps up to t."""
    assert momentum(0.8, 0.0, 7, FLOAT64) == 0.4
    assert momentum(0.8, 1e6, 7, FLOAT64) == 0.8
    close(momentum(0.8, 2.0, 3, FLOAT64), 0.8 * (1 - 0.5 * 0.96**6))
    close(one_minus_momentum(0.8, 2.0, 3, FLOAT64), 1 - 0.8 * (1 - 0.5 * 0.96**6))
    product = math.prod(0.8 * (1 - 0.5 * 0.96 ** (2 * k)) for k in range(1, 6))
    close([one_minus_momentum_product(0.8, 2.0, t, FLOAT64) for t in (5, 5)], [1 - product] * 2)


def test_torch_sparse_adam_moves_named_rows_alone_and_counts_an_empty_gradient() -> None:
    theta = np.array([[1.0], [2.0], [3.0]])
    rows, none = (np.array([2, 0, 2]), np.array([[1.0], [4.0], [2.0]])), (np.array([], dtype=int), np.ones((0, 1)))
    state = run("torch-sparse-adam", [theta], [none], [rows], **VALUES)
    assert state.t == (2,)
    step_size = LR * math.sqrt(1 - B2**2) / (1 - B1**2)

    def moved(g: float) -> float:
        return step_size * (1 - B1) * g / (math.sqrt((1 - B2) * g * g) + EPS)

    close(state.theta[0].ravel(), [1 - moved(4.0), 2.0, 3 - moved(3.0)])
    close(state.m[0].ravel(), [(1 - B1) * 4, 0.0, (1 - B1) * 3])


# optax


def optax_adam(root: float = 0.0, decay: float = 0.0, *, amsgrad: bool = False, nesterov: bool = False) -> list[float]:
    """optax/_src/transform.py: scale_by_adam or scale_by_amsgrad, add_decayed_weights, scale_by_learning_rate."""
    theta, m, v, largest, found = 2.0, 0.0, 0.0, 0.0, []
    for t, g in enumerate(G, start=1):
        m, v = (1 - B1) * g + B1 * m, (1 - B2) * g * g + B2 * v
        m_hat, v_hat = m / (1 - B1**t), v / (1 - B2**t)
        if nesterov:
            m_hat = B1 * (m / (1 - B1 ** (t + 1))) + (1 - B1) * (g / (1 - B1**t))
        largest = max(largest, v_hat)
        update = m_hat / (math.sqrt((largest if amsgrad else v_hat) + root) + EPS)
        theta += -LR * (update + decay * theta)
        found.append(theta)
    return found


@pytest.mark.parametrize(("root", "decay", "amsgrad"), [(0.0, 0.0, False), (0.5, 0.1, False), (0.5, 0.1, True)])
def test_optax_adam_word_for_word(root: float, decay: float, amsgrad: bool) -> None:
    wanted = optax_adam(root, decay, amsgrad=amsgrad)
    close_after_every_step("optax-adam", wanted, epsilon_root=root, weight_decay=decay, amsgrad=amsgrad)


@pytest.mark.parametrize(("root", "decay"), [(0.0, 0.0), (0.5, 0.1)])
def test_optax_nadam_word_for_word(root: float, decay: float) -> None:
    close_after_every_step("optax-nadam", optax_adam(root, decay, nesterov=True), epsilon_root=root, weight_decay=decay)


def test_the_maximum_is_that_of_the_corrected_moment() -> None:
    state = run("optax-adam", [[0.0]], [[2.0]], [[0.0]], **VALUES, amsgrad=True)
    assert state.v_max is not None
    close(state.v_max[0], 4.0)
    close(state.v[0], B2 * (1 - B2) * 4)


@pytest.mark.parametrize(("threshold", "root"), [(5.0, 0.0), (6.0, 0.5)])
def test_optax_radam_word_for_word(threshold: float, root: float) -> None:
    """optax/_src/transform.py: scale_by_radam."""
    theta, m, v, found = 2.0, 0.0, 0.0, []
    for t, g in enumerate(G, start=1):
        m, v = (1 - B1) * g + B1 * m, (1 - B2) * g * g + B2 * v
        ro_inf = 2 / (1 - B2) - 1
        ro = ro_inf - 2 * t * B2**t / (1 - B2**t)
        update = m / (1 - B1**t)
        if ro >= threshold:
            r = math.sqrt((ro - 4) * (ro - 2) * ro_inf / ((ro_inf - 4) * (ro_inf - 2) * ro))
            update = r * update / (math.sqrt(v / (1 - B2**t) + root) + EPS)
        theta -= LR * update
        found.append(theta)
    close_after_every_step("optax-radam", found, sma_threshold=threshold, epsilon_root=root)


def test_what_a_new_dialect_has_and_takes() -> None:
    assert DIALECTS["torch-sparse-adam"].takes_rows
    assert {name for name, d in DIALECTS.items() if d.rectifies} == {
        "tfa-rectified-adam",
        "tfa-lookahead-rectified-adam",
        "torch-radam",
        "optax-radam",
    }
