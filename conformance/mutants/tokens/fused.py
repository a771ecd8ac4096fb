"""What is changed in fused_adam: the element formula, the scalar rows, the tables of columns and dialects."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from adapters import registry
from conformance.mutants.tokens.aim import Aim
from conformance.mutants.tokens.changes import Vocabulary
from conformance.mutants.tokens.mutant import Mutant, Target
from conformance.mutants.tokens.proofs import PROOFS
from conformance.provenance import ROOT

_ROWS = (
    "ONE_MINUS_BETA_1",
    "BETA_2",
    "ONE_MINUS_BETA_2",
    "STEP_SIZE",
    "EPSILON",
    "DECAY",
    "L2",
    "RESCALE",
    "CLIP",
)
_FACTORS = (
    "one_minus_beta_1",
    "beta_2",
    "one_minus_beta_2",
    "step_size",
    "epsilon",
    "decay",
    "l2_factor",
    "rescale_grad",
    "bound",
)
_CLIP = ('""', '"before l2"', '"after l2"')
_DECAY = ('""', '"before"', '"inside"')
_RECTIFIED = ('""', '">="', '">"')

FORMULA = Target(
    module="fused_adam.cpu_kernels",
    scopes=("kernel_source", "_walk_part", "_walk_parts", "step"),
    # Threads are for processes that were not forked; tests/fused_adam/test_cpu_driver.py has them.
    leave="_THREADS|_parallel|_walk_parts",
    vocabulary=Vocabulary(
        kinds=(
            _ROWS,
            _FACTORS,
            ("theta", "gradient", "mean", "second", "largest", "update"),
            ("_load_p", "_load_g", "_load_m", "_load_v", "_load_x"),
            ("_store_p", "_store_m", "_store_v", "_store_x"),
            ("p", "g", "m", "v", "x"),
            ("first", "count"),
            ("_POINTERS", "_SEGMENTS", "_ROW_OF", "_ROWS", "_KERNELS", "_COUNTS", "_PARTS"),
            ("_TENSORS", "_TOGETHER", "_THREADS", "_NUMBER_OF_PARTS"),
            ("pointers", "segments", "row_of", "rows", "kernels", "counts", "parts"),
            ("tensor", "row", "s", "part"),
            ("rescale", "l2", "amsgrad", "divide", "clip_before", "clip_after", "decay_before", "decay_inside"),
            ("variant.rescale", "variant.l2", "variant.amsgrad", "variant.divide"),
            ("np.float32", "np.float64"),
            ('"float32"', '"float64"'),
            _CLIP,
            _DECAY,
        ),
        functions=("np.sqrt", "number"),
    ),
)

SCALARS = Target(
    module="fused_adam.scalars",
    scopes=(
        "_RANGE",
        "row",
        "variant",
        "one_minus_power",
        "sma",
        "_coth_minus_inverse",
        "rectification",
        "warmed_up",
    ),
    vocabulary=Vocabulary(
        kinds=(
            ("bias_1", "root", "learning_rate", "step_size", "rho", "epsilon", "decay"),
            ("tiny", "largest"),
            ("o.beta_1", "o.beta_2"),
            ("o.learning_rate", "o.min_lr"),
            ("o.epsilon", "d.zero_epsilon"),
            ("o.l2", "o.weight_decay"),
            ("o.rescale_grad", "o.clip_gradient"),
            ("o.total_steps", "o.warmup_proportion"),
            ("o.dialect.clip", "o.dialect.decay"),
            ("o.adaptive_epsilon", "o.amsgrad"),
            ("beta", "t"),
            ("first", "rest"),
            ("f", "y", "tail"),
            ("half", "beta_2"),
            ("rho", "limit"),
            ("warm_up", "decay_steps"),
            ('"float32"', '"float64"'),
            ('"paper"', '"hat"'),
            _RECTIFIED,
        ),
        functions=("math.sqrt", "math.log", "math.expm1", "one_minus_power"),
    ),
)

COLUMNS = Target(module="fused_adam.layout", scopes=(*_ROWS, "ROW_WIDTH", "CHUNK"), vocabulary=Vocabulary())

DIALECTS = Target(
    module="fused_adam.options",
    scopes=("Dialect", "_TABLE", "_check_threshold"),
    vocabulary=Vocabulary(
        keywords={
            "epsilon": ('"hat"', '"paper"'),
            "default_epsilon": ("1e-7", "1e-8"),
            "zero_epsilon": ("0.0", "1e-7", "1e-8"),
            "step_count": ('"optimizer"', '"parameter"'),
            "decay": _DECAY,
            "clip": _CLIP,
            "rectified": _RECTIFIED,
        }
    ),
)

ADAPTERS: tuple[str, ...] = tuple(
    name for name, entry in registry.ADAPTERS.items() if entry.module == "adapters.fused_adam_numpy"
)
"""Every dialect once, on the CPU."""

TORCH_FACE = "fused-adam-torch-face"
"""Loaded before the tests, if it can be, so that no child has to import torch again."""

HINTS: tuple[tuple[str, str], ...] = (
    ("after l2|clip_after|mxnet1", "fused-adam-mxnet1"),
    ("before l2|clip|rescale|mxnet2", "fused-adam-mxnet2"),
    ("inside|sma|coth|rectif|divide|rho|tfa", "fused-adam-tfa-rectified"),
    ("amsgrad|largest|keras-v2", "fused-adam-keras-v2"),
    ("adaptive|tf-keras", "fused-adam-tf-keras"),
    ("l2|decay|torch|paper", "fused-adam-torch"),
)
"""Where a change is likely to show first. Saves time; decides nothing."""

_COMPILED = {"kernels": ("_kernels",), "step": ("_walk", "_step", "_call")}
"""Attributes of the CPU driver that hold machine code."""


def inherit(mutant: Mutant) -> Callable[[], None]:
    """What a child calls once it imports `mutant`: the machine code that the change cannot reach is not made again.

    Kernels follow from cpu_kernels and layout alone; what calls them, by address, not from `kernel_source`.
    """
    cpu_driver = "fused_adam.cpu_driver"
    unchanged = importlib.import_module(cpu_driver).DRIVER
    kept: tuple[str, ...] = ()
    if mutant.module not in (FORMULA.module, COLUMNS.module):
        kept = (*_COMPILED["kernels"], *_COMPILED["step"])
    elif mutant.change.scope.startswith("kernel_source"):
        kept = _COMPILED["step"]

    def hand_over() -> None:
        if kept:
            driver = importlib.import_module(cpu_driver).DRIVER
            for name in kept:
                setattr(driver, name, getattr(unchanged, name))

    return hand_over


_TESTS = ROOT / "tests" / "fused_adam"
TESTS: tuple[str, ...] = tuple(
    str(_TESTS / name)
    for name in (
        "test_scalars.py",
        "test_cpu_driver.py::test_every_segment_of_a_tensor_moves",
        "test_cpu_driver.py::test_the_l2_term_sees_the_decayed_parameter",
        "test_cpu_driver.py::test_nan_and_infinity_touch_only_their_own_element",
        "test_cpu_driver.py::test_a_square_that_overflows_freezes_its_element",
        "test_cpu_driver.py::test_subnormals_are_flushed_inside_and_the_callers_mode_is_kept",
        "test_numpy_face.py",
        "test_torch_face.py",
    )
)
"""For what the contract cannot say: warm-up, defaults, NaN."""

TARGETS: tuple[Target, ...] = (FORMULA, SCALARS, COLUMNS, DIALECTS)

FUSED_ADAM = Aim(
    name="fused-adam",
    targets=TARGETS,
    adapters=ADAPTERS,
    hints=HINTS,
    inherit=inherit,
    tests=TESTS,
    before_tests=TORCH_FACE,
    proofs=PROOFS,
)
