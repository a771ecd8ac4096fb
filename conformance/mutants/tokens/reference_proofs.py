"""Why a change of the reference that nothing rejects is no mistake, each with its reason.

"Equivalent" is refuted by one bit that differs, on the problems or in the search, and "below the bound" by one
effect that reaches it: either fails the run. Both are said of an implementation inside the contract: what the
reference refuses, and what only an onlooker reads, tests/reference has tests for.
"""

from __future__ import annotations

from collections.abc import Iterator

from conformance.mutants.tokens.proofs import Proof

_STAGES, _SCALARS, _WALK, _DIALECTS, _SCHEDULES, _CONSTRAINTS = (
    f"reference.{module}" for module in ("stages", "bias_correction", "step", "dialects", "schedules", "constraints")
)
Lines = tuple[str, str]


def _all(before: str, *pairs: Lines) -> list[Lines]:
    """Lines in which the first of each pair is replaced by its second."""
    return [(before, before.replace(old, new)) for old, new in pairs]


def _dropped(*lines: str) -> list[Lines]:
    return [(line, "pass") for line in lines]


def _swapped(first: str, second: str, between: str = " ") -> Lines:
    return f"{first}{between}{second}", f"{second}{between}{first}"


def _of(reason: str, module: str, scope: str, changes: list[Lines]) -> Proof:
    return Proof("equivalent", reason, module, scope, changes)


def _in_rows(reason: str, rows: str, first: str, second: str) -> Iterator[Proof]:
    """Two stages of some rows of the table in the other order."""
    for row in rows.split():
        yield _of(reason, _DIALECTS, f"_TABLE.{row}", [_swapped(f"{first},", f"{second},")])


_DENSE = "zeros = np.zeros(p.theta.shape, dtype=p.g.dtype)"
_V_MAX = "p.v_max = None if p.v_max is None else p.v_max[p.rows]"
_MOVE = "p.direction = replace_rows(np.zeros_like(p.direction), p.rows, p.direction[p.rows])"
_BRANCH = "p.rectified = bool(p.rho_t >= h.sma_threshold if inclusive else p.rho_t > h.sma_threshold)"
_STEP_SIZE = "p.step_size = r_t * p.step_size"
_MEETS = "if h.sync_period is not None and p.t % h.sync_period == 0:"
_INITIAL = "return State(numbers, zeros, zeros, v_max, (h.begin_num_update,) * len(numbers), slow, average)"
_LARGEST = "return [*accumulate(counts, max, initial=max(state.t, default=0))][1:]"
_SPLIT = "return (rows if rows.size else rows.astype(np.int64)), gradient[1]"
_NORMS = "clipping.clip_norm, clipping.global_norm"
_CLIPPING = f"_CLIPPING = (clipping.clip_values, {_NORMS}, clipping.clip_global_norm)"
_NOT_NEGATIVE = "p.theta = np.where(p.theta >= 0, p.theta, 0 * p.theta)"
_NO_SPARSE = "if p.rows is None: return"

PROOFS: tuple[Proof, ...] = (
    _of(
        "theta, m and g are of one shape and dtype",
        _STAGES,
        "scatter_rows",
        _all(_DENSE, ("p.theta.shape", "p.m.shape"), ("p.g.dtype", "p.theta.dtype")),
    ),
    _of("None for rows is a new axis: all of dense becomes g", _STAGES, "scatter_rows", _dropped(_NO_SPARSE)),
    _of(
        "None for rows is a new axis around everything, which restore_rows takes away again",
        _STAGES,
        "gather_rows",
        _dropped(_NO_SPARSE),
    ),
    _of(
        "no lazy dialect has AMSGrad, so v_max is None",
        _STAGES,
        "gather_rows",
        [*_dropped(_V_MAX), *_all(_V_MAX, ("else p.v_max[", "else p.g["))],
    ),
    _of(
        "every problem of the dialects that look ahead has a sync_period",
        _STAGES,
        "lookahead",
        _all(_MEETS, ("if h.sync_period", "if h.slow_step_size")),
    ),
    _of("the last stage, and nothing reads it afterwards", _STAGES, "restore_rows", _dropped("p.whole = None")),
    _of(
        "both are of theta's shape", _STAGES, "named_rows_move", _all(_MOVE, ("like(p.direction", "like(p.denominator"))
    ),
    _of(
        "what `adaptive` stands for neither reads nor writes rho_t and the branch",
        _STAGES,
        "_rectify",
        [_swapped(f"if p.rectified is None: {_BRANCH}", "adaptive(p, h, x)")],
    ),
    _of(
        "where the step is rectified, its size is read by the bound alone; the direction has r_t already",
        _STAGES,
        "_rectify",
        [*_dropped(_STEP_SIZE), *_all(_STEP_SIZE, ("= r_t", "= p.rho_t"), ("* p.step_size", "* p.epsilon"))],
    ),
    Proof(
        "below the bound",
        "at equality the branch is ambiguous, and either is accepted",
        _STAGES,
        "_rectify",
        _all(_BRANCH, (">=", ">"), ("p.rho_t > h", "p.rho_t >= h"), ("if inclusive", "if not (inclusive)")),
    ),
    Proof(
        "below the bound",
        "at equality the branch is ambiguous, and either is accepted",
        _STAGES,
        "rectified_hat",
        _all("_rectify(p, h, x, epsilon_hat, inclusive=False)", ("False", "True")),
    ),
    _of("as many zeros as numbers", _WALK, "initial_state", _all(_INITIAL, ("len(numbers)", "len(zeros)"))),
    _of(
        "no problem is without parameters",
        _WALK,
        "_num_updates",
        _all(_LARGEST, ("default=0", "default=1")),
    ),
    _of(
        "inside the contract nothing is refused, and the check writes nothing",
        _WALK,
        "step",
        [*_dropped("_check(d, h, state, gradients)"), _swapped("_check(d, h, state, gradients)", "h = h.to(x)")],
    ),
    _of("what the contract passes are Python's numbers already", _WALK, "step", _dropped("h = h.to(x)")),
    _of(
        "an absent gradient has neither rows nor values",
        _WALK,
        "_opened",
        [_swapped("if gradient is None: return p", "p.rows, values = _split(gradient)")],
    ),
    _of(
        "only a watch reads what was before a stage, and no implementation has one; tests/reference rejects it",
        _WALK,
        "step",
        [_swapped("before = p.snapshot()", "stage(p, h, x)"), _swapped("p.all_g = all_g", "before = p.snapshot()")],
    ),
    _of(
        "the contract's row numbers are int64, none as well",
        _WALK,
        "_split",
        _all(_SPLIT, ("if rows.size", "if not (rows.size)")),
    ),
    _of(
        "there is one of the two norms, and each stage does nothing without its own",
        _DIALECTS,
        "_CLIPPING",
        _all(_CLIPPING, (_NORMS, "clipping.global_norm, clipping.clip_norm")),
    ),
    Proof(
        "below the bound",
        "the norm is known before both: a sum of what is scaled, or a sum that is scaled",
        _DIALECTS,
        "_TABLE.keras3-adam",
        [_swapped("clipping.clip_in_one_way,", "clipping.dense_by_global_norm,")],
    ),
    *_in_rows("0 is clipped to 0", "mxnet2-adam", "s.clip", "s.scatter_rows"),
    *_in_rows("0 is rescaled to 0", "mxnet1-adam", "s.rescale", "s.scatter_rows"),
    *(
        Proof(
            "below the bound",
            "theta less both, one after the other or together: the same sum, rounded otherwise",
            _DIALECTS,
            f"_TABLE.{row}",
            [("s.decay_direction,", "s.decay_theta,")],
        )
        for row in ("optax-adam", "optax-nadam")
    ),
    Proof(
        "below the bound",
        "either formula gives the target there",
        _SCHEDULES,
        "cosine",
        _all("if k < warmup_steps:", ("<", "<=")),
    ),
    Proof(
        "below the bound",
        "2 i further, which is the same of a cosine of that number times pi",
        _SCHEDULES,
        "cosine_after",
        _all("share = periods - i", ("-", "+")),
    ),
    _of(
        "periods of one length are counted one by one",
        _SCHEDULES,
        "restarts",
        [("if t_mul == 1: return k // first_decay_steps", "pass"), *_all("if t_mul == 1:", ("1", "0"))],
    ),
    *_in_rows(
        "the rectified step has no decay in it, which is taken from theta afterwards",
        "tfa-rectified-adam tfa-lookahead-rectified-adam",
        "rates.scheduled_weight_decay",
        "s.rectified",
    ),
    _of("0 times 0 is 0 with its sign", _CONSTRAINTS, "constrain", _all(_NOT_NEGATIVE, (">=", ">"))),
    _of(
        "0 times or divided by a finite number below 0 is -0",
        _CONSTRAINTS,
        "constrain",
        _all(_NOT_NEGATIVE, ("0 * ", "0 / ")),
    ),
)
"""Of the reference."""
