"""The document of Keras' Adam and NonFusedAdam, of OptimizerV2."""

from __future__ import annotations

from conformance.documents.row import Document, Rows

_r = Rows("documents/test_keras_optimizer_v2.py", {"state": "documents/test_keras_state.py"})
_NAMES = "state::test_a_configuration_makes_the_same_optimizer"

_r.add(
    "argument",
    "learning_rate",
    "a number, a tensor, a schedule, or a callable that is called for the value",
    stages="scheduled_rate epsilon_hat subtract",
    checks="one-step free-running long-run law-scale law-zero-rate law-schedules law-forms law-change law-switched-on",
    cases="keras-v2-adam/first-steps/plain keras-v2-adam/thousand-steps/dense keras-v2-adam/schedules/",
    tests="test_a_rate_and_betas_may_be_tensors_and_callables "
    "test_a_schedule_is_asked_with_the_iterations_from_zero_on",
    mutants="LearningRateTooSmall ZeroLearningRateIsDefault ScheduleOneStepAhead PowerIgnored NeverRestarts "
    "FunctionsCalledOnce",
)
for _beta, _stage in (("beta_1", "first_moment"), ("beta_2", "second_moment")):
    _r.add(
        "argument",
        _beta,
        "a number, a constant tensor, or a callable: decay rate of the moment",
        stages=f"{_stage} epsilon_hat",
        checks="one-step free-running law-betas law-forms law-change",
        cases="keras-v2-adam/first-steps/plain",
        tests="test_a_rate_and_betas_may_be_tensors_and_callables",
        mutants="BetaOneIgnored" if _beta == "beta_1" else "",
    )
_r.add(
    "argument",
    "epsilon",
    "epsilon hat of the paper, a small constant",
    stages="zero_epsilon_is_default epsilon_hat",
    checks="one-step golden",
    cases="keras-v2-adam/large-epsilon/",
    tests="adapters/test_keras_saving.py::test_an_epsilon_of_zero_is_the_default_for_the_constructor_and_zero_for_an_assignment",
    mutants="PaperEpsilonInKeras EpsilonInsideRoot NonFusedMinusEpsilon",
    findings="keras-epsilon-zero-is-not-zero",
    differs="0 becomes 1e-7",
)
_r.add(
    "argument",
    "amsgrad",
    "whether the maximum of v divides",
    stages="amsgrad_maximum",
    checks="one-step law-amsgrad",
    cases="keras-v2-adam/spike/amsgrad",
    mutants="AmsgradIgnored",
)
_r.add(
    "argument",
    "name",
    "of the operations; and of the weights",
    tests=f"{_NAMES} state::test_slots_and_weights_can_be_added",
)
_r.add(
    "argument",
    "clipnorm",
    "limits the norm of each gradient",
    tests="test_clipping",
    stages="clip_norm",
    checks="one-step law-clips",
    cases="keras-v2-adam/clipping/norm keras-v2-adam/clipping/norm-rows",
    mutants="NormOfSummedRows",
)
_r.add(
    "argument",
    "clipvalue",
    "limits every gradient's elements",
    tests="test_clipping",
    stages="clip_values",
    checks="one-step law-clips",
    cases="keras-v2-adam/clipping/value keras-v2-adam/clipping/value-zero",
    mutants="ClipvalueIgnored ClipsSummedRows",
)
_r.add(
    "argument",
    "lr",
    "NonFusedAdam's document: the learning rate by its old name",
    tests="state::test_lr_is_the_learning_rate_under_its_old_name",
    differs="Adam, whose document does not name it, takes it too, and it wins over learning_rate",
)
_r.add(
    "argument",
    "decay",
    "NonFusedAdam's document: inverse time decay of the learning rate",
    tests=f"test_decay_is_inverse_in_the_iterations_and_acts_on_top_of_a_schedule {_NAMES}",
    stages="inverse_time_decay",
    checks="one-step law-clips law-schedules",
    cases="keras-v2-adam/rate-decay/ keras-v2-adam/schedules/and-decay",
    mutants="RateDecaysFromOne DecayBeforeSchedule",
    differs="Adam, whose document does not name it, takes it too",
)
_r.add(
    "argument",
    "global_clipnorm",
    "the base class: limits the norm of all gradients together",
    tests="test_clipping",
    stages="global_norm clip_global_norm",
    checks="one-step law-clips",
    cases="keras-v2-adam/clipping/global-norm keras-v2-adam/clipping/global-norm-rows",
    differs="the list of what the keywords may be does not name it; it is taken",
)
_r.add(
    "method",
    "get_config",
    "the hyper-parameters, with learning_rate, decay, beta_1, beta_2, epsilon and amsgrad",
    checks="law-configuration",
    tests=_NAMES,
)
_r.add(
    "method",
    "set_weights",
    "takes the 3 n + 1 arrays of Keras 1 as well, without its maxima",
    tests="adapters/test_keras_saving.py::test_the_weights_of_keras_1_are_accepted_with_their_maxima",
)
_r.add(
    "behaviour",
    "update rule",
    "lr_t = lr sqrt(1 - beta_2^t) / (1 - beta_1^t); m and v; theta - lr_t m / (sqrt(v) + epsilon)",
    stages="first_moment second_moment epsilon_hat subtract",
    checks="one-step free-running golden direct identity",
    cases="keras-v2-adam/first-steps/plain keras-v2-adam/sign-alternation/dense "
    "keras-v2-adam/zeros-from-the-start/dense",
    tests="test_further_steps_are_the_formula",
    mutants="NonFusedMinusEpsilon",
    differs="the printed code of NonFusedAdam subtracts epsilon in the dense step; 2.15 adds it, as the formula does",
)
_r.add(
    "behaviour",
    "update rule with amsgrad",
    "sqrt(v_max), the maximum of all v so far, in the place of sqrt(v)",
    stages="amsgrad_maximum",
    checks="law-amsgrad",
    cases="keras-v2-adam/spike/amsgrad",
)
_r.add(
    "behaviour",
    "slots",
    "m of every variable, then v of every variable, then vhat with amsgrad",
    tests="state::test_slots_are_named_in_the_order_of_their_creation",
)
_r.add(
    "behaviour",
    "sparse gradients",
    "as dense ones of zeros elsewhere: all rows of the moments decay, and all rows of the variable move",
    stages="sum_duplicate_rows scatter_rows",
    checks="law-sparse-dense law-row-order",
    cases="keras-v2-adam/first-steps/rows keras-v2-adam/first-steps/duplicate-rows keras-v2-adam/large-epsilon/rows",
    tests="adapters/test_keras_environment.py::test_which_rows_a_sparse_gradient_moves",
)
_r.add(
    "behaviour",
    "several variables",
    "each has moments of its own",
    checks="equal-shapes law-independence",
    tests="adapters/test_keras_environment.py::test_nonfused_variables_of_equal_shape_share_the_moments_of_the_first",
    findings="keras-nonfused-adam-shares-moments",
    differs="NonFusedAdam: variables of equal shape share the first one's",
)
_r.add(
    "example",
    "10 becomes 9.9",
    "one minimize of x^2 / 2 from 10 with learning rate 0.1, by either class",
    stages="epsilon_hat",
    tests="test_the_first_step_is_the_learning_rate_against_the_sign",
)

_PARTS = "state::test_the_parts_of_a_step_can_be_called"
_STAGES = "first_moment second_moment epsilon_hat subtract"
_OWN = "state::test_an_optimizer_of_ones_own_overrides_what_the_document_names"
_r.add_arguments(
    "set_weights",
    {"weights": "arrays, as get_weights gives them or as Keras 1 did"},
    tests="adapters/test_keras_saving.py::test_the_weights_of_keras_1_are_accepted_with_their_maxima",
)
_r.add("method", "_create_slots", "makes m, v and, with amsgrad, vhat", tests=f"{_PARTS} {_OWN}")
_r.add_arguments("_create_slots", {"var_list": "the variables that get them"}, tests=f"{_PARTS} {_OWN}")
_r.add("method", "_prepare_local", "the step's scalars, of a device and a dtype", tests=_PARTS)
_r.add_arguments(
    "_prepare_local",
    {
        "var_device": "where they will be",
        "var_dtype": "what they are rounded to",
        "apply_state": "the dictionary that they are put into, under both",
    },
    checks="one-step",
    tests=_PARTS,
)
for _kind in ("dense", "sparse"):
    _method = f"_resource_apply_{_kind}"
    _held = {
        "stages": _STAGES,
        "checks": "one-step golden",
        "cases": f"keras-v2-adam/first-steps/{'plain' if _kind == 'dense' else 'rows'}",
        "tests": f"{_PARTS} {_OWN}",
    }
    _r.add("method", _method, f"one variable's step with a {_kind} gradient", **_held)
    _of_rows = {"indices": "the rows that it is of"} if _kind == "sparse" else {}
    _r.add_arguments(_method, {"grad": "the gradient", "var": "the variable", **_of_rows}, **_held)
    _r.add_arguments(
        _method, {"apply_state": "what _prepare_local has filled; without it that is done anew"}, tests=_PARTS
    )

DOCUMENT = Document(
    title="Keras: Adam and NonFusedAdam",
    about="keras.optimizer_v2.adam, source and reference page; run on Keras 2.15.0 (`keras.optimizers.legacy`)",
    environment="keras",
    paths=("keras.src.optimizers.legacy.adam:Adam", "keras.src.optimizers.legacy.adam:NonFusedAdam"),
    dialects=("keras-v2-adam",),
    rows=tuple(_r.rows),
    repeats="Keras: the base class OptimizerV2",
)
