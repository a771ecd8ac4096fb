"""The document of tf_keras' Adam."""

from __future__ import annotations

from conformance.documents.row import Document, Rows

_r = Rows("documents/test_tf_keras.py")
_FORMULA = "test_steps_are_the_formula"
_CONFIGURATION = "test_a_configuration_makes_the_same_optimizer"
_REFUSED = "test_arguments_that_are_refused"
_CLIPPING = "test_clipping_takes_one_of_its_arguments"
_AVERAGE = "test_the_average_starts_at_the_initial_value_and_is_written_at_the_end_when_it_is_asked_for"
_OVERWRITES = "test_the_average_overwrites_the_variable_every_so_many_steps"
_WITHOUT = "test_without_use_ema_nothing_is_averaged_and_fit_writes_the_average_at_its_end"

_r.add(
    "argument",
    "learning_rate",
    "a number, a tensor, a schedule, or a callable that is called for the value",
    stages="scheduled_rate epsilon_hat subtract decay_theta",
    checks="one-step free-running law-scale law-zero-rate law-schedules law-forms law-change law-switched-on",
    cases="tf-keras-adam/first-steps/plain tf-keras-adam/schedules/",
    tests="test_a_rate_may_be_a_tensor_or_a_schedule_and_a_callable_is_read_once",
    mutants="LearningRateAtMostOne StaircaseIgnored WeightDecayUnscheduled",
    findings="keras-adam-callable-learning-rate-is-read-once",
    differs="a callable is read once, when Adam is made",
)
for _beta, _stage in (("beta_1", "first_moment"), ("beta_2", "second_moment")):
    _r.add(
        "argument",
        _beta,
        "a number, a constant tensor, or a callable: decay rate of the moment",
        stages=f"{_stage} epsilon_hat",
        checks="one-step free-running law-betas law-change",
        cases="tf-keras-adam/first-steps/plain",
        tests="test_betas_may_be_tensors_and_no_callables_and_epsilon_is_a_number "
        "test_a_beta_that_is_a_tensor_is_rounded_before_1_is_less_by_it",
        findings="keras-adam-callable-beta-raises",
        differs="a callable fails in the first step, and so does a float32 tensor beside a float64 variable",
    )
_r.add(
    "argument",
    "epsilon",
    "epsilon hat of the paper, or with adaptive_epsilon the paper's own",
    stages="epsilon_as_given epsilon_hat",
    checks="one-step golden",
    cases="tf-keras-adam/large-epsilon/dense",
    tests=f"{_FORMULA} adapters/test_keras3_environment.py::test_epsilon_0_stays_0",
    mutants="NoEpsilon",
)
_r.add(
    "argument",
    "adaptive_epsilon",
    "epsilon hat is computed from epsilon, which then is the paper's",
    stages="epsilon_hat",
    checks="one-step",
    cases="tf-keras-adam/large-epsilon/adaptive tf-keras-adam/large-epsilon/adaptive-rows",
    tests=f"{_FORMULA} adapters/test_keras3_environment.py::test_adaptive_epsilon_is_scaled",
    mutants="AdaptiveEpsilonDenseOnly",
    findings="tf-keras-configuration-drops-adaptive-epsilon",
    differs="the configuration lacks it",
)
_r.add(
    "argument",
    "amsgrad",
    "whether the maximum of v divides",
    stages="amsgrad_maximum",
    checks="one-step law-amsgrad",
    cases="tf-keras-adam/spike/amsgrad",
    tests=_FORMULA,
)
_r.add(
    "argument",
    "weight_decay",
    "a decay, if it is given",
    stages="decay_theta",
    checks="one-step law-zero-gradient law-switched-on",
    cases="tf-keras-adam/first-steps/weight-decay",
    tests="test_weight_decay_shrinks_before_the_step_by_rate_and_decay",
    mutants="DecayAfterStep",
)
_r.add(
    "argument",
    "clipnorm",
    "limits the norm of each gradient",
    tests=_CLIPPING,
    stages="clip_in_one_way",
    checks="one-step law-clips",
    cases="tf-keras-adam/clipping/norm tf-keras-adam/clipping/norm-rows",
    mutants="NormAlwaysScales",
    differs="0 and below are off",
)
_r.add(
    "argument",
    "clipvalue",
    "limits every element of a gradient from above",
    tests=_CLIPPING,
    stages="clip_in_one_way",
    checks="one-step law-clips",
    cases="tf-keras-adam/clipping/value tf-keras-adam/clipping/value-zero tf-keras-adam/clipping/value-and-norm",
    mutants="ClipvalueZeroClips ValuesBesideNorms",
    findings="tf-keras-clipvalue-is-dropped-beside-a-norm",
    differs="it limits them from below too; beside a norm it does nothing; 0 and below are off",
)
_r.add(
    "argument",
    "global_clipnorm",
    "limits the norm of all gradients together",
    tests=_CLIPPING,
    stages="global_norm clip_in_one_way",
    checks="one-step law-clips",
    cases="tf-keras-adam/clipping/global-norm",
    differs="0 and below are off",
)
_r.add(
    "argument",
    "use_ema",
    "whether an average of the variables is kept and written over them",
    tests=f"{_AVERAGE} {_WITHOUT}",
    stages="average overwrite",
    checks="law-averages law-saved-average law-finalized",
    cases="tf-keras-adam/ema/average tf-keras-adam/ema/absent",
    mutants="AverageFromZeros AveragesWithoutGradient",
)
_r.add(
    "argument",
    "ema_momentum",
    "average = momentum average + (1 - momentum) value; only with use_ema",
    tests=f"{_AVERAGE} {_WITHOUT} {_REFUSED}",
    stages="average",
    checks="law-averages",
    cases="tf-keras-adam/ema/average",
    mutants="AverageShareExchanged",
)
_r.add(
    "argument",
    "ema_overwrite_frequency",
    "in every so many steps the average is written over the variable; None: at the end, when it is asked for",
    tests=f"{_OVERWRITES} {_AVERAGE} {_REFUSED}",
    stages="overwrite",
    checks="law-averages",
    cases="tf-keras-adam/ema/overwrite",
    mutants="AverageNeverOverwrites",
)
_r.add(
    "argument",
    "jit_compile",
    "whether XLA compiles; ignored without a GPU",
    checks="identity",
    tests="test_jit_compile_is_off_where_there_is_no_gpu",
)
_r.add(
    "argument",
    "mesh",
    "a device mesh, which makes the state distributed",
    tests="test_further_arguments_are_taken_and_do_nothing "
    "test_on_a_mesh_of_one_device_steps_are_the_same_and_variables_must_be_of_it",
)
_r.add(
    "argument",
    "lr",
    "(keywords for compatibility) the learning rate by its old name",
    tests="test_further_arguments_are_taken_and_do_nothing",
    differs="it is taken and does nothing",
)
_r.add("argument", "name", "of the weights that hold the moments", tests="test_the_name_is_that_of_the_slots")
_r.add(
    "method",
    "finalize_variable_values",
    "writes the average over the variables; fit does so at the end of the last epoch",
    tests=f"{_AVERAGE} {_WITHOUT}",
    checks="law-finalized",
    mutants="FinalizeIsForgotten",
)
_r.add(
    "method",
    "exclude_from_weight_decay",
    "(not in this document) the variables that decay leaves alone",
    stages="decay_theta",
    checks="law-exclusions",
    cases="tf-keras-adam/exclude/second",
    tests="test_weight_decay_shrinks_before_the_step_by_rate_and_decay "
    "test_variables_are_excluded_from_decay_by_what_a_pattern_finds_in_their_name",
    mutants="ExclusionIgnored",
)
_r.add(
    "method",
    "get_config",
    "(not in this document) the constructor's arguments",
    checks="law-configuration",
    tests=_CONFIGURATION,
    findings="tf-keras-configuration-drops-adaptive-epsilon",
)
_r.add("method", "build", "(not in this document) makes the moments", tests="test_the_name_is_that_of_the_slots")
_r.add(
    "method",
    "update_step",
    "(not in this document) one variable's step",
    stages="first_moment second_moment epsilon_hat subtract",
    checks="one-step free-running golden direct",
    cases="tf-keras-adam/first-steps/plain",
    tests=_FORMULA,
)
_r.add(
    "error",
    "clipnorm with global_clipnorm",
    "(not in this document) ValueError",
    tests=_CLIPPING,
)
_r.add(
    "error",
    "keywords of the older class",
    "(keywords for compatibility) decay, gradient_aggregator, gradient_transformers: ValueError; others: TypeError",
    tests=_REFUSED,
    differs="the document promises compatibility and names none",
)
_r.add(
    "behaviour",
    "sparse gradients",
    "as dense ones of zeros elsewhere: all rows of the moments decay, and all rows of the variable move",
    stages="sum_duplicate_rows scatter_rows",
    checks="law-sparse-dense law-row-order",
    cases="tf-keras-adam/first-steps/rows tf-keras-adam/first-steps/duplicate-rows",
    tests="test_a_sparse_gradient_moves_every_row",
)

_r.add(
    "behaviour",
    "constraints",
    "(not in this document) act after the step and after the average, of a variable with a gradient",
    stages="constrain",
    checks="law-constraints",
    cases="tf-keras-adam/constraint/non-neg tf-keras-adam/constraint/average",
    mutants="AverageOfConstrained ConstrainsBeforeStep MinMaxNormLeavesShortAlone",
)
_r.add(
    "behaviour",
    "replicas",
    "(not in this document) gradients are summed over them, unless the caller says that they are aggregated",
    checks="law-replicas law-unaggregated",
    mutants="FirstReplicaForAll",
    findings="keras-adam-cross-replica-is-an-attributeerror",
)

_NAMED = "test_a_step_may_have_a_name_and_its_loss_a_tape"
_PARTS = "test_the_parts_of_a_step_can_be_called"
_r.add(
    "method",
    "apply_gradients",
    "(not in this document) one step from pairs",
    checks="one-step step-count law-replicas law-unaggregated",
    tests=f"{_FORMULA} {_NAMED}",
)
_r.add("method", "minimize", "(not in this document) gradients of a loss, and a step", tests=f"{_FORMULA} {_NAMED}")
_r.add_arguments("apply_gradients", {"grads_and_vars": "pairs"}, checks="one-step step-count", tests=_FORMULA)
_r.add_arguments(
    "apply_gradients",
    {"name": "of the scope in which variables are made"},
    tests=_NAMED,
    differs="it is not seen in their names",
)
_r.add_arguments(
    "apply_gradients",
    {
        "skip_gradients_aggregation": "whether the caller has summed the gradients of replicas; the older "
        "experimental_aggregate_gradients is its opposite"
    },
    checks="law-unaggregated",
    tests=_NAMED,
)
_r.add_arguments("build", {"var_list": "the variables that get moments"}, tests=f"{_PARTS}")
_r.add_arguments(
    "exclude_from_weight_decay",
    {"var_list": "variables"},
    stages="decay_theta",
    checks="law-exclusions",
    cases="tf-keras-adam/exclude/second tf-keras-adam/exclude/both",
    tests="test_weight_decay_shrinks_before_the_step_by_rate_and_decay",
    mutants="ExclusionIgnored",
)
_r.add_arguments(
    "exclude_from_weight_decay",
    {"var_names": "patterns of their names"},
    tests="test_variables_are_excluded_from_decay_by_what_a_pattern_finds_in_their_name",
)
_r.add_arguments(
    "finalize_variable_values",
    {"var_list": "the variables that the averages are written over"},
    tests=f"{_AVERAGE} {_WITHOUT}",
    checks="law-finalized",
    mutants="FinalizeIsForgotten FinalizeExchanges",
)
_r.add_arguments(
    "minimize",
    {"loss": "a callable, or a tensor", "var_list": "variables", "tape": "which has computed a loss that is a tensor"},
    tests=f"{_FORMULA} {_NAMED}",
)
_r.add_arguments(
    "update_step",
    {"gradient": "dense, or rows of one", "variable": "that `build` was given"},
    stages="first_moment second_moment epsilon_hat subtract",
    checks="one-step golden",
    cases="tf-keras-adam/first-steps/plain tf-keras-adam/first-steps/rows",
    tests=_PARTS,
)

DOCUMENT = Document(
    title="tf_keras: Adam",
    about="tf_keras.optimizers.Adam, reference page; run on tf_keras 2.21.0",
    environment="keras3",
    paths=("tf_keras.optimizers:Adam",),
    dialects=("tf-keras-adam",),
    rows=tuple(_r.rows),
)
