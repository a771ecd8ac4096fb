"""docs/certification.md: what is claimed, how it is measured, and the worst errors that a run has found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from certify.measure import STEP
from certify.report import number, ordered, worst
from certify.run import DIALECTS, Kind, Record

_BEFORE = """# How sure the oracle is

What every implementation is compared with is itself a float64 program. `python -m certify` measures how far it is
from its own formulas at 50 digits, and fails above a bound that is stated before anything is measured. u is 2^-53.

| what | beside | accepted |
| --- | --- | --- |
| every stage by itself | the same lines at 50 digits | 8 u times the sum of its terms' magnitudes, plus 2^-1074 |
| a stage that moves and does not compute | the same | nothing: every bit |
| a whole step: theta, m, v, v_max | the same lines at 50 digits | the derived bound of float64 (`reference.bound`) |
| scalars | the papers' formulas as printed, at 200 digits | 8 ulp of the result |

Both sides of a stage start from the very float64 values that the float64 run has given it, so that no error of an
earlier stage is charged to it; both sides of a step from the float64 state before it. A scalar is taken as a
function of the float64 numbers beta, t and psi: r_t next to rho_t = 4, where it is ill-conditioned in rho_t, is
granted no more.

```
tox run -e certify                                        # the full profile
python -m certify                                         # the short one, as in tox
python -m certify --dialect torch-radam --stage rectified_hat --seed 1
python -m certify --profile full --markdown docs/certification.md
```

The terms of a stage come from its formula (`certify/terms.py`): most are the stage itself, run on magnitudes. A stage
without an entry there cannot be certified, and the command ends with exit code 2.

Problems (`certify/draws.py`) have a state at any t up to 100 000 with moments, gradients and parameters over the
decades 1e-30 to 1e15, alike, unlike or such that what is added cancels; betas from 0 over the usual ones and 1 - 1e-6
to the last float64 before 1; dense gradients, rows named once or often, no gradient. Rectified dialects stand, half
of the time, a few float64 from where rho_t is 4, 5 or the threshold. From the worst of each stage, of each step and
of each scalar a search goes uphill.

*Set aside*, and counted, are elements with an input below 2^-480 or above 2^480 in magnitude (a beta next to 0 makes
such moments out of others): products of these may be subnormal, where a rounding is not relative any more, or
overflow. In between no product of two numbers is subnormal, so 8 u of the terms holds, and what a last subtraction or
product loses below the normal numbers is at most the smallest of them. A result that is not finite must be so at 50
digits as well, unless the terms are beyond the format. Of a whole step, what the bound calls ambiguous is set aside.

A branch that float64 takes otherwise than 50 digits do is an error, unless rho_t is within 8 u of the threshold.
"""


def markdown(records: Sequence[Record], command: str) -> str:
    """The page."""
    found = ordered(records)

    def of(kind: Kind) -> list[Record]:
        return [r for r in found if r.kind == kind]

    lines = [_BEFORE, f"What follows was printed by `{command}`.", ""]
    lines += ["## Scalars", "", "In ulp of the result; accepted: 8.", ""]
    lines += _rows(("scalar", "worst", "points", "worst at"), (_scalar(r) for r in of("scalar")))
    lines += ["## Whole steps", "", "As a fraction of the derived bound of float64; accepted: 1.", ""]
    errors = {(r.dialect, r.name): number(r.error) for r in of("step")}
    chosen = [d for d in DIALECTS if any(dialect == d for dialect, _ in errors)]
    lines += _rows(("dialect", *STEP), ((d, *(errors.get((d, name), "-") for name in STEP)) for d in chosen))
    lines += [
        "## Stages",
        "",
        "In u times the sum of the terms; accepted: 8. 0 is exact; - has nothing to do in this dialect.",
        "",
    ]
    lines += _rows(("stage", "dialect", "worst", "of", "elements", "set aside"), (_stage(r) for r in of("stage")))
    return "\n".join(lines).rstrip() + "\n"


def _scalar(r: Record) -> tuple[str, ...]:
    return r.name, number(r.error), str(r.compared), r.where


def _stage(r: Record) -> tuple[str, ...]:
    return r.name, r.dialect or "", worst(r), r.quantity, str(r.compared), str(r.aside)


def _rows(headings: Sequence[str], rows: Iterator[Sequence[str]]) -> list[str]:
    return [*("| " + " | ".join(row) + " |" for row in (headings, ["---"] * len(headings), *rows)), ""]
