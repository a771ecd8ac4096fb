"""The document of MXNet 2's Adam."""

from __future__ import annotations

from conformance.documents.row import Document, Rows

_r = Rows("documents/test_mxnet2.py")
_ENVIRONMENT = "adapters/test_mxnet_environment.py"
_FORMULA = "test_standard_updates_are_the_formula"
_CHOSEN = "test_the_method_that_use_fused_step_chooses_can_be_called"
_SCHEDULER = "test_a_learning_rate_of_none_is_the_scheduler_s test_any_other_learning_rate_overwrites_the_scheduler_s"
_FACTORS = "test_rates_and_decays_may_have_factors_of_their_own"
_SCHEDULED = " ".join(
    f"adapters/test_mxnet_schedulers.py::test_{name}"
    for name in (
        "the_reference_gives_what_the_scheduler_gives",
        "every_weight_moves_at_the_rate_of_num_update",
        "warm_up_comes_first",
        "a_weight_that_lags_behind_is_asked_for_before_the_others_count",
        "num_update_begins_at_begin_num_update",
        "a_saved_scheduler_goes_on",
        "a_learning_rate_overwrites_base_lr_which_some_schedulers_do_not_read",
        "why_an_assignment_behind_the_last_update_is_not_claimed",
        "why_a_state_beside_a_scheduler_is_not_claimed",
    )
)
_INDICES = "adapters/test_mxnet_indices.py"
_MULTIPLIERS = "LrMultIgnored WdMultIgnored MultipliersExchanged MultipliersOfPresent LrMultTwice"
_FORMS = f"{_INDICES}::test_all_forms_of_multipliers_give_the_same_bits"
_MOMENTS = "first_moment second_moment epsilon_as_given epsilon_hat subtract"

_r.add(
    "argument",
    "learning_rate",
    "a number, which overwrites the scheduler's; None is the scheduler's, and 0.01 without one",
    stages="epsilon_hat subtract",
    checks="one-step free-running law-scale law-zero-rate law-change",
    cases="mxnet2-adam/first-steps/plain",
    tests=_SCHEDULER,
    findings="mxnet2-parameters-are-not-rounded-to-nearest mxnet-learning-rate-does-not-overwrite-every-scheduler",
    differs="the default of 0.001 overwrites the scheduler's too; Poly, Cosine and warm-up keep their own;"
    " some numbers arrive one unit of float32 off",
)
for _beta, _stage in (("beta1", "first_moment"), ("beta2", "second_moment")):
    _r.add(
        "argument",
        _beta,
        "decay rate of the moment",
        stages=f"{_stage} epsilon_hat",
        checks="one-step free-running law-betas law-change",
        cases="mxnet2-adam/first-steps/plain",
        tests=_CHOSEN,
    )
_r.add(
    "argument",
    "epsilon",
    "a small number against a division by 0",
    stages="epsilon_as_given epsilon_hat",
    checks="one-step golden",
    cases="mxnet2-adam/large-epsilon/dense mxnet2-adam/large-epsilon/rows",
    tests=f"{_ENVIRONMENT}::test_zero_hyperparameters",
)
_r.add(
    "argument",
    "lazy_update",
    "whether rows that a row_sparse gradient does not name stay, where weight and gradient are row_sparse",
    stages="gather_rows restore_rows",
    checks="law-untouched-rows identity",
    cases="mxnet2-adam-lazy/first-steps/rows mxnet2-adam-lazy/large-epsilon/rows",
    tests=f"test_lazy_update_needs_the_fused_step {_ENVIRONMENT}::test_lazy_moves_and_decays_the_named_rows_only",
    findings="mxnet2-lazy-update-acts-on-dense-weights",
    differs="it acts on dense weights as well",
)
_r.add(
    "argument",
    "use_fused_step",
    "whether fused_step runs, or step",
    checks="identity direct",
    tests=f"{_CHOSEN} {_FORMULA}",
)
_r.add(
    "argument",
    "rescale_grad",
    "the base class: a factor of the gradient",
    stages="rescale",
    checks="one-step law-change",
    cases="mxnet2-adam/first-steps/rescale-clip-l2",
    tests=_CHOSEN,
)
_r.add(
    "argument",
    "clip_gradient",
    "the base class: limits the rescaled gradient from both sides",
    stages="clip",
    checks="one-step clip-gradient-zero law-switched-on",
    cases="mxnet2-adam/first-steps/clip-and-l2",
    tests=f"{_CHOSEN} {_ENVIRONMENT}::test_a_negative_clip_gradient_is_ignored_by_the_kernels_and_inverts_in_step",
    mutants="ZeroClipIgnored ClipsAfterDecay",
    findings="mxnet2-fused-adam-ignores-clip-gradient-zero",
    differs="fused_step ignores 0",
)
_r.add(
    "argument",
    "wd",
    "the base class: wd times the weight is added to the clipped gradient",
    stages="l2",
    checks="one-step law-zero-gradient law-switched-on",
    cases="mxnet2-adam/first-steps/l2",
    tests=f"{_CHOSEN} {_FACTORS}",
    mutants="DecayMultipliesGradient ClipsAfterDecay",
)
_r.add(
    "argument",
    "lr_scheduler",
    "the base class: the learning rate by the number of updates",
    stages="scheduled_by_updates",
    checks="law-lr-scheduler law-switched-on law-saved-settings law-changed-settings",
    cases="mxnet2-adam/lr-scheduler/",
    tests=f"{_SCHEDULER} {_SCHEDULED} "
    "documents/test_schedule_signatures.py::test_a_schedule_takes_what_the_contract_s_takes_with_its_defaults",
    mutants="AskedForOwnCount AskedOnceForAll EndsBeforeItBegins SchedulerLostOnLoad",
    differs="Poly and Cosine that are first asked behind max_update keep base_lr",
    findings="mxnet-learning-rate-does-not-overwrite-every-scheduler",
)
_r.add(
    "argument",
    "begin_num_update",
    "the base class: the count from which t goes on",
    checks="law-begin",
    cases="mxnet2-adam/begin/ten",
    tests=f"test_begin_num_update_is_where_t_begins {_INDICES}::test_t_of_every_weight_begins_at_begin_num_update",
    mutants="BeginIgnored BeginIsTheFirstStep BeginLostOnLoad",
)
_r.add(
    "argument",
    "param_idx2name",
    "the base class: names of the indices",
    tests=f"{_FACTORS} test_arguments_that_are_refused"
    f" {_INDICES}::test_names_say_nothing_but_in_1_9_that_biases_do_not_decay",
)
for _name, _what in (
    ("sym", "a symbol whose attributes hold factors"),
    ("param_dict", "parameters that hold factors of their own"),
):
    _r.add(
        "argument",
        _name,
        f"the base class: {_what}",
        stages="multiply",
        checks="law-multipliers",
        cases="mxnet2-adam/multipliers/",
        tests=f"{_FACTORS} {_FORMS} {_INDICES}::test_parameters_and_symbols_without_multipliers_say_nothing",
        mutants=_MULTIPLIERS,
    )
_r.add(
    "argument",
    "multi_precision",
    "the base class: a float32 copy of float16 weights",
    checks="law-master law-low-precision",
    tests="test_a_float16_weight_has_a_float32_copy_where_precision_is_multiple"
    f" {_INDICES}::test_the_weight_is_rounded",
    mutants="MasterNotKept MomentsInHalf RescaledInHalf WeightIsTruncated MasterIsNotSaved",
)
_r.add(
    "argument",
    "aggregate_num",
    "the base class: how many weights one update takes together",
    tests="test_how_many_weights_are_updated_together_is_not_seen"
    f" {_INDICES}::test_how_many_weights_an_updater_hands_over_together_is_not_seen",
)
_r.add(
    "method",
    "create_state",
    "mean and variance, zeros of the weight's shape; of its storage where lazy",
    tests="test_a_state_is_mean_and_variance_of_zeros_stored_as_the_weight_where_lazy",
)
_r.add(
    "method",
    "step",
    "one update of every index, operation by operation",
    stages=f"rescale clip l2 {_MOMENTS}",
    checks="one-step golden direct",
    cases="mxnet2-adam/first-steps/rescale-clip-l2",
    tests=f"{_CHOSEN} {_FORMULA}",
    differs="it rescales the caller's gradient where it lies",
)
_r.add(
    "method",
    "fused_step",
    "one update of every index, by the fused kernel",
    stages=f"rescale clip l2 {_MOMENTS}",
    checks="one-step golden direct",
    cases="mxnet2-adam/first-steps/rescale-clip-l2",
    tests=f"{_CHOSEN} {_FORMULA}",
)
for _name in ("set_lr_mult", "set_wd_mult"):
    _r.add(
        "method",
        _name,
        "a factor of an index' own",
        stages="multiply",
        checks="law-multipliers",
        cases="mxnet2-adam/multipliers/",
        tests=f"{_FACTORS} {_FORMS} {_INDICES}::test_setting_multipliers_forgets_those_that_were_set",
        mutants=f"{_MULTIPLIERS} MultipliersLostOnLoad",
    )
_r.add(
    "method",
    "set_learning_rate",
    "(of the base class, not in this document) holds from the next step on, where there is no scheduler",
    checks="law-change",
    tests="test_a_learning_rate_can_be_set_where_there_is_no_scheduler",
)
_r.add(
    "error",
    "lazy_update without use_fused_step",
    "AssertionError",
    tests="test_lazy_update_needs_the_fused_step",
)
_r.add(
    "behaviour",
    "standard updates",
    "clip(rescale_grad g) + wd w; m and v; w - lr_t m / (sqrt(v) + epsilon)",
    stages=f"rescale clip l2 {_MOMENTS}",
    checks="one-step free-running golden direct long-run",
    cases="mxnet2-adam/first-steps/plain mxnet2-adam/thousand-steps/dense mxnet2-adam/sign-alternation/dense",
    tests=_FORMULA,
)
_r.add(
    "behaviour",
    "lazy updates",
    "the same for the rows that the gradient names, and nothing for the others",
    stages=f"gather_rows rescale clip l2 {_MOMENTS} restore_rows",
    checks="law-untouched-rows law-row-order one-step golden",
    cases="mxnet2-adam-lazy/first-steps/rows",
    tests=f"{_ENVIRONMENT}::test_lazy_moves_and_decays_the_named_rows_only "
    f"{_ENVIRONMENT}::test_why_unsorted_and_duplicate_rows_are_not_claimed",
    findings="mxnet2-unsorted-rows-reach-wrong-rows mxnet2-row-sparse-weight-refuses-after-zero-rows",
    differs="unsorted rows reach other rows; row_sparse weights are refused after a zero row",
)
_r.add(
    "behaviour",
    "registration",
    "it is found by its name",
    tests="test_it_is_registered_by_its_name",
)

_TOGETHER = (
    f"test_how_many_weights_are_updated_together_is_not_seen "
    f"{_INDICES}::test_how_many_weights_an_updater_hands_over_together_is_not_seen"
)
_HALF = "test_a_float16_weight_has_a_float32_copy_where_precision_is_multiple"
_ZEROS = "test_a_state_is_mean_and_variance_of_zeros_stored_as_the_weight_where_lazy"
_r.add(
    "method",
    "update",
    "(of the base class, not in this document) step or fused_step, of a few weights at a time",
    checks="one-step free-running golden",
    tests=f"{_FORMULA} {_TOGETHER}",
)
_r.add(
    "method",
    "update_multi_precision",
    "(of the base class, not in this document) update of the copies, which the weights are rounded from",
    checks="law-master law-low-precision",
    tests=_HALF,
)
_r.add(
    "method",
    "create_state_multi_precision",
    "(of the base class, not in this document) the float32 copy of a float16 weight, and its state",
    checks="law-master law-low-precision",
    tests=_HALF,
)
for _method in ("create_state", "create_state_multi_precision"):
    _r.add_arguments(
        _method,
        {"index": "of the weight; nothing depends on it", "weight": "whose shape, dtype and storage the state has"},
        tests=_ZEROS if _method == "create_state" else _HALF,
    )
for _method, _tests in (
    ("step", _CHOSEN),
    ("fused_step", _CHOSEN),
    ("update", _TOGETHER),
    ("update_multi_precision", _HALF),
):
    _r.add_arguments(
        _method,
        {"indices": "numbers of the weights, by which each has a t and factors of its own"},
        checks="step-count law-multipliers law-begin",
        cases="mxnet2-adam/multipliers/",
        tests=f"{_tests} {_INDICES}::test_t_of_every_weight_begins_at_begin_num_update",
        mutants="MultipliersOfPresent",
    )
    _r.add_arguments(
        _method,
        {
            "weights": "which move in place",
            "grads": "of the objective, one of each",
            "states": "as create_state made them, which move in place too",
        },
        checks="law-master" if "multi" in _method else "one-step golden",
        tests=_tests,
    )
_r.add_arguments(
    "set_learning_rate",
    {"lr": "a number"},
    checks="law-change",
    tests="test_a_learning_rate_can_be_set_where_there_is_no_scheduler",
)
for _name in ("lr_mult", "wd_mult"):
    _r.add_arguments(
        f"set_{_name}",
        {f"args_{_name}": "factors by index or by name"},
        stages="multiply",
        checks="law-multipliers",
        cases="mxnet2-adam/multipliers/",
        tests=f"{_FACTORS} {_FORMS} {_INDICES}::test_setting_multipliers_forgets_those_that_were_set",
        mutants=f"{_MULTIPLIERS} MultipliersLostOnLoad",
    )

DOCUMENT = Document(
    title="MXNet 2: Adam",
    about="mxnet.optimizer.adam, source; run on MXNet 2.0.0b1",
    environment="mxnet",
    paths=("mxnet.optimizer:Adam", "mxnet.optimizer:Optimizer"),
    dialects=("mxnet2-adam", "mxnet2-adam-lazy"),
    rows=tuple(_r.rows),
)
