"""The oracle for one problem: translates the contract into the reference, and compares.

One run, two comparisons. *one step*: from the state that was observed before a step, the reference
makes that step, so that no error can hide in an accumulated bound. *free running*: the reference's own
trajectory goes on beside the implementation's, error and bound accumulating.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, TypeVar

import numpy as np

import reference
from adapters.contract import Arithmetic, Array, Gradient, Hyperparameters, Problem, Rows, Schedule, State
from conformance.formats import rounded as rounded_to

_CLIPS = ("clipvalue", "clipnorm", "global_clipnorm")
_WARM_UP = ("warmup_proportion", "min_lr")
BRANCHES = ("parameters", "update", "slow", "average")
"""What the rectified branch decides."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the reference expects of one quantity of one parameter after one step; float64, its shape."""

    comparison: str
    """"one step" or "free running"."""
    step: int
    parameter: int
    quantity: str
    obtained: Array
    value: Array
    bound: Array
    """Infinite where the result is ambiguous."""
    branch: bool
    """The rectified branch was ambiguous; `value` is the branch that was taken."""


def received(problem: Problem, a: Arithmetic) -> reference.Hyperparameters:
    """The hyper-parameters as an implementation with arithmetic `a` receives them."""
    h = problem.hyperparameters

    def rounded(value: float, precision: str) -> float:
        return value if precision == "float64" else float(rounded_to(value, precision))

    def multiplied(value: float, factors: tuple[float, ...], precision: str) -> tuple[float, tuple[float, ...]]:
        """A hyper-parameter and its multipliers, whose product is formed in double before it is rounded."""
        products = tuple(rounded(value * factor, precision) for factor in factors)
        value = rounded(value, precision)
        return (value, factors) if products == tuple(value * factor for factor in factors) else (1.0, products)

    learning_rate, lr_mult = rounded(h.learning_rate, a.learning_rate), h.lr_mult
    if h.lr_scheduler is None:  # whose rate it is that is multiplied, and no caller's
        learning_rate, lr_mult = multiplied(h.learning_rate, h.lr_mult, a.learning_rate)
    l2, wd_mult = multiplied(h.l2, h.wd_mult, a.decay)
    return reference.Hyperparameters(
        learning_rate=learning_rate,
        beta_1=rounded(h.beta_1, a.moment_betas),
        beta_2=rounded(h.beta_2, a.moment_betas),
        power_beta_1=rounded(h.beta_1, a.power_betas),
        power_beta_2=rounded(h.beta_2, a.power_betas),
        epsilon=rounded(h.epsilon, a.epsilon),
        adaptive_epsilon=h.adaptive_epsilon,
        amsgrad=h.amsgrad,
        l2=l2,
        weight_decay=rounded(h.weight_decay, a.decay),
        rescale_grad=rounded(h.rescale_grad, a.rescale_grad),
        clip_gradient=None if h.clip_gradient is None else rounded(h.clip_gradient, a.clip_gradient),
        sma_threshold=rounded(h.sma_threshold, a.sma_threshold),
        epsilon_root=rounded(h.epsilon_root, a.epsilon),
        momentum_decay=h.momentum_decay,
        sync_period=h.sync_period,
        slow_step_size=rounded(h.slow_step_size, a.slow_step_size),
        decay=rounded(h.decay, a.rate_decay),
        ema_momentum=None if h.ema_momentum is None else rounded(h.ema_momentum, a.ema_momentum),
        ema_overwrite_frequency=h.ema_overwrite_frequency,
        exclude_from_weight_decay=h.exclude_from_weight_decay,
        constraint=h.constraint,
        lr_mult=lr_mult,
        wd_mult=wd_mult,
        begin_num_update=h.begin_num_update,
        schedule=_schedule(h.schedule, a),
        weight_decay_schedule=_schedule(h.weight_decay_schedule, a),
        lr_scheduler=_schedule(h.lr_scheduler, a),
        total_steps=h.total_steps,
        **{name: rounded(getattr(h, name), a.learning_rate) for name in _WARM_UP if h.total_steps},
        **{name: None if (c := getattr(h, name)) is None else rounded(c, a.clips) for name in _CLIPS},
    )


def _schedule(schedule: Schedule | None, a: Arithmetic) -> reference.Schedule | None:
    """Its numbers as they are received; whole ones stay whole."""

    def given(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(given, value))
        return float(rounded_to(value, a.schedule)) if isinstance(value, float) and a.schedule != "float64" else value

    if schedule is None:
        return None
    return reference.Schedule(schedule.name, tuple((key, given(value)) for key, value in schedule.numbers))


def rounding(a: Arithmetic) -> reference.Rounding:
    """The reference's rounding model for arithmetic `a`."""
    return reference.Rounding(
        compute=a.compute,
        storage=a.storage,
        powers=a.powers,
        step_size=a.step_size,
        power_form=a.power_form,
        schedule=a.schedule,
        momentum_product=a.momentum_product,
        first_moment=a.first_moment,
        second_moment=a.second_moment,
    )


def compare(dialect: str, a: Arithmetic, problem: Problem, states: Sequence[State]) -> Iterator[Expected]:
    """What is expected beside what was obtained: for every step both comparisons, every parameter and quantity.

    The steps from the observed state use the dialect's step counts, not the reported ones, so that a
    wrong count shows in the values too.
    """
    for s in walk(dialect, a, problem, states, both=True):
        for i in range(len(problem.parameters)):
            for comparison, quantities in (("one step", s.from_observed(i)), ("free running", s.free_running(i))):
                for quantity, obtained, value, limit in quantities:
                    yield Expected(
                        comparison=comparison,
                        step=s.number,
                        parameter=i,
                        quantity=quantity,
                        obtained=obtained,
                        value=value,
                        bound=limit,
                        branch=s.bound.branch and quantity in BRANCHES,
                    )


Quantities = Iterator[tuple[str, Array, Array, Array]]
"""Name, obtained, reference's, bound."""


OneStep = tuple[reference.State, reference.Bound, tuple[bool | None, ...] | None]
"""A step from an observed state, its bound, and the branch of each parameter where one is ambiguous."""
FromObserved = Callable[[], OneStep]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of the reference beside the implementation's; the first is number 1."""

    number: int
    observed_before: reference.State
    observed: reference.State
    expected_before: reference.State
    expected: reference.State
    """The reference's own trajectory."""
    bound: reference.Bound
    one: FromObserved
    """The reference's step from `observed_before`, made when it is asked for: not everybody compares it."""

    def from_observed(self, i: int) -> Quantities:
        """The quantities of parameter i after the step from the observed state."""
        one, bound, _ = self.one()
        return _quantities(one, bound, self.observed_before, self.observed_before, self.observed, i)

    def free_running(self, i: int) -> Quantities:
        """The quantities of parameter i on the reference's own trajectory."""
        return _quantities(self.expected, self.bound, self.expected_before, self.observed_before, self.observed, i)


def walk(
    dialect: str,
    a: Arithmetic,
    problem: Problem,
    states: Sequence[State],
    changed: Sequence[Hyperparameters] | None = None,
    *,
    start: State | None = None,
    both: bool = False,
) -> Iterator[Step]:
    """The reference beside observed states, step by step.

    changed: the hyper-parameters of every step, where they are not the problem's throughout.
    start: the state before the first step, where training does not begin with it.
    both: the steps from the observed states will be asked for, and are made together with those of the free run.
    """
    bare = replace(problem, gradients=())  # which are checked whenever a problem is made
    judges = {
        h: _Judge(reference.dialect(dialect), received(replace(bare, hyperparameters=h), a), rounding(a))
        for h in (problem.hyperparameters, *(changed or ()))
    }
    judge = judges[problem.hyperparameters]
    observed = expected = (
        reference.initial_state(problem.parameters, judge.h) if start is None else to_reference(start, start.t)
    )
    bound = reference.initial_bound(expected)
    counts = step_counts(dialect, problem, start)
    for k, (gradients, state) in enumerate(zip(problem.gradients, states, strict=True)):
        given = [as_gradient(g) for g in gradients]
        judge = judges[changed[k]] if changed else judge
        observed_before, observed = observed, to_reference(state, counts[k])
        expected_before = expected
        one: FromObserved
        if both:
            made, expected, bound = judge.both(expected, bound, observed_before, given, observed)
            one = _made(made)
        else:
            one = cache(partial(judge.from_observed, observed_before, given, observed))
            expected, bound = judge.step(expected, bound, given, one)
        yield Step(
            number=k + 1,
            observed_before=observed_before,
            observed=observed,
            expected_before=expected_before,
            expected=expected,
            bound=bound,
            one=one,
        )


def _made(one: OneStep) -> FromObserved:
    return lambda: one


def single(dialect: str, a: Arithmetic, problem: Problem, states: Sequence[State], number: int) -> Step:
    """Step `number` from the observed state before it, by itself; its free run is the same step."""
    judge = _Judge(reference.dialect(dialect), received(problem, a), rounding(a))
    counts = step_counts(dialect, problem)
    before = reference.initial_state(problem.parameters, judge.h)
    if number > 1:
        before = to_reference(states[number - 2], counts[number - 2])
    observed = to_reference(states[number - 1], counts[number - 1])
    given = [as_gradient(g) for g in problem.gradients[number - 1]]
    one = judge.from_observed(before, given, observed)
    return Step(
        number=number,
        observed_before=before,
        observed=observed,
        expected_before=before,
        expected=one[0],
        bound=one[1],
        one=lambda: one,
    )


def step_counts(dialect: str, problem: Problem, start: State | None = None) -> list[tuple[int, ...]]:
    """t of every parameter after every step; start: as in `walk`."""
    per_optimizer = one_count(dialect)
    begin = problem.hyperparameters.begin_num_update
    before = start.t if start else (begin,) * len(problem.parameters)
    present = [[per_optimizer or g is not None for g in gradients] for gradients in problem.gradients]
    return [tuple(counts) for counts in np.cumsum([before, *present], axis=0)[1:].tolist()]


def one_count(dialect: str) -> bool:
    """Whether the optimizer has one t, which a parameter without gradient counts too; else t is the parameter's own."""
    return reference.dialect(dialect).step_count == "optimizer"


@dataclass(frozen=True)
class _Judge:
    dialect: reference.Dialect
    h: reference.Hyperparameters
    rounding: reference.Rounding

    def step(
        self,
        state: reference.State,
        bound: reference.Bound,
        gradients: list[Any],
        one: FromObserved,
    ) -> tuple[reference.State, reference.Bound]:
        """One bounded step; where the branch of a parameter is ambiguous, it is the one that `one` has taken."""
        new, new_bound = self._bounded(state, bound, gradients, None)
        return self._bounded(state, bound, gradients, one()[2]) if new_bound.branch else (new, new_bound)

    def from_observed(self, before: reference.State, gradients: list[Any], observed: reference.State) -> OneStep:
        """One bounded step from the observed state, and the branches taken where they are ambiguous.

        Of each parameter it is the one that `observed` is nearer to: from here it shows at once.
        """
        exact = reference.initial_bound(before)
        new, new_bound = self._bounded(before, exact, gradients, None)
        if not new_bound.branch:
            return new, new_bound, None
        one, other = (self._bounded(before, exact, gradients, branch) for branch in (True, False))
        chosen = tuple(
            _distance(*one, observed, i) <= _distance(*other, observed, i) if ambiguous else None
            for i, ambiguous in enumerate(new_bound.branches)
        )
        return (*self._bounded(before, exact, gradients, chosen), chosen)

    def both(
        self,
        state: reference.State,
        bound: reference.Bound,
        before: reference.State,
        gradients: list[Any],
        observed: reference.State,
    ) -> tuple[OneStep, reference.State, reference.Bound]:
        """`from_observed` and `step` as one step of two trajectories, which lie along a last axis of every array.

        The stages and their rules know elements, and rows along the first axis; what else there is they repeat. A norm
        is of all elements, so that where one clips the steps are made one by one.
        """
        if not (self.h.clipnorm is None and self.h.global_clipnorm is None):
            one = self.from_observed(before, gradients, observed)
            return one, *self.step(state, bound, gradients, lambda: one)
        together = _stacked(before, state), _stacked(reference.initial_bound(before), bound)
        new, limit = self._bounded(*together, [_twice(g) for g in gradients], None)
        if limit.branch:
            one = self.from_observed(before, gradients, observed)
            return one, *self.step(state, bound, gradients, lambda: one)
        return (_of(new, 0), _of(limit, 0), None), _of(new, 1), _of(limit, 1)

    def _bounded(
        self,
        state: reference.State,
        bound: reference.Bound,
        gradients: list[Any],
        rectify: bool | tuple[bool | None, ...] | None,
    ) -> tuple[reference.State, reference.Bound]:
        return reference.bounded_step(self.dialect, self.h, self.rounding, state, bound, gradients, rectify=rectify)


Trajectory = TypeVar("Trajectory", reference.State, reference.Bound)


def _stacked(one: Trajectory, other: Trajectory) -> Trajectory:
    """Both, along a last axis."""
    return _with_arrays(one, lambda name: map(_pair, getattr(one, name), getattr(other, name)))


def _of(both: Trajectory, k: int) -> Trajectory:
    """The first or the second of what is stacked."""
    return _with_arrays(both, lambda name: (array[..., k] for array in getattr(both, name)))


def _with_arrays(x: Trajectory, made: Callable[[str], Iterable[Array]]) -> Trajectory:
    """made: the arrays of a field."""
    names = [name for name, of in vars(x).items() if isinstance(of, tuple) and of and isinstance(of[0], np.ndarray)]
    arrays: dict[str, Any] = {name: tuple(made(name)) for name in names}
    return replace(x, **arrays)


def _twice(g: Any) -> Any:
    """A gradient for both."""
    if isinstance(g, tuple):
        return g[0], _pair(g[1], g[1])
    return None if g is None else _pair(g, g)


def _pair(x: Array, y: Array) -> Array:
    pair = np.empty((*x.shape, 2), x.dtype)
    pair[..., 0], pair[..., 1] = x, y
    return pair


def _quantities(
    new: reference.State,
    bound: reference.Bound,
    before: reference.State,
    observed_before: reference.State,
    observed: reference.State,
    i: int,
) -> Quantities:
    yield "parameters", observed.theta[i], new.theta[i], bound.theta[i]
    with np.errstate(invalid="ignore", over="ignore"):
        moved = observed.theta[i] - observed_before.theta[i]
        yield "update", np.asarray(moved), np.asarray(new.theta[i] - before.theta[i]), bound.update[i]
    yield "m", observed.m[i], new.m[i], bound.m[i]
    yield "v", observed.v[i], new.v[i], bound.v[i]
    if new.v_max is not None and bound.v_max is not None and observed.v_max is not None:
        yield "v_max", observed.v_max[i], new.v_max[i], bound.v_max[i]
    if new.slow is not None and bound.slow is not None and observed.slow is not None:
        yield "slow", observed.slow[i], new.slow[i], bound.slow[i]
    if new.average is not None and bound.average is not None and observed.average is not None:
        yield "average", observed.average[i], new.average[i], bound.average[i]


def _distance(state: reference.State, bound: reference.Bound, observed: reference.State, i: int) -> float:
    """How far parameter i was seen from `state`, as a fraction of the bound."""
    with np.errstate(invalid="ignore", divide="ignore"):
        fraction = np.abs(observed.theta[i] - state.theta[i]) / bound.theta[i]
    return float(np.max(np.nan_to_num(fraction, nan=0.0), initial=0.0))


def to_reference(state: State, counts: tuple[int, ...]) -> reference.State:
    """An observed state in float64, with the step counts `counts`."""

    def exact(arrays: Sequence[Array]) -> tuple[Array, ...]:
        return tuple(np.asarray(array, dtype=np.float64) for array in arrays)

    v_max, slow, average = (None if g is None else exact(g) for g in (state.v_max, state.slow, state.average))
    return reference.State(exact(state.parameters), exact(state.m), exact(state.v), v_max, counts, slow, average)


def as_gradient(g: Gradient) -> Any:
    """A gradient as the reference takes it."""
    return (g.indices, g.values) if isinstance(g, Rows) else g
