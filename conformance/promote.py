"""A random failure becomes a golden case: ``python -m conformance.promote``.

Takes the words of the command that a finding says repeats it, and stores that problem in golden/ with the trajectory
that the reference gives; nothing of the implementation but its claim goes in. Numbers are rounded to float32 first,
as those of every golden case are. Needs mpmath and jsonschema (``pip install --group golden``).
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

import reference
from adapters.contract import Arithmetic, Array, Implementation, Problem, Rows
from conformance import checks, problems
from conformance.describe import describe
from conformance.direct import in_float32
from conformance.load import CannotTest, load
from conformance.options import UsageError, classes, implementation_options, positive, seed, writable_folder
from conformance.oracle import received
from conformance.subjects import subjects
from golden import CASES, Case, GoldenError
from golden.promote import TOPIC, add

_CHECKS = tuple(check.name for check in checks.CHECKS if check.problems in ("general", "equal-shapes"))


def case_of(implementation: Implementation, problem: Problem, name: str, why: str) -> Case:
    """The case of a problem, its numbers rounded to float32. Raises `GoldenError` where that is not finite."""
    dialect = reference.dialect(implementation.claim.dialect)
    exact = in_float32(problem, implementation.claim.hyperparameters)

    def rounded(array: Array) -> Array:
        with np.errstate(over="ignore"):
            value = np.asarray(array, dtype=np.float32).astype(np.float64)
        if not np.isfinite(value).all():
            raise GoldenError("the problem has numbers beyond float32; accepted: one that float32 holds")
        return value

    def gradient(g: Any) -> Any:
        if g is None:
            return None
        return (g.indices, rounded(g.values)) if isinstance(g, Rows) else rounded(g)

    return Case(
        id=f"{dialect.name}/{TOPIC}/{name}",
        dialect=dialect.name,
        description=why,
        source=dialect.source,
        flags=("met",),
        hyperparameters=received(exact, Arithmetic(storage="float64", compute="float64")),
        parameters=tuple(rounded(theta) for theta in exact.parameters),
        gradients=tuple(tuple(gradient(g) for g in step) for step in exact.gradients),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Promote one problem; 0 if it was written, 2 if it cannot be."""
    options = _options(arguments)
    try:
        implementation = _whose(options)
        set_name = next(check.problems for check in checks.CHECKS if check.name == options.check)
        drawn = subjects(implementation, set_name, options.problems, options.seed)
        if options.problem >= len(drawn):
            raise GoldenError(f"--problem is {options.problem}; accepted: 0 to {len(drawn) - 1}")
        problem = drawn[options.problem]
        assert isinstance(problem, Problem)
        why = options.description or f"met by {options.check} on {implementation.name}: {describe(problem)}"
        path = add(case_of(implementation, problem, options.id, why), options.folder)
    except (CannotTest, GoldenError, UsageError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        print(f"error: {error}; accepted: an environment with pip install --group golden", file=sys.stderr)
        return 2
    print(f"{implementation.claim.dialect}/{TOPIC}/{options.id} is in {path}; python -m golden verify")
    return 0


def _whose(options: argparse.Namespace) -> Implementation:
    """The one implementation that is named or given."""
    given = {one.name: one for one in classes(options)}
    names = [*(options.adapter or ()), *given]
    if len(names) != 1:
        raise UsageError(f"{len(names)} implementations are named; accepted: one, as in the command of the finding")
    return load(names[0], given.get(names[0]))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m conformance.promote",
        description="A problem of a finding becomes a golden case, with the trajectory that the reference gives.",
        epilog="exit codes: 0 written; 2 refused, and nothing was written",
    )
    implementation_options(parser)
    parser.add_argument("--check", choices=_CHECKS, default="one-step", help="whose problem it is (%(default)s)")
    parser.add_argument("--problem", type=seed, required=True, metavar="K", help="its number")
    default = problems.PROFILES["quick"].problems
    parser.add_argument("--problems", type=positive, default=default, metavar="N", help="of the run (%(default)s)")
    parser.add_argument("--seed", type=seed, default=0, help="of the run (%(default)s)")
    parser.add_argument("--id", type=_name, required=True, metavar="NAME", help="of the case: letters, digits, hyphens")
    parser.add_argument("--description", type=_words, help="in words; default: where it was met, and the problem")
    parser.add_argument("--folder", type=writable_folder, default=CASES, help="of the golden cases")
    return parser.parse_args(arguments)


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text):
        raise argparse.ArgumentTypeError(f"{text!r}; accepted: lower-case letters and digits, with single hyphens")
    return text


def _words(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r}; accepted: some words")
    return text


if __name__ == "__main__":
    sys.exit(main())
