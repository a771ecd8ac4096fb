"""What was measured where no known explanation holds: quantities, steps, places, conditions, ratios."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from adapters.contract import Problem, Rows
from conformance.diagnosis.places import holding
from conformance.diagnosis.trail import FIELDS, Trail

_CONDITIONS: tuple[tuple[str, Callable[[Problem], bool]], ...] = (
    ("amsgrad is on", lambda p: p.hyperparameters.amsgrad),
    ("amsgrad is off", lambda p: not p.hyperparameters.amsgrad),
    ("l2 is not 0", lambda p: p.hyperparameters.l2 > 0),
    ("weight_decay is not 0", lambda p: p.hyperparameters.weight_decay > 0),
    ("clip_gradient is given", lambda p: p.hyperparameters.clip_gradient is not None),
    ("rescale_grad is not 1", lambda p: p.hyperparameters.rescale_grad != 1),
    ("adaptive_epsilon is on", lambda p: p.hyperparameters.adaptive_epsilon),
    ("epsilon is 0", lambda p: p.hyperparameters.epsilon == 0),
    ("learning_rate is 0", lambda p: p.hyperparameters.learning_rate == 0),
    ("learning_rate is above 1", lambda p: p.hyperparameters.learning_rate > 1),
    ("beta_1 is 0", lambda p: p.hyperparameters.beta_1 == 0),
    ("beta_2 is 0", lambda p: p.hyperparameters.beta_2 == 0),
    ("there is more than one step", lambda p: len(p.gradients) > 1),
    ("there is more than one parameter", lambda p: len(p.parameters) > 1),
    ("a gradient is row-sparse", lambda p: any(isinstance(g, Rows) for step in p.gradients for g in step)),
    ("a gradient is absent", lambda p: any(g is None for step in p.gradients for g in step)),
    ("parameters are float32", lambda p: p.dtype == "float32"),
    ("parameters are float64", lambda p: p.dtype == "float64"),
    ("a parameter has more than 8 elements", lambda p: any(theta.size > 8 for theta in p.parameters)),
    ("a parameter has more than 256 elements", lambda p: any(theta.size > 256 for theta in p.parameters)),
)


LEAST = 3
"""Failing problems that a condition is read from: what fewer have in common is chance."""


def facts(trails: Sequence[Trail]) -> list[str]:
    """The measured facts, one per line; empty where nothing is wrong."""
    wrong = [trail for trail in trails if trail.wrong]
    if not wrong:
        return []
    return [_quantities(wrong), *_conditions(trails), _steps(wrong), *_places(trails), *_ratios(wrong)]


def _quantities(wrong: Sequence[Trail]) -> str:
    off = {name for t in wrong for step in t.claimed for (_, name), mask in step.wrong.items() if mask.any()}
    seen = {name for t in wrong for step in t.claimed for _, name in step.wrong}
    right = [name for name in FIELDS if name in seen - off]
    text = f"from the state observed before each step, {_list([n for n in FIELDS if n in off])} came out wrong"
    return f"{text}; {_list(right)} right" if right else text


def _conditions(trails: Sequence[Trail]) -> Iterator[str]:
    wrong, right = [t.problem for t in trails if t.wrong], [t.problem for t in trails if not t.wrong]
    for words, holds in _CONDITIONS if len(wrong) >= LEAST else ():
        if all(map(holds, wrong)) and not all(map(holds, right)):
            exactly = not any(map(holds, right))
            yield f"{'exactly' if exactly else 'only'} where {words} ({len(wrong)} of {len(trails)} problems)"


def _steps(wrong: Sequence[Trail]) -> str:
    steps = [[k + 1 for k, step in enumerate(t.claimed) if step.any_wrong] for t in wrong]
    first = sorted(numbers[0] for numbers in steps)
    if all(len(numbers) == 1 for numbers in steps) and len(set(first)) == 1 and any(len(t.claimed) > 1 for t in wrong):
        return f"in step {first[0]} alone"
    share = float(np.mean([len(n) / len(t.claimed) for n, t in zip(steps, wrong, strict=True)]))
    begins = f"first in step {first[0]}" if first[0] == first[-1] else f"first in step {first[0]} to {first[-1]}"
    return f"{begins}, in {share:.0%} of the steps of a failing problem"


def _places(trails: Sequence[Trail]) -> Iterator[str]:
    for place in list(holding(trails))[:2]:
        yield f"nowhere but in {place.words}"


def _ratios(wrong: Sequence[Trail]) -> Iterator[str]:
    """Obtained over expected movement, by step, by the gradient's size, and by the parameter's."""
    by_step: dict[int, list[float]] = {}
    by_number: dict[int, list[float]] = {}
    by_size: dict[int, list[float]] = {}
    for trail in wrong:
        for k, step in enumerate(trail.claimed):
            for i, g in enumerate(trail.gradients[k]):
                if g is None or isinstance(g, tuple):
                    continue
                before, after = trail.states[k].theta[i], trail.states[k + 1].theta[i]
                with np.errstate(all="ignore"):
                    ratio = (after - before) / (step.value[i, "parameters"] - before)
                    size = np.floor(np.log10(np.abs(np.asarray(g, np.float64))))
                told = step.wrong[i, "parameters"] & np.isfinite(ratio) & np.isfinite(size)
                by_step.setdefault(k + 1, []).extend(ratio[told].tolist())
                by_number.setdefault(before.size, []).extend(ratio[told].tolist())
                for exponent, one in zip(size[told].tolist(), ratio[told].tolist(), strict=True):
                    by_size.setdefault(int(exponent), []).append(one)
    if not any(by_step.values()):
        return
    shown = [f"{ratio_text(by_step[t])} at t = {t}" for t in sorted(by_step) if by_step[t] and t in (1, 2, 3, 10, 25)]
    yield f"update obtained / expected, median: {', '.join(shown)}"
    sizes = sorted(e for e, values in by_size.items() if len(values) >= 5)
    if len(sizes) > 1:
        ends = (sizes[0], sizes[-1])
        text = ", ".join(f"{ratio_text(by_size[e])} where abs(g) is about 1e{e}" for e in ends)
        yield f"and by size: {text}"
    numbers = sorted(n for n, values in by_number.items() if len(values) >= 5)
    if len(numbers) > 1:
        text = ", ".join(f"{ratio_text(by_number[n])} of {n}" for n in (numbers[0], numbers[-1]))
        yield f"and by the parameter's number of elements: {text}"


def ratio_text(values: Sequence[float]) -> str:
    """The median; of one that would be rounded to 1, what is missing, or too much."""
    middle = float(np.median(values))
    return f"1 {'-' if middle < 1 else '+'} {abs(middle - 1):.2g}" if 0 < abs(middle - 1) < 5e-4 else f"{middle:.4g}"


def _list(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else list(names))
