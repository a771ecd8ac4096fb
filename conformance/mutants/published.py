"""What the frameworks' own checks let pass: ``python -m conformance.mutants.published``.

Each published check is written anew here from its numbers, and asked about the mutants of the dialects that it is for.
What it lets pass must be rejected by the suite; the table says by which check. docs/published-checks.md is what
``--markdown`` prints.
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adapters.contract import Array, Gradient, Hyperparameters, Identity, Implementation, Rows
from conformance import checks
from conformance.findings import Outcome
from conformance.mutants import MUTANTS, TWINS
from conformance.mutants.twin import Twin, TwinRun
from conformance.observe import ImplementationFailed, answered
from conformance.subjects import SETS, subjects

PROBLEMS, SEED = 40, 0
"""Of the suite's run: its smallest profile."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A check that somebody published."""

    name: str
    source: str
    """Repository and file."""
    does: str
    dialects: tuple[str, ...]
    """Whose mutants it is asked about; it must accept their twins."""
    accepts: Callable[[Twin], bool]


@dataclass(frozen=True, kw_only=True)
class Row:
    """What came of one published check."""

    check: Published
    rejects: tuple[type[Twin], ...]
    lets_pass: dict[type[Twin], str | None] = field(default_factory=dict)
    """With the check of the suite that rejects it, None if none does."""


# The published checks. Numbers are facts of their sources; everything is float32, as there.


def _array(*values: float) -> Array:
    return np.array(values, dtype=np.float32)


def _near(obtained: Array, expected: Any, *, rtol: float, atol: float) -> bool:
    return bool(np.all(np.abs(obtained - expected) <= atol + rtol * np.abs(expected)))


def _keras(implementation: Twin) -> bool:
    """AMSGrad's default settings; parameters of 1; one small gradient, then five of ten sizes."""
    run = implementation.start([_array(*[1.0] * 10)], Hyperparameters(amsgrad=True))
    gradients = [np.full(10, 0.01, np.float32), *[np.linspace(0.1, 1.0, 10, dtype=np.float32)] * 4]
    golden = (0.999, 0.9982, 0.9974, 0.9965, 0.9955)
    return all(
        _near(run.step([g]).parameters[0], value, rtol=5e-4, atol=5e-4)
        for g, value in zip(gradients, golden, strict=True)
    )


_DENSE: list[Gradient] = [_array(0.1, 0.2), _array(0.03, 0.04)]
_ROWS: list[Gradient] = [Rows(np.array([0]), _array(0.1)), Rows(np.array([1]), _array(0.04))]
_Golden = tuple[dict[str, Any], list[Gradient], int, tuple[tuple[float, float], tuple[float, float]]]


def _addons(implementation: Twin) -> bool:
    """Constant gradients, 100 steps of dense and 200 of sparse ones; with AMSGrad, with decay; parameters alone."""
    decayed: dict[str, Any] = {"weight_decay": 0.01}
    return _ends(
        implementation,
        ({}, _DENSE, 100, ((0.985769, 1.985269), (2.986119, 3.986068))),
        ({"amsgrad": True}, _DENSE, 100, ((0.985769, 1.985269), (2.986119, 3.986068))),
        (decayed, _DENSE, 100, ((0.984775, 1.983276), (2.983125, 3.982076))),
        ({}, _ROWS, 200, ((0.959333, 2.0), (3.0, 3.959632))),
        ({"amsgrad": True}, _ROWS, 200, ((0.959333, 2.0), (3.0, 3.959632))),
        (decayed, _ROWS, 200, ((0.957368, 2.0), (3.0, 3.951673))),
    )


def _addons_lookahead(implementation: Twin) -> bool:
    """The same constant gradients, 100 steps of dense and 150 of sparse ones; parameters alone."""
    h: dict[str, Any] = {"beta_1": 0.95, "sync_period": 6, "slow_step_size": 0.45}
    return _ends(
        implementation,
        (h, _DENSE, 100, ((0.993126, 1.992901), (2.993283, 3.993261))),
        (h, _ROWS, 150, ((0.988156, 2.0), (3.0, 3.988291))),
    )


def _ends(implementation: Twin, *table: _Golden) -> bool:
    for arguments, gradients, steps, expected in table:
        h = Hyperparameters(learning_rate=1e-3, epsilon=1e-7, **arguments)
        run = implementation.start([_array(1.0, 2.0), _array(3.0, 4.0)], h)
        for _ in range(steps):
            state = run.step(gradients)
        if not all(
            _near(theta, value, rtol=1e-7, atol=2e-4) for theta, value in zip(state.parameters, expected, strict=True)
        ):
            return False
    return True


def _optax(implementation: Twin) -> bool:
    """10 000 steps end near the minimum of a parabola, and of Rosenbrock's function."""
    h = Hyperparameters(learning_rate=0.1, epsilon=1e-8)
    ends = (_array(1.0, -1.0, 1.0), _array(1.0, 1.0))
    runs = [implementation.start([start], h) for start in (_array(-1.0, 10.0, 1.0), _array(0.0, 0.0))]
    parabola, valley = _array(-1.0, 10.0, 1.0), _array(0.0, 0.0)
    two = np.float32(2)
    for _ in range(10_000):
        x, y = valley
        bend = np.float32(100) * (y - x * x)
        slope = np.array([-two * (1 - x) - 4 * bend * x, two * bend], dtype=np.float32)
        parabola = runs[0].step([two * (parabola - ends[0])]).parameters[0]
        valley = runs[1].step([slope]).parameters[0]
    return _near(parabola, ends[0], rtol=3e-2, atol=3e-2) and _near(valley, ends[1], rtol=3e-2, atol=3e-2)


def _onnx(implementation: Twin) -> bool:
    """One step at t = 0 from a given state, where the operator corrects no bias; ONNX' own tolerances."""
    setattr(implementation, "bias_correction", lambda w, _beta: w.scalar(1))  # noqa: B010
    first = ([(1.2, 2.8)], [(-0.94, -2.5)], [(1.7, 3.6)], [(0.1, 0.1)], 0.1, 1e-7)
    second = ([(1.0,), (1.0, 2.0)], [(-1.0,), (-1.0, -3.0)], [(2.0,), (4.0, 1.0)], [(0.5,), (1.0, 10.0)], 0.85, 1e-2)
    for values in (first, second):
        beta_2, epsilon = values[4:]
        x, g, v, h = ([_array(*one) for one in group] for group in values[:4])
        run = implementation.start(
            x, Hyperparameters(learning_rate=0.1, beta_1=0.95, beta_2=beta_2, epsilon=epsilon, l2=0.001)
        )
        assert isinstance(run, TwinRun)
        for slot, moment, square in zip(run.slots, v, h, strict=True):
            slot.m[...], slot.v[...], slot.t = moment, square, -1
        state = run.step(g)
        for i, theta in enumerate(x):
            gradient = 0.001 * theta.astype(np.float64) + g[i]
            moment = 0.95 * v[i] + 0.05 * gradient
            square = beta_2 * h[i] + (1 - beta_2) * gradient**2
            expected = theta - 0.1 * moment / (np.sqrt(square) + epsilon)
            pairs = ((state.parameters[i], expected), (state.m[i], moment), (state.v[i], square))
            if not all(_near(obtained, value, rtol=1e-3, atol=1e-7) for obtained, value in pairs):
                return False
    return True


def _torch(implementation: Twin) -> bool:
    """Two optimizers side by side for seven steps, meant to be the fused and the other one, and both the same."""
    start = [np.linspace(-1, 1, 12, dtype=np.float32)]
    one, other = (implementation.start([p.copy() for p in start], Hyperparameters(epsilon=1e-8)) for _ in range(2))
    for k in range(7):
        gradient = [np.linspace(k - 3, 1, 12, dtype=np.float32)]
        a, b = one.step(gradient), other.step([g.copy() for g in gradient])
        if not _near(a.parameters[0], b.parameters[0], rtol=1.3e-6, atol=1e-5):
            return False
    return True


CHECKS = (
    Published(
        name="Keras' golden test of Adam",
        source="keras-team/keras, keras/optimizers/adam_test.py",
        does="five steps with AMSGrad, gradients of constant sign, rtol = atol = 5e-4 on parameters near 1",
        dialects=("keras-v2-adam", "tf-keras-adam"),
        accepts=_keras,
    ),
    Published(
        name="TF-Addons' golden tests of RectifiedAdam",
        source="tensorflow/addons, tensorflow_addons/optimizers/tests/rectified_adam_test.py",
        does="100 or 200 steps of one constant gradient, atol 2e-4 on the last parameters"
        " (those with warm-up, schedules or Lookahead left out)",
        dialects=("tfa-rectified-adam",),
        accepts=_addons,
    ),
    Published(
        name="TF-Addons' golden tests of RectifiedAdam in Lookahead",
        source="tensorflow/addons, tensorflow_addons/optimizers/tests/rectified_adam_test.py",
        does="100 or 150 steps of one constant gradient, atol 2e-4 on the last parameters",
        dialects=("tfa-lookahead-rectified-adam",),
        accepts=_addons_lookahead,
    ),
    Published(
        name="optax' test of convergence",
        source="google-deepmind/optax, optax/_src/alias_test.py",
        does="10 000 steps from afar to the minimum of a parabola and of Rosenbrock's function, rtol = atol = 3e-2",
        dialects=("torch-adam",),
        accepts=_optax,
    ),
    Published(
        name="ONNX' goldens of Adam",
        source="onnx/onnx, onnx/backend/test/case/node/adam.py",
        does="two single steps at t = 0, where bias is not corrected; dense, no clipping",
        dialects=("mxnet2-adam", "mxnet1-adam"),
        accepts=_onnx,
    ),
    Published(
        name="PyTorch's test of fused Adam, until it was repaired",
        source="pytorch/pytorch, issue 91228; test/test_optim.py",
        does="compared an optimizer that was not fused with itself",
        dialects=("torch-adam",),
        accepts=_torch,
    ),
)


# What they let pass


def accepted(check: Published, implementation: type[Twin]) -> bool:
    """Whether the published check finds nothing wrong; an exception is something wrong."""
    with np.errstate(all="ignore"):
        try:
            return check.accepts(implementation())
        except (ArithmeticError, AssertionError, AttributeError, IndexError, TypeError, ValueError):
            return False


def asked(check: Published) -> Iterator[type[Twin]]:
    """The mutants that a check is asked about."""
    return (mutant for mutant in MUTANTS if mutant.claim.dialect in check.dialects)


def rejected_by(implementation: Implementation) -> str | None:
    """The first check of the suite that rejects an implementation, None if none does."""
    if checks.identity(answered(implementation.identity, Identity)).findings:
        return "identity"
    measured = Outcome()
    for set_name in SETS:
        chosen = [c for c in checks.CHECKS if c.problems == set_name and c.applies(implementation.claim)]
        for subject in subjects(implementation, set_name, PROBLEMS, SEED) if chosen else ():
            for check in chosen:
                try:
                    outcome = check.judge(implementation, subject)
                except ImplementationFailed:
                    return check.name
                if outcome.findings:
                    return check.name
                if check.name == "one-step":
                    measured.add(outcome)
    return "informative" if checks.informative(measured).findings else None


def rows(chosen: Sequence[Published] = CHECKS, by: Callable[[Implementation], str | None] = rejected_by) -> list[Row]:
    """Every published check, asked about its mutants; by: what of the suite rejects one.

    Raises ValueError for a check that rejects what is right.
    """
    found = []
    known: dict[type[Twin], str | None] = {}
    for check in chosen:
        for twin in TWINS:
            if twin.claim.dialect in check.dialects and not accepted(check, twin):
                raise ValueError(f"{check.name} rejects {twin.name}; accepted: a check that the correct twin passes")
        passing = [mutant for mutant in asked(check) if accepted(check, mutant)]
        for mutant in passing:
            if mutant not in known:
                known[mutant] = by(mutant())
        rejects = tuple(mutant for mutant in asked(check) if mutant not in passing)
        found.append(Row(check=check, rejects=rejects, lets_pass={mutant: known[mutant] for mutant in passing}))
    return found


# The table


def markdown(found: Sequence[Row]) -> str:
    """docs/published-checks.md."""
    lines = [
        "# Published checks",
        "",
        "What the frameworks' own checks of Adam let pass, asked about the mutants of the dialects that they are for,",
        "and what rejects it here. Mutants whose mistake a check does not pose at all, such as one in rows, are among",
        "them. The checks are written anew from their numbers (`conformance/mutants/published.py`). This page is what",
        "`python -m conformance.mutants.published --markdown` prints; a test compares them.",
        "",
        "| published check | source | what it does | mutants | lets pass | of these rejected here |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in found:
        total, passing = len(row.rejects) + len(row.lets_pass), len(row.lets_pass)
        here = sum(by is not None for by in row.lets_pass.values())
        lines.append(f"| {row.check.name} | {row.check.source} | {row.check.does} | {total} | {passing} | {here} |")
    for row in found:
        lines += [
            "",
            f"## {row.check.name}",
            "",
            "| lets pass | what is wrong | rejected here by |",
            "| --- | --- | --- |",
        ]
        lines += [f"| {m.__name__} | {_first_line(m)} | {by or 'nothing'} |" for m, by in row.lets_pass.items()]
        rejects = ", ".join(mutant.__name__ for mutant in row.rejects) or "nothing"
        lines += ["", f"It rejects: {rejects}."]
    return "\n".join(lines) + "\n"


def _first_line(mutant: type[Twin]) -> str:
    return (inspect.getdoc(mutant) or "").splitlines()[0].replace("|", "\\|")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 0 if everything that a published check lets pass is rejected here, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m conformance.mutants.published",
        description="What the frameworks' own checks of Adam let pass, and what rejects it here.",
        epilog="exit codes: 0 all of it is rejected here; 1 something is not",
    )
    parser.add_argument("--markdown", action="store_true", help="as docs/published-checks.md")
    parser.add_argument("--json", action="store_true", help="the result for programs")
    options = parser.parse_args(arguments)
    found = rows()
    if options.markdown:
        print(markdown(found), end="")
    elif options.json:
        print(
            json.dumps(
                [
                    {
                        "check": row.check.name,
                        "rejects": [mutant.name for mutant in row.rejects],
                        "lets_pass": {mutant.name: by for mutant, by in row.lets_pass.items()},
                    }
                    for row in found
                ]
            )
        )
    else:
        for row in found:
            print(
                f"{row.check.name}: lets {len(row.lets_pass)} of {len(row.rejects) + len(row.lets_pass)} mutants pass"
            )
            for mutant, by in row.lets_pass.items():
                print(f"  {mutant.name:40} rejected here by {by or 'nothing'}")
    return int(any(by is None for row in found for by in row.lets_pass.values()))


if __name__ == "__main__":
    sys.exit(main())
