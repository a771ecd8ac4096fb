"""What is changed in the reference: its stages, the scalars of a step, the walk over parameters, the dialects' rows.

Judged by the reference as it is: a mutant runs in float32 (`float32.py`), under the float32 bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from inspect import unwrap
from types import CodeType, FunctionType

import reference
from conformance.mutants.tokens import float32, order
from conformance.mutants.tokens.aim import Aim
from conformance.mutants.tokens.changes import Vocabulary
from conformance.mutants.tokens.gate import CHECKS
from conformance.mutants.tokens.mutant import Mutant, Target
from conformance.mutants.tokens.reference_proofs import PROOFS
from conformance.mutants.tokens.search import Effect, search

STAGES = Target(
    module="reference.stages",
    scopes=(
        "rescale",
        "clip",
        "l2",
        "sum_duplicate_rows",
        "scatter_rows",
        "gather_rows",
        "restore_rows",
        "named_rows_move",
        "replace_rows",
        "inverse_time_decay",
        "decay_theta",
        "decay_direction",
        "first_moment",
        "second_moment",
        "amsgrad_maximum",
        "zero_epsilon_is_default",
        "epsilon_as_given",
        "epsilon_hat",
        "paper_epsilon",
        "rectified",
        "rectified_hat",
        "rectified_root",
        "_rectify",
        "square_rows",
        "corrected_maximum",
        "root_epsilon",
        "nesterov",
        "nesterov_schedule",
        "_rooted",
        "subtract",
        "lookahead",
        "_second",
    ),
    vocabulary=Vocabulary(
        kinds=(
            ("p.theta", "p.m", "p.v", "p.v_max", "p.g"),
            ("p.slow", "p.theta"),
            ("p.direction", "p.denominator", "p.step_size", "p.epsilon"),
            ("h.beta_1", "h.beta_2"),
            ("h.power_beta_1", "h.power_beta_2"),
            ("p.learning_rate", "h.epsilon", "h.decay"),
            ("p.l2", "h.weight_decay"),
            ("h.rescale_grad", "h.clip_gradient"),
            ("h.amsgrad", "h.adaptive_epsilon"),
            ("h.sync_period", "h.slow_step_size"),
            ("bias_1", "bias_2"),
            ("unique", "position"),
            ("whole", "part"),
            ("r_t", "p.rho_t"),
            ("epsilon_hat", "paper_epsilon", "root_epsilon"),
            ("of_m", "of_g"),
            ("mu", "mu_next"),
            ("h.epsilon_root", "h.momentum_decay"),
            ("p.square", "p.g"),
            ("np.minimum", "np.maximum"),
        ),
        functions=("x.sqrt", "np.zeros_like"),
        objects=("p",),
    ),
)

CLIPPING = Target(
    module="reference.clipping",
    scopes=(
        "clip_values",
        "clip_norm",
        "global_norm",
        "clip_global_norm",
        "clip_in_one_way",
        "dense_by_global_norm",
        "_norm",
        "_scale",
    ),
    vocabulary=Vocabulary(
        kinds=(
            ("h.clipvalue", "h.clipnorm", "h.global_clipnorm"),
            ("p.norm", "limit"),
            ("np.minimum", "np.maximum"),
        ),
        functions=("x.sqrt",),
        objects=("p",),
    ),
)

MULTIPLIERS = Target(
    module="reference.multipliers",
    scopes=("multiply",),
    vocabulary=Vocabulary(
        kinds=(("h.lr_mult", "h.wd_mult"), ("p.learning_rate", "p.l2"), ("p.index", "p.t")),
        functions=(),
        objects=("p",),
    ),
)

RATES = Target(
    module="reference.rates",
    scopes=("scheduled_rate", "scheduled_by_updates", "scheduled_weight_decay", "warm_up"),
    vocabulary=Vocabulary(
        kinds=(
            ("h.schedule", "h.weight_decay_schedule"),
            ("p.learning_rate", "p.weight_decay"),
            ("p.num_update", "p.t", "h.begin_num_update"),
        ),
        functions=(),
        objects=("p",),
    ),
)

SCHEDULES = Target(
    module="reference.schedules",
    scopes=(
        "exponential",
        "inverse_time",
        "polynomial",
        "piecewise_constant",
        "cosine",
        "cosine_restarts",
        "cosine_after",
        "restarts",
        "inverse_root",
        "_periods",
        "_cosine",
        "warmed_up",
    ),
    vocabulary=Vocabulary(
        kinds=(("first", "end", "target"), ("decay_steps", "warmup_steps"), ("left", "length"), ("rate", "min_lr")),
        functions=("x.sqrt", "x.cos"),
    ),
)

LR_SCHEDULERS = Target(
    module="reference.schedules_mxnet",
    scopes=("factor", "multi_factor", "poly", "cosine", "factors", "_warm_up", "_share"),
    vocabulary=Vocabulary(
        kinds=(
            ("base", "final", "first"),
            ("warmup_steps", "max_update"),
            ("rate", "least"),
            ("n", "i", "begin"),
            ("step", "passed"),
        ),
        functions=("x.cos",),
    ),
)

AVERAGES = Target(
    module="reference.averages",
    scopes=("average", "average_all", "overwrite", "overwrite_all", "overwrites"),
    vocabulary=Vocabulary(kinds=(("p.average", "p.theta"),), functions=(), objects=("p",)),
)

CONSTRAINTS = Target(
    module="reference.constraints",
    scopes=("constrain", "kept_norm", "norms"),
    vocabulary=Vocabulary(
        kinds=(("norm", "kept"), ("np.minimum", "np.maximum")), functions=("x.sqrt",), objects=("p",)
    ),
)

SCALARS = Target(
    module="reference.bias_correction",
    scopes=(
        "one_minus_power",
        "sma_inf",
        "sma",
        "rectification",
        "squared_rectification",
        "_square",
        "_sma",
        "momentum",
        "one_minus_momentum",
        "one_minus_momentum_product",
        "_mu",
        "_rest_of_mu",
        "_rest_of_product",
        "_schedule",
        "_next",
        "_schedules",
    ),
    vocabulary=Vocabulary(
        kinds=(
            ("beta", "t"),
            ("beta_1", "momentum_decay"),
            ("beta_2", "t"),
            ("power", "beta_2"),
            ("decay", "mu"),
            ("rho_t", "rho_inf"),
        ),
        functions=("x.sqrt", "x.log", "x.expm1"),
    ),
)

WALK = Target(
    module="reference.step",
    scopes=("initial_state", "step", "_opened", "_num_updates", "_split"),
    # What only an onlooker sees: the bound and diagnosis watch the stages, or force a branch.
    leave="watch|before = replace|rectify",
    vocabulary=Vocabulary(
        kinds=(
            ("theta", "m", "v", "v_max", "slow"),
            ("state.theta", "state.m", "state.v", "state.v_max", "state.slow"),
            ('"theta"', '"m"', '"v"', '"v_max"', '"slow"'),
            ('"optimizer"', '"parameter"'),
            ("numbers", "zeros"),
        ),
        objects=("p",),
    ),
)

DIALECTS = Target(
    module="reference.dialects",
    scopes=("_CLIPPING", "_MOMENTS", "_TABLE"),
    vocabulary=Vocabulary(
        kinds=(
            ("s.epsilon_hat", "s.paper_epsilon", "s.root_epsilon", "s.nesterov", "s.nesterov_schedule"),
            ("s.rectified", "s.rectified_hat", "s.rectified_root"),
            ("s.amsgrad_maximum", "s.corrected_maximum"),
            ("s.zero_epsilon_is_default", "s.epsilon_as_given"),
            ("s.decay_theta", "s.decay_direction"),
            ("s.scatter_rows", "s.gather_rows"),
            ("s.first_moment", "s.second_moment"),
        ),
        keywords={"step_count": ('"optimizer"', '"parameter"')},
        sequences=("stages", "_CLIPPING", "_MOMENTS"),
    ),
)

HINTS: tuple[tuple[str, str], ...] = (
    ("average_all|overwrite_all", "keras3-adam"),
    ("averages|average|overwrite", "tf-keras-adam"),
    ("schedules_mxnet|by_updates|num_update", "mxnet2-adam"),
    ("warm|scheduled_weight", "tfa-rectified-adam"),
    ("constrain|reference.schedules|scheduled_rate", "keras-v2-adam"),
    ("lookahead|slow", "tfa-lookahead-keras-v2-adam"),
    ("one_way|dense_by", "keras3-adam"),
    ("clipvalue|clipping|norm|inverse", "keras-v2-adam"),
    ("gather|restore|whole|-lazy", "mxnet2-adam-lazy"),
    ("mxnet1-adam-lazy", "mxnet1-adam-lazy"),
    ("mxnet1", "mxnet1-adam"),
    ("mxnet2|rescale|clip|mult|begin", "mxnet2-adam"),
    ("schedule|momentum|mu|torch-nadam", "torch-nadam"),
    ("nesterov|optax-nadam", "optax-nadam"),
    ("rectified_root|optax-radam", "optax-radam"),
    ("rectified_hat|torch-radam", "torch-radam"),
    ("root|corrected_maximum|optax", "optax-adam"),
    ("rectif|sma|rho|decay_direction|named_rows|tfa", "tfa-rectified-adam"),
    ("square_rows|keras3", "keras3-adam"),
    ("sparse", "torch-sparse-adam"),
    ("adaptive|tf-keras", "tf-keras-adam"),
    ("paper|l2|torch", "torch-adam"),
    ("default|keras-v2", "keras-v2-adam"),
)


def reached(mutant: Mutant, adapters: Sequence[str]) -> Sequence[str]:
    """A row of the table is read under its own name alone, and a stage by the rows that it stands in."""
    scope, _, row = mutant.change.scope.partition(".")
    if mutant.module == DIALECTS.module:
        return [name for name in adapters if name == row] or adapters
    if mutant.module == SCHEDULES.module:
        return [name for name in adapters if "schedule" in reference.dialect(name).hyperparameters]
    if mutant.module == LR_SCHEDULERS.module:
        return [name for name in adapters if "lr_scheduler" in reference.dialect(name).hyperparameters]
    if mutant.module not in (WALK.module, DIALECTS.module):
        return [name for name in adapters if scope in _functions(name)]
    return adapters


@cache
def _functions(dialect: str) -> frozenset[str]:
    """Names of the functions that a dialect's stages call, directly or not."""
    found: dict[str, FunctionType] = {}
    waiting = [stage for stage in reference.dialect(dialect).stages if isinstance(stage, FunctionType)]
    while waiting:
        function = waiting.pop()
        if function.__name__ not in found:
            found[function.__name__] = function
            called = (function.__globals__.get(name) for name in _names(function.__code__))
            unwrapped = (unwrap(f) for f in called if callable(f))  # of a cache, what it keeps the results of
            waiting += [f for f in unwrapped if isinstance(f, FunctionType)]
    return frozenset(found)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def effect(dialects: Sequence[str], seed: int) -> Effect:
    """The largest effect that is found on these dialects as this process imports them."""
    return search([float32.claim_of(reference.dialect(name)) for name in dialects], seed)


REFERENCE = Aim(
    name="reference",
    targets=(
        *(STAGES, CLIPPING, MULTIPLIERS, RATES, SCHEDULES, LR_SCHEDULERS, AVERAGES, CONSTRAINTS, SCALARS),
        *(WALK, DIALECTS),
    ),
    adapters=tuple(reference.DIALECTS),
    load=float32.implementation,
    checks=tuple(name for name in CHECKS if name != "identity"),  # that a row is another one is to show in numbers
    hints=HINTS,
    reached=reached,
    profiles=("quick",),
    patience=20,
    controlled=True,
    search=effect,
    proofs=PROOFS,
    derived=order.proofs,
)
