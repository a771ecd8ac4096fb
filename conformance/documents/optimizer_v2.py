"""The document of Keras' OptimizerV2, the base class of Keras' Adam and of TF-Addons' optimizers."""

from __future__ import annotations

from conformance.documents.row import Document, Rows

_r = Rows("documents/test_keras_optimizer_v2.py", {"state": "documents/test_keras_state.py"})
_REFUSED = "state::test_arguments_that_are_refused"
_CONFIGURATION = "state::test_a_configuration_makes_the_same_optimizer"
_WEIGHTS = "state::test_weights_are_the_count_and_the_slots_and_can_be_set"
_ADDED = "state::test_slots_and_weights_can_be_added"
_OWN = "state::test_an_optimizer_of_ones_own_overrides_what_the_document_names"
_GRAPH = "state::test_in_a_graph_there_are_gradients_updates_and_an_operation_to_run"
_REPLICAS = "test_gradients_are_summed_over_replicas_unless_the_caller_has_done_it"
_STEPS = "state::test_steps_that_are_refused"
_SLOTS = "state::test_slots_are_named_in_the_order_of_their_creation"

_r.add("argument", "name", "of the weights that it makes", tests=f"{_ADDED} {_CONFIGURATION}")
_r.add(
    "argument",
    "gradient_aggregator",
    "takes and returns pairs, in the place of the sum over devices",
    tests=f"test_transformers_act_after_the_aggregator {_REPLICAS}",
    checks="law-transformers law-replicas",
    mutants="TransformersBeforeAggregator AggregatesAlthoughOff",
)
_r.add(
    "argument",
    "gradient_transformers",
    "functions of pairs, which act after the aggregator",
    tests="test_transformers_act_after_the_aggregator",
    checks="law-transformers",
    mutants="TransformersBeforeAggregator LastTransformerFirst",
)
_r.add(
    "argument",
    "clipvalue",
    "limits every element of a gradient from above",
    tests="test_clipping",
    stages="clip_values",
    checks="one-step law-clips",
    cases="keras-v2-adam/clipping/value keras-v2-adam/clipping/value-zero",
    mutants="ClipvalueIgnored",
    differs="it limits them from below too",
)
_r.add(
    "argument",
    "clipnorm",
    "limits the norm of each gradient",
    tests="test_clipping",
    stages="clip_norm",
    checks="one-step law-clips",
    cases="keras-v2-adam/clipping/norm keras-v2-adam/clipping/value-and-norm",
    mutants="NormsBeforeValues LastNormIfAbsent",
)
_r.add(
    "argument",
    "global_clipnorm",
    "limits the norm of all gradients together",
    tests="test_clipping",
    stages="global_norm clip_global_norm",
    checks="one-step law-clips",
    cases="keras-v2-adam/clipping/global-norm",
)
_r.add(
    "argument",
    "lr",
    "(not in this document; the package takes it) the learning rate",
    tests="state::test_lr_is_the_learning_rate_under_its_old_name",
)
_r.add(
    "argument",
    "decay",
    "(not in this document; the package takes it) inverse time decay",
    tests="test_decay_is_inverse_in_the_iterations_and_acts_on_top_of_a_schedule",
    stages="inverse_time_decay",
    checks="one-step law-clips",
    cases="keras-v2-adam/rate-decay/",
)
for _name in ("clipnorm", "clipvalue", "global_clipnorm"):
    _r.add("attribute", _name, "what was given, or None", tests="test_clipping")
_r.add(
    "attribute",
    "iterations",
    "the number of steps, a variable",
    checks="step-count law-large-count",
    tests=f"{_WEIGHTS} test_the_first_step_is_the_learning_rate_against_the_sign",
)
_r.add(
    "attribute",
    "weights",
    "all variables in the order of their creation",
    tests=f"{_SLOTS} {_ADDED}",
    differs="what add_weight makes is not among them",
)
_r.add(
    "method",
    "add_slot",
    "a variable beside a variable, under a name, with an initializer",
    tests=_ADDED,
    differs="a shape may be given as well",
)
_r.add("method", "add_weight", "a variable of the optimizer's own", tests=_ADDED)
_r.add(
    "method",
    "apply_gradients",
    "one step from pairs; sums over replicas unless experimental_aggregate_gradients is False; counts",
    checks="one-step step-count law-replicas law-unaggregated",
    tests=f"test_gradients_may_be_processed_between_tape_and_step {_REPLICAS}",
)
_r.add("error", "apply_gradients: malformed", "TypeError where the pairs are none", tests=_STEPS)
_r.add("error", "apply_gradients: no gradients", "ValueError where no variable has one", tests=_STEPS)
_r.add(
    "behaviour",
    "apply_gradients: an empty list",
    "(not in this document) no step, which iterations do not count",
    tests="test_an_empty_list_is_no_step",
)
_r.add("error", "apply_gradients: cross-replica", "RuntimeError outside a replica", tests=_REPLICAS)
_r.add(
    "method",
    "from_config",
    "the optimizer of a configuration; custom_objects name what is not Keras' own",
    checks="law-configuration",
    tests=f"{_CONFIGURATION} state::test_a_configuration_with_a_schedule_of_ones_own_needs_its_class "
    "state::test_from_config_writes_into_the_dictionary_that_it_is_given",
    differs="it writes into the dictionary that it is given",
)
_r.add(
    "method",
    "get_config",
    "what an equal optimizer can be made of, without state",
    checks="law-configuration",
    tests=f"{_CONFIGURATION} state::test_the_configuration_of_a_callable_rate_is_a_number",
    differs="of a callable it holds the number that it returned",
)
_r.add("method", "get_gradients", "gradient tensors, in graphs of TensorFlow 1", tests=_GRAPH)
_r.add("error", "get_gradients: no gradient", "ValueError where there is none", tests=_GRAPH)
_r.add("method", "get_updates", "the operations of a step, in graphs of TensorFlow 1", tests=_GRAPH)
_r.add("method", "get_slot", "the variable of a name beside a variable", tests=f"{_SLOTS} {_ADDED}")
_r.add("method", "get_slot_names", "the names of the slots", tests=_SLOTS)
_r.add("method", "get_weights", "the count, then the slots in the order of their creation", tests=_WEIGHTS)
_r.add(
    "method",
    "set_weights",
    "puts what get_weights gives",
    tests=f"{_WEIGHTS} "
    "adapters/test_keras_saving.py::test_set_weights_gives_the_moments_to_the_wrong_slots_where_a_gradient_came_late",
    differs="where a gradient came late, the order is another one than a new optimizer's",
)
_r.add("method", "variables", "as weights", tests=_ADDED)
_r.add(
    "method",
    "minimize",
    "gradients of a callable loss, or of a tensor with its tape, weighed by grad_loss; and a step. The list of "
    "variables may be a callable",
    tests="test_minimize_takes_a_tensor_with_its_tape_and_weighs_it "
    "test_minimize_takes_variables_that_the_loss_creates "
    "test_the_first_step_is_the_learning_rate_against_the_sign",
)
_r.add(
    "error",
    "minimize: no variables",
    "ValueError where some are no Variable",
    tests="state::test_what_is_no_variable_is_refused_by_two_names",
    findings="keras-minimize-refuses-tensors-as-attributeerror",
    differs="for a tensor it is an AttributeError",
)
_r.add(
    "error",
    "invalid arguments",
    "ValueError",
    tests=_REFUSED,
    differs="an argument that it does not know is a TypeError",
)
_r.add(
    "behaviour",
    "hyper-parameters",
    "numbers, tensors or callables, which are called in every step; assigning overwrites them",
    checks="law-change law-change-after-load",
    tests="test_a_learning_rate_that_is_assigned_holds_from_the_next_step_on "
    "test_a_rate_and_betas_may_be_tensors_and_callables",
    findings="keras-change-after-restore-is-lost",
    differs="what is assigned between a restore and the first step is lost",
)
_r.add(
    "behaviour",
    "schedules",
    "are called with the iterations",
    tests="test_a_schedule_is_asked_with_the_iterations_from_zero_on test_another_schedule_is_seen "
    "documents/test_schedule_signatures.py::test_a_schedule_takes_what_the_contract_s_takes_with_its_defaults",
    stages="scheduled_rate",
    checks="law-schedules law-saved-settings law-changed-settings",
    cases="keras-v2-adam/schedules/",
    mutants="ScheduleOneStepAhead",
)
_r.add(
    "behaviour",
    "constraints",
    "act after the step; not for sparse gradients",
    tests="test_a_constraint_acts_after_the_step_and_not_on_sparse_gradients",
    stages="constrain",
    checks="law-constraints",
    cases="keras-v2-adam/constraint/non-neg keras-v2-adam/constraint/max-norm keras-v2-adam/constraint/unit-norm",
    mutants="ConstraintIgnored NormOfAllElements MinMaxNormAllTheWay",
    differs="NonNeg refuses float64 variables",
)
_r.add(
    "behaviour",
    "replicas",
    "gradients are summed over them, so that averaging is the loss's business",
    tests=_REPLICAS,
    checks="law-replicas law-unaggregated",
    mutants="ReplicasAveraged AggregatesAlthoughOff",
)
_r.add("behaviour", "subclasses", "override dense and sparse steps, slots and configuration", tests=_OWN)
_r.add(
    "behaviour",
    "threads",
    "compatible with them, not safe: the caller synchronises",
    tests="test_threads_may_share_an_optimizer_that_they_take_turns_with",
)
_r.add(
    "example",
    "minimize in eager mode and in a graph",
    "the loss is a callable; in a graph the operation is run",
    tests=f"test_a_learning_rate_that_is_assigned_holds_from_the_next_step_on {_GRAPH}",
)
_r.add(
    "example",
    "a Sequential whose variables come late",
    "the list of variables is a callable",
    tests="test_minimize_takes_variables_that_the_loss_creates",
)
_r.add(
    "example",
    "tape, process, apply",
    "minimize in three parts",
    tests="test_gradients_may_be_processed_between_tape_and_step",
)
_r.add(
    "example",
    "learning_rate overwritten",
    "0.1, then 0.05",
    tests="test_a_learning_rate_that_is_assigned_holds_from_the_next_step_on",
)
_r.add(
    "example",
    "ExponentialDecay",
    "0.01, by 0.1 every 20 steps",
    tests="test_a_schedule_is_asked_with_the_iterations_from_zero_on",
    stages="scheduled_rate",
    checks="law-schedules",
    cases="keras-v2-adam/schedules/exponential keras-v2-adam/schedules/staircase",
)
_r.add(
    "example",
    "a callable learning rate",
    "returns 0.1 whenever it is called",
    tests="test_a_rate_and_betas_may_be_tensors_and_callables",
    stages="scheduled_rate",
    checks="law-forms",
)
_r.add(
    "example",
    "gradients doubled",
    "a transformer of one's own",
    checks="law-transformers",
    tests="test_transformers_act_after_the_aggregator",
)
_r.add(
    "example",
    "gradients summed by the caller",
    "all_reduce, and a step that does not sum",
    checks="law-unaggregated",
    tests=_REPLICAS,
)
_r.add("example", "3 weights, iterations 10", "RMSprop of a Dense layer: get_weights and set_weights", tests=_WEIGHTS)

_NAMED = "state::test_the_operation_of_a_step_has_the_name_that_it_is_given"
_OWN_WEIGHT = "state::test_a_weight_may_be_one_that_is_not_trained"
_r.add_arguments(
    "add_slot",
    {
        "var": "the variable that it stands beside",
        "slot_name": "under which get_slot finds it",
        "initializer": "of its values",
        "shape": "(not in this document) another one than the variable's",
    },
    tests=_ADDED,
)
_r.add_arguments(
    "add_weight",
    {
        "name": "of the weight",
        "shape": "of the weight",
        "dtype": "of the weight; None is float32",
        "initializer": "of its values",
    },
    tests=f"{_ADDED} {_OWN_WEIGHT}",
)
_r.add_arguments(
    "add_weight",
    {
        "trainable": "whether it is; None is so, unless it is synchronised where it is read",
        "synchronization": "when its copies on replicas are",
        "aggregation": "how its copies on replicas become one value",
    },
    tests=_OWN_WEIGHT,
)
_r.add_arguments(
    "apply_gradients",
    {"grads_and_vars": "pairs; those without a gradient are passed over"},
    checks="one-step step-count",
    tests=f"{_STEPS} test_an_empty_list_is_no_step",
)
_r.add_arguments("apply_gradients", {"name": "of the operation; None is the optimizer's"}, tests=_NAMED)
_r.add_arguments(
    "apply_gradients",
    {"experimental_aggregate_gradients": "whether gradients are summed over replicas; False: the caller has done it"},
    checks="law-replicas law-unaggregated law-transformers",
    tests=_REPLICAS,
    mutants="AggregatesAlthoughOff",
)
_r.add_arguments(
    "from_config",
    {"config": "a dictionary, as get_config gives it"},
    checks="law-configuration",
    tests=f"{_CONFIGURATION} state::test_from_config_writes_into_the_dictionary_that_it_is_given",
)
_r.add_arguments(
    "from_config",
    {"custom_objects": "classes by the name that they have in it"},
    checks="law-configuration",
    tests="state::test_a_configuration_with_a_schedule_of_ones_own_needs_its_class",
)
for _method in ("get_gradients", "get_updates"):
    _r.add_arguments(_method, {"loss": "a tensor", "params": "a list of variables"}, tests=_GRAPH)
_r.add_arguments("get_slot", {"var": "whose slot it is", "slot_name": "its name"}, tests=f"{_SLOTS} {_ADDED}")
_r.add_arguments(
    "minimize",
    {"loss": "a callable without arguments, or a tensor with its tape"},
    tests="test_minimize_takes_a_tensor_with_its_tape_and_weighs_it "
    "test_the_first_step_is_the_learning_rate_against_the_sign",
)
_r.add_arguments(
    "minimize",
    {"var_list": "variables, or a callable that returns them once the loss has made them"},
    tests="test_minimize_takes_variables_that_the_loss_creates state::test_what_is_no_variable_is_refused_by_two_names",
)
_r.add_arguments(
    "minimize",
    {"grad_loss": "the gradient of the loss", "tape": "which has computed a loss that is a tensor"},
    tests="test_minimize_takes_a_tensor_with_its_tape_and_weighs_it",
)
_r.add_arguments("minimize", {"name": "of the operation; None is the optimizer's"}, tests=_NAMED)
_r.add_arguments("set_weights", {"weights": "arrays, as get_weights gives them"}, tests=_WEIGHTS)

DOCUMENT = Document(
    title="Keras: the base class OptimizerV2",
    about="tf.keras.optimizers.Optimizer of TensorFlow 2.4, reference page; run on Keras 2.15.0, by its Adam where the "
    "page takes SGD",
    environment="keras",
    paths=("keras.src.optimizers.legacy.optimizer_v2:OptimizerV2",),
    dialects=("keras-v2-adam",),
    rows=tuple(_r.rows),
)
