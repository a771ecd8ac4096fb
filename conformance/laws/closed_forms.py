"""Laws whose right side is a closed form, which no step of any implementation has computed."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np

import reference
from adapters.contract import Array, Claim, Gradient, Implementation, Problem, Rows
from conformance import oracle
from conformance.findings import Outcome
from conformance.laws.related import (
    Comparison,
    agree,
    bounds,
    each,
    not_held,
    on_values,
    related,
    states,
    with_gradients,
)
from conformance.laws.slow import Slow
from reference import stages
from reference.model import FORMATS, C

U = 2.0 ** -FORMATS["float64"][0]
"""Unit roundoff of what is computed here; `C` roundings are granted to every quantity of a few operations."""


def constant_gradient(implementation: Implementation, problem: Problem) -> Outcome:
    """A constant gradient g moves theta by learning_rate g / (|g| + e_t) in every step: learning_rate sign(g).

    m_t = (1 - beta_1^t) g and v_t = (1 - beta_2^t) g^2, so both bias corrections cancel. e_t is epsilon with
    paper epsilon and with an adaptive one, and epsilon / sqrt(1 - beta_2^t) with epsilon hat. AMSGrad changes
    nothing, v_t being monotonic. With Nesterov's momentum, a_t m_t + c_t g, it is a_t (1 - beta_1^t) + c_t times
    that. TF-Addons multiplies by r_t of Liu et al. from the threshold on, and moves by learning_rate g before. No
    decay, no clipping, no rescaling, no epsilon inside the root; the betas are numbers that everybody
    receives exactly. Lookahead takes back what `Slow` says. Compared within the free-running bound, plus the roundings
    made here: 4 C of e_t, of r_t, of the update and of what `Slow` makes of it, with as many besides as updates that it
    sums; with Nesterov's momentum 4 C of a_t, c_t and the factors of both, and of a product of t factors, as beta^t and
    NAdam's are, 2 t, enlarged by 1 / (1 - beta) at most in what is left of 1.
    """
    h = replace(problem.hyperparameters, beta_1=0.875, beta_2=1 - 2.0**-10)
    return _constant(implementation, replace(problem, hyperparameters=h))


def extreme_betas(implementation: Implementation, problem: Problem) -> Outcome:
    """Betas of 0, next to it and next to 1: agreement with the oracle, and with `constant_gradient`'s closed form.

    The closed form, of dialects without Nesterov's momentum, has no beta in it but the one of e_t. What comes near to
    it divides (1 - beta^t) g by 1 - beta^t, and all digits of that which beta's own rounding, or a power's, has taken
    are missing in the update.
    """
    of = reference.dialect(implementation.claim.dialect).stages
    found = agree(implementation, problem, states(implementation, problem))
    # Where the oracle disagrees already, the declared arithmetic may have no such beta.
    if not found.findings and is_known(implementation.claim) and not _has_momentum_of_nesterov(of):
        found.add(_constant(implementation, problem))
    return found


def _constant(implementation: Implementation, problem: Problem) -> Outcome:
    h = replace(
        problem.hyperparameters,
        epsilon=problem.hyperparameters.epsilon or 1e-3,
        l2=0.0,
        weight_decay=0.0,
        rescale_grad=1.0,
        clip_gradient=None,
        epsilon_root=0.0,
    )
    constant = tuple(
        np.full_like(theta, 0.5) if g is None else g
        for theta, g in zip(problem.parameters, problem.gradients[-1], strict=True)
    )
    problem = replace(problem, hyperparameters=h, gradients=(constant,) * len(problem.gradients))
    found = Comparison(problem)
    observed = related(implementation, problem)
    of = reference.dialect(implementation.claim.dialect).stages
    given = oracle.received(problem, implementation.arithmetic(problem.dtype))
    moves, roundings = Slow(given), Slow(given, back=1)
    for s in bounds(implementation, problem, observed) if observed else ():
        root = math.sqrt(1 - Fraction(given.power_beta_2) ** s.number)
        e = given.epsilon / root if stages.epsilon_hat in of and not h.adaptive_epsilon else given.epsilon
        r_t = _rectification(given, s.number) if stages.rectified in of else 1.0
        whole, lost = 1.0, 4.0 * C
        if _has_momentum_of_nesterov(of):
            of_m, of_g = _terms(of, given, s.number)
            whole = of_m * (1 - given.beta_1**s.number) + of_g
            lost += 4 * C + 2 * s.number / (1 - max(given.beta_1, given.beta_2))
        lost += given.sync_period or 0.0
        for i, g in enumerate(constant):
            g = np.asarray(g, dtype=np.float64)
            update = -given.learning_rate * (g if r_t is None else r_t * whole * g / (np.abs(g) + e))
            # The other branch is another closed form, here and in what Lookahead takes back later.
            rounded = roundings.update(i, s.number, np.inf if s.bound.branch else lost * U * np.abs(update))
            update = moves.update(i, s.number, update)
            for name, obtained, _, bound in s.free_running(i):
                if name == "update":
                    found.within(s.number, i, name, obtained, update, bound + rounded)
    return found.outcome


def zero_gradient(implementation: Implementation, problem: Problem) -> Outcome:
    """Gradients of 0 leave m = v = 0, and theta as it was, or (1 - learning_rate weight_decay)^t theta_0.

    Averages of zeros are 0, and 0 / (0 + epsilon) is 0 with epsilon above 0, so that no bit changes without
    decay. Decoupled decay takes the same share of theta in every step, and Lookahead gives back what `Slow` says; it is
    compared within the free-running bound, plus the roundings made here: C of the share and the last product, and 6 in
    every step, of its product, of what `Slow` makes of it and of the sum. L2 decay, which is a gradient, is off.
    """
    h = replace(problem.hyperparameters, l2=0.0, epsilon=problem.hyperparameters.epsilon or 1e-3)
    problem = replace(with_gradients(problem, on_values(np.zeros_like)), hyperparameters=h)
    found = Comparison(problem)
    observed = related(implementation, problem)
    given = oracle.received(problem, implementation.arithmetic(problem.dtype))
    steps = np.cumsum([[g is not None for g in step] for step in problem.gradients], axis=0)
    slow, kept = Slow(given), [1.0] * len(problem.parameters)
    for s in bounds(implementation, problem, observed) if observed else ():
        state = observed[s.number - 1]
        for i, theta in enumerate(problem.parameters):
            found.equal(s.number, i, "m", state.m[i], 0.0)
            found.equal(s.number, i, "v", state.v[i], 0.0)
            if not h.weight_decay:
                found.equal(s.number, i, "parameters", state.parameters[i], theta)
                continue
            t, rate = int(steps[s.number - 1, i]), given.learning_rate * given.weight_decay
            closed = (1 - rate) ** t * theta.astype(np.float64)
            rounded = (4 + 3 * t) * U * np.abs(closed)
            if given.sync_period is not None:  # no power; no share is above 1
                if problem.gradients[s.number - 1][i] is not None:
                    kept[i] += slow.update(i, s.number, -rate * kept[i])
                closed = kept[i] * theta.astype(np.float64)
                rounded = (C + 6 * t) * U * np.abs(theta.astype(np.float64))
            found.within(s.number, i, "parameters", state.parameters[i], closed, s.bound.theta[i] + rounded)
    return found.outcome


def bounded_update(implementation: Implementation, problem: Problem) -> Outcome:
    """Beside decay no update is larger than learning_rate K_t, whatever the gradients were.

    With gamma = beta_1^2 / beta_2, Cauchy and Schwarz give

        |m_t| = (1 - beta_1) |sum beta_1^j g_(t-j)|  <=  (1 - beta_1) sqrt(sum_(j<t) gamma^j) sqrt(v_t / (1 - beta_2))

    and K_t = (1 - beta_1) / sqrt(1 - beta_2) sqrt(sum_(j<t) gamma^j) sqrt(1 - beta_2^t) / (1 - beta_1^t).
    With Nesterov's momentum, a_t m_t + c_t g_t, the weight of g_t is larger by c_t in the same inequality.
    Where v averages the sum of the squares of a row's n values, (sum g)^2 <= n sum g^2 makes it sqrt(n) K_t.
    AMSGrad's maximum, epsilon, and steps without gradient only make the update smaller. Equality is
    reached, so that nothing smaller holds. (Kingma & Ba, section 2.1, state it for two cases.) The update may
    exceed it by its bound, and K_t by the roundings made here: 3 of every power of gamma and its sum, and 5 C of both
    terms, both corrections, the root and the product; a decay by C.

    Rectified dialects multiply by r_t <= 1, which grows with rho_t <= rho_inf. Where they do not divide, the update
    is learning_rate times a weighted mean of gradients, which exceeds none of them all. What Lookahead takes back is at
    most what `Slow` says.
    """
    found = Comparison(problem)
    observed = states(implementation, problem)
    h = oracle.received(problem, implementation.arithmetic(problem.dtype))
    of = reference.dialect(implementation.claim.dialect).stages
    decays, rectified = bool({stages.decay_theta, stages.decay_direction} & {*of}), stages.rectified in of
    gradients = [np.zeros(theta.shape) for theta in problem.parameters]
    counts = oracle.step_counts(implementation.claim.dialect, problem)
    slow = Slow(h, back=1)
    for s in bounds(implementation, problem, observed) if observed else ():
        for i, t in enumerate(counts[s.number - 1]):
            g = problem.gradients[s.number - 1][i]
            gradients[i] = np.maximum(gradients[i], np.abs(_dense(g, problem.parameters[i])))
            if g is None:
                continue
            largest: Array | float = _largest(of, h, t) * _named_apart(implementation, problem, i)
            if rectified and (s.bound.branch or _rectification(h, t) is None):
                largest = np.maximum(gradients[i], largest) if s.bound.branch else gradients[i]
            before = s.observed_before.theta[i]
            decay = h.learning_rate * h.weight_decay * np.abs(before) if decays and h.weight_decay else 0.0
            own = h.learning_rate * largest * (1 + (5 * C + 3 * t) * U) if np.all(np.isfinite(largest)) else np.inf
            limit = slow.update(i, t, own + decay * (1 + C * U))
            if np.all(np.isinf(limit)):
                continue
            # A weighted mean of what has been stored exceeds the gradients by what storing them has rounded, and slow
            # weights are off by what all steps before have rounded.
            free = rectified or h.sync_period is not None
            for name, obtained, _, bound in s.free_running(i) if free else s.from_observed(i):
                if name == "update":
                    found.within(s.number, i, name, np.asarray(_beyond(obtained, limit)), 0.0, bound)
    return found.outcome


def amsgrad_maximum(implementation: Implementation, problem: Problem) -> Outcome:
    """v_max is the larger of the last v_max and v: bit for bit it never falls, and it is within 2 E_v of that maximum.

    A maximum does not round. But v may be formed twice, once to be kept and once to be compared: XLA contracts the two
    otherwise behind the last full vector. Both are within E_v, the bound on v of one step, of one number. Of the
    corrected moment v / (1 - beta_2^t) it is at least the maximum less 2 E_v, as nothing is divided by more than 1.
    """
    problem = replace(problem, hyperparameters=replace(problem.hyperparameters, amsgrad=True))
    found = Comparison(problem)
    run = related(implementation, problem)
    refused = not_held(implementation, problem)
    if refused is not None:
        return refused
    before = each(problem.parameters, np.zeros_like)
    corrected = stages.corrected_maximum in reference.dialect(implementation.claim.dialect).stages
    for step, state in zip(bounds(implementation, problem, run, both=True), run, strict=True):
        after = state.v_max or before
        for i, (v_max, v) in enumerate(zip(after, state.v, strict=True)):
            e_v = next(bound for name, _, _, bound in step.from_observed(i) if name == "v")
            finite = np.isfinite(v) & np.isfinite(before[i])
            larger = np.maximum(before[i], v).astype(np.float64)
            found.equal(step.number, i, "v_max", np.maximum(v_max, before[i]), v_max, finite)
            expected = np.maximum(larger, v_max) if corrected else larger
            moved = finite & (e_v > 0)  # without a gradient v stays, and may be the greater of the two that were formed
            found.within(step.number, i, "v_max", v_max, expected, np.where(moved, 2 * e_v, np.inf))
        before = after
    return found.outcome


def knows_amsgrad(claim: Claim) -> bool:
    """Whether there is a maximum to be seen."""
    return "amsgrad" in claim.hyperparameters


def _rectification(h: reference.Hyperparameters, t: int) -> float | None:
    """r_t, of rho_t as Liu et al. print it but in exact fractions; None below the threshold."""
    beta = Fraction(h.power_beta_2)
    longest = 2 / (1 - beta) - 1
    length = longest - 2 * t * beta**t / (1 - beta**t)
    if length < h.sma_threshold:
        return None
    return math.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))


def _dense(g: Gradient, theta: Array) -> Array:
    """The gradient of every element, 0 where there is none."""
    dense = np.zeros(theta.shape)
    if isinstance(g, Rows):
        np.add.at(dense, g.indices, g.values.astype(np.float64))
    elif g is not None:
        dense[...] = g
    return dense


def is_known(claim: Claim) -> bool:
    """Whether every update has a closed form here: it is divided by a root of v, or rectified as in TF-Addons."""
    of = reference.dialect(claim.dialect)
    return not of.rectifies or stages.rectified in of.stages


def _has_momentum_of_nesterov(of: tuple[stages.Stage, ...]) -> bool:
    return bool({stages.nesterov, stages.nesterov_schedule} & {*of})


def _terms(of: tuple[stages.Stage, ...], h: reference.Hyperparameters, t: int) -> tuple[float, float]:
    """a_t and c_t of a_t m_t + c_t g_t, which is divided by the root of v_t / (1 - beta_2^t)."""
    if stages.nesterov in of:
        return h.beta_1 / (1 - h.power_beta_1 ** (t + 1)), (1 - h.beta_1) / (1 - h.power_beta_1**t)
    if stages.nesterov_schedule in of:
        mu = [h.beta_1 * (1 - 0.5 * 0.96 ** (k * h.momentum_decay)) for k in range(1, t + 2)]
        return mu[t] / (1 - math.prod(mu)), (1 - mu[t - 1]) / (1 - math.prod(mu[:t]))
    return 1 / (1 - h.power_beta_1**t), 0.0


def _largest(of: tuple[stages.Stage, ...], h: reference.Hyperparameters, t: int) -> float:
    """K_t; infinite where beta_2 is 0 and an earlier gradient counts."""
    of_m, of_g = _terms(of, h, t)
    if h.beta_2 == 0:
        return of_m * (1 - h.beta_1) + of_g if h.beta_1 == 0 else math.inf
    gamma = h.beta_1**2 / h.beta_2
    now = of_m * (1 - h.beta_1) + of_g
    total = now**2 + (of_m * (1 - h.beta_1)) ** 2 * sum(gamma**j for j in range(1, t))
    correction = -math.expm1(t * math.log(h.power_beta_2))
    return float(math.sqrt(total / (1 - h.beta_2) * correction))


def _named_apart(implementation: Implementation, problem: Problem, i: int) -> float:
    """sqrt(n) where v averages squares of single values and a row of parameter i is named n times; 1 elsewhere."""
    named = [g.indices for g in (gradients[i] for gradients in problem.gradients) if isinstance(g, Rows)]
    if stages.square_rows not in reference.dialect(implementation.claim.dialect).stages:
        return 1.0
    return math.sqrt(max((int(np.bincount(rows).max(initial=1)) for rows in named), default=1))


def _beyond(update: Array, limit: Array | float) -> Array:
    """By how much |update| exceeds the limit; NaN stays."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(np.abs(update) <= limit, 0.0, np.abs(update) - limit))
