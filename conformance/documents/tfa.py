"""The document of TF-Addons' RectifiedAdam, which shows Lookahead around it."""

from __future__ import annotations

from conformance.documents.row import Document, Rows

_r = Rows("documents/test_keras_addons.py")
_SHOWN = "test_as_it_is_shown_it_is_the_formula_with_the_defaults"
_WARM_UP = (
    "adapters/test_keras_warm_up.py::test_the_documented_warm_up "
    "adapters/test_keras_warm_up.py::test_the_live_optimizer_fused_adam_and_the_formula_agree"
)
_UP: dict[str, str] = {
    "stages": "warm_up",
    "checks": "law-schedules law-saved-settings law-changed-settings",
    "cases": "tfa-rectified-adam/warm-up/",
}
_RANGER = "test_ranger_is_lookahead_around_it"
_REFUSED = "test_arguments_that_are_refused"
_CONFIGURATION = "test_a_configuration_makes_the_same_optimizer_with_its_warm_up"

_r.add(
    "argument",
    "learning_rate",
    "a number, a tensor or a schedule",
    stages="scheduled_rate rectified subtract",
    checks="one-step free-running law-scale law-zero-rate law-schedules law-forms law-change",
    cases="tfa-rectified-adam/first-steps/plain tfa-rectified-adam/schedules/",
    tests=f"{_SHOWN} {_CONFIGURATION}",
)
for _beta, _stage in (("beta_1", "first_moment"), ("beta_2", "second_moment")):
    _r.add(
        "argument",
        _beta,
        "a number or a constant tensor: decay rate of the moment",
        stages=f"{_stage} rectified",
        checks="one-step free-running law-betas law-forms law-change",
        cases="tfa-rectified-adam/first-steps/plain",
        tests=_SHOWN,
    )
_r.add(
    "argument",
    "epsilon",
    "a small constant",
    stages="zero_epsilon_is_default rectified",
    checks="one-step epsilon-zero golden",
    cases="tfa-rectified-adam/large-epsilon/dense",
    mutants="RectifiedWithoutEpsilon RectifiedEpsilonInsideRoot",
    findings="keras-epsilon-zero-is-not-zero",
    differs="0 becomes 1e-7",
)
_r.add(
    "argument",
    "weight_decay",
    "a number, a tensor or a schedule: decay of each parameter",
    stages="scheduled_weight_decay decay_direction",
    checks="one-step law-zero-gradient law-schedules law-forms law-switched-on",
    cases="tfa-rectified-adam/first-steps/weight-decay tfa-rectified-adam/schedules/weight-decay",
    tests="test_weight_decay_may_be_a_schedule",
    mutants="DecayWithoutLearningRate WeightDecayScheduleIgnored",
    findings="tfa-rectified-adam-decay-stays-off",
    differs="given later it never acts",
)
_r.add(
    "argument",
    "amsgrad",
    "whether the maximum of v divides",
    stages="amsgrad_maximum",
    checks="one-step law-amsgrad",
    cases="tfa-rectified-adam/spike/amsgrad",
)
_r.add(
    "argument",
    "sma_threshold",
    "from which length of the simple moving average on it rectifies",
    stages="rectified",
    checks="one-step free-running law-forms",
    cases="tfa-rectified-adam/first-steps/plain",
    tests="adapters/test_keras_environment.py::test_where_the_rectification_is_no_number_framework_and_oracle_are_nan_together",
    mutants="RectifiesTooLate",
    findings="tfa-rectified-adam-nan-below-threshold-4",
    differs="below 4 it may be NaN",
)
_r.add(
    "argument",
    "total_steps",
    "of the training; above 0 there is a warm-up",
    tests=f"{_WARM_UP} {_CONFIGURATION} {_REFUSED}",
    mutants="WarmUpCountsFromZero GoesOnBelowMinLr DecayAfterWarmUp WarmUpStaysOff",
    findings="tfa-rectified-adam-warm-up-cannot-be-switched",
    differs="given later it does not act, and 0 given later trains on with min_lr, which is not at all by default",
    **_UP | {"checks": f"{_UP['checks']} law-switched-warm-up"},
)
_ANY_FORM = _UP | {"checks": f"{_UP['checks']} law-forms"}
_r.add("argument", "warmup_proportion", "the share of steps that go up", tests=_WARM_UP, **_ANY_FORM)
_r.add("argument", "min_lr", "the learning rate at the end", tests=_WARM_UP, mutants="MinLrIgnored", **_ANY_FORM)
_r.add(
    "argument",
    "name",
    "of the operations",
    tests=f"{_CONFIGURATION} {_REFUSED} test_the_configuration_of_ranger_holds_the_optimizer_inside",
)
_r.add(
    "argument", "optimizer", "(Lookahead) what it is put around", tests=f"{_RANGER} test_what_lookahead_refuses_to_wrap"
)
_r.add(
    "argument",
    "sync_period",
    "(Lookahead) steps between two synchronisations",
    stages="lookahead",
    checks="one-step free-running golden",
    cases="tfa-lookahead-rectified-adam/first-steps/plain tfa-lookahead-rectified-adam/first-steps/every-step",
    tests=_RANGER,
    findings="tfa-lookahead-cannot-be-switched-off",
)
_r.add(
    "argument",
    "slow_step_size",
    "(Lookahead) the share of the way that the slow weights go",
    stages="lookahead",
    checks="one-step free-running golden",
    cases="tfa-lookahead-rectified-adam/first-steps/plain",
    tests=f"{_RANGER} adapters/test_keras_lookahead.py::test_theta_goes_a_share_of_the_way_that_arrives_in_float32",
)
for _name, _stage, _case in (
    ("clipnorm", "clip_norm", "tfa-rectified-adam/clipping/norm"),
    ("clipvalue", "clip_values", "tfa-rectified-adam/clipping/value"),
):
    _r.add(
        "argument",
        _name,
        "as in the base class",
        stages=_stage,
        checks="one-step law-clips",
        cases=_case,
        tests="test_clipping_is_that_of_the_base_class",
        findings="tfa-lookahead-drops-inner-clipping",
        differs="inside Lookahead it does nothing",
    )
_r.add("argument", "lr", "the learning rate by its old name", tests=f"{_SHOWN} {_CONFIGURATION}")
_r.add(
    "argument",
    "decay",
    "inverse time decay of the learning rate",
    tests="test_decay_divides_the_learning_rate_by_the_iterations",
    stages="inverse_time_decay",
    checks="one-step law-clips",
    cases="tfa-rectified-adam/rate-decay/",
    mutants="RateDecaysExponentially",
    findings="tfa-lookahead-ignores-lr-and-decay",
    differs="Lookahead takes lr and decay and does nothing with them",
)
_r.add("method", "get_config", "all arguments", checks="law-configuration", tests=_CONFIGURATION)
_r.add(
    "method", "set_weights", "puts what get_weights gives", tests="test_weights_can_be_set_and_the_list_of_keras_1_too"
)
_r.add(
    "method",
    "from_config",
    "(Lookahead) the optimizer of a configuration, with the one inside",
    checks="law-configuration",
    tests="test_the_configuration_of_ranger_holds_the_optimizer_inside",
)
_r.add(
    "method",
    "apply_gradients",
    "(Lookahead) a step of the one inside, and of the slow weights",
    stages="lookahead",
    checks="one-step step-count",
    cases="tfa-lookahead-rectified-adam/first-steps/absent-at-sync",
    tests=f"{_RANGER} adapters/test_keras_lookahead.py::"
    "test_a_variable_without_gradient_is_not_synchronised_and_has_no_slow_weights_before_its_first",
)
_r.add("attribute", "weights", "(Lookahead) its own, then those of the one inside", tests="test_slots_and_weights")
for _name in ("learning_rate", "lr"):
    _r.add(
        "attribute",
        _name,
        "(Lookahead; not in this document) that of the one inside",
        checks="law-change",
        tests="adapters/test_keras_lookahead.py::test_an_assignment_to_the_wrapper_reaches_no_beta_inside",
    )
_r.add(
    "error",
    "arguments of another type",
    "(not in this document) TypeError",
    tests=f"{_REFUSED} test_what_lookahead_refuses_to_wrap",
)
_r.add(
    "behaviour",
    "rectification",
    "the adaptive rate's variance is made consistent, by the paper's r_t",
    stages="rectified",
    checks="one-step free-running golden direct law-rectified-scale",
    cases="tfa-rectified-adam/first-steps/plain tfa-rectified-adam/thousand-steps/dense",
    tests=_SHOWN,
)
_r.add("example", "lr=1e-3", "RectifiedAdam by the old name of the learning rate", stages="rectified", tests=_SHOWN)
_r.add(
    "example",
    "warm-up",
    "from 0 to 1e-3 in 1000 steps, from there to 1e-5 in 9000",
    tests=f"{_WARM_UP} {_CONFIGURATION}",
    **_UP,
)
_r.add(
    "example",
    "Ranger",
    "Lookahead with sync_period 6 and slow_step_size 0.5 around RectifiedAdam",
    stages="rectified lookahead",
    cases="tfa-lookahead-rectified-adam/first-steps/plain",
    tests=_RANGER,
)
_r.add(
    "example",
    "3 weights, iterations 10",
    "get_weights and set_weights of RMSprop",
    tests="documents/test_keras_state.py::test_weights_are_the_count_and_the_slots_and_can_be_set",
)

_r.add_arguments(
    "set_weights",
    {"weights": "arrays, as get_weights gives them or as Keras 1 did"},
    tests="test_weights_can_be_set_and_the_list_of_keras_1_too",
)
_r.add_arguments(
    "from_config",
    {"config": "(Lookahead) a dictionary, as get_config gives it"},
    checks="law-configuration",
    tests="test_the_configuration_of_ranger_holds_the_optimizer_inside",
)
_r.add_arguments(
    "from_config",
    {"custom_objects": "(Lookahead) the class of the optimizer inside, by its name"},
    tests="test_custom_objects_name_the_class_of_the_optimizer_inside",
)
_r.add_arguments(
    "apply_gradients",
    {"grads_and_vars": "(Lookahead) pairs"},
    checks="one-step step-count",
    tests=_RANGER,
)
_r.add_arguments(
    "apply_gradients", {"name": "(Lookahead) of the operation"}, tests="test_a_step_of_ranger_may_have_a_name"
)

DOCUMENT = Document(
    title="TF-Addons: RectifiedAdam, and Lookahead around it",
    about="tfa.optimizers.RectifiedAdam, reference page; run on TensorFlow Addons 0.23.0",
    environment="keras",
    paths=("tensorflow_addons.optimizers:RectifiedAdam", "tensorflow_addons.optimizers:Lookahead"),
    dialects=("tfa-rectified-adam", "tfa-lookahead-rectified-adam"),
    rows=tuple(_r.rows),
    repeats="Keras: the base class OptimizerV2",
)
