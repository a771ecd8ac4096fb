"""What the constructors of the frameworks' classes take, with their defaults: data, and no framework.

A signature stands here as ``inspect.signature`` prints it without annotations, so that a name, a default, an order or
a kind of argument that changes is seen. `tests/documents` compares every one with the class that is installed.

The oracle and the suite have no defaults of a framework: every problem states all hyper-parameters. Where
`fused_adam` speaks a dialect, its defaults are those of this table (`tests/fused_adam/test_defaults.py`).
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from adapters.contract import HYPERPARAMETERS

REQUIRED = inspect.Parameter.empty
"""In the place of a default: there is none."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """A class, or a factory, of the installed frameworks."""

    path: str
    """``package.module:Name``."""
    environment: str
    """tox environment that has it."""
    text: str
    """Of the constructor."""
    dialects: tuple[str, ...] = ()
    """That an instance speaks, whatever it is given; none for a base class."""
    means: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Argument to the contract's hyper-parameters, where it is not that hyper-parameter's own name."""
    always: frozenset[str] = frozenset()
    """Hyper-parameters that the class has without an argument for them."""
    base: str = ""
    """Path of the class that takes what comes in ``**kwargs``."""
    keywords: tuple[str, ...] = ()
    """What ``**kwargs`` takes beside the arguments of `base`, and no signature says."""
    members: Mapping[str, str] = field(default_factory=dict)
    """Public methods that this very class defines, with their signatures, and properties, with nothing."""
    named: Mapping[str, str] = field(default_factory=dict)
    """Other methods that its document is about, of its bases and those that are not public, with their signatures."""

    @property
    def arguments(self) -> dict[str, object]:
        """Default of every argument that has a name, `REQUIRED` if there is none."""
        return parsed(self.text)

    @property
    def of_methods(self) -> dict[str, object]:
        """Default of every argument of a method, under ``method(argument)``; `REQUIRED` if there is none."""
        texts = {name: text for name, text in (*self.members.items(), *self.named.items()) if text}
        each = ((name, parsed(text)) for name, text in texts.items())
        return {f"{name}({a})": value for name, found in each for a, value in found.items() if a != "self"}

    def stands_for(self, argument: str) -> tuple[str, ...]:
        """The contract's hyper-parameters that it is, in its order; none of them where it is something else."""
        return self.means.get(argument, (argument,) if argument in HYPERPARAMETERS else ())

    @property
    def defaults(self) -> dict[str, object]:
        """Hyper-parameter to its default, with the contract's 0 where the framework says None for an absent decay."""
        found: dict[str, object] = {}
        for argument, value in self.arguments.items():
            names = self.stands_for(argument)
            values = value if isinstance(value, tuple) else (value,) * len(names)
            for name, each in zip(names, values, strict=True):
                found[name] = 0.0 if each is None and name == "weight_decay" else each
        if not self.arguments.get("use_ema"):
            found.pop("ema_momentum", None)  # of an average that is off
        return found


def shown(function: Callable[..., Any]) -> str:
    """Its signature without annotations."""
    signature = inspect.signature(function)
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))


def members(cls: type) -> dict[str, str]:
    """Public methods that `cls` itself defines, with their signatures; what is not called has an empty one."""
    own = {name: getattr(cls, name) for name in sorted(vars(cls)) if not name.startswith("_")}
    return {name: shown(member) if callable(member) else "" for name, member in own.items()}


def parsed(text: str) -> dict[str, object]:
    """The arguments of a signature that have a name, and their defaults: literals, or the name of an enum's member."""
    literal = re.sub(r"<([\w.]+): [^>]*>", r"'\1'", text)
    (definition,) = ast.parse(f"def f{literal}: ...").body
    assert isinstance(definition, ast.FunctionDef)
    given = definition.args
    names = [a.arg for a in (*given.posonlyargs, *given.args)]
    defaults: list[object] = [REQUIRED] * (len(names) - len(given.defaults))
    defaults += [ast.literal_eval(node) for node in given.defaults]
    keyword = {
        a.arg: REQUIRED if node is None else ast.literal_eval(node)
        for a, node in zip(given.kwonlyargs, given.kw_defaults, strict=True)
    }
    return {**dict(zip(names, defaults, strict=True)), **keyword}


def installed(path: str) -> Any:
    """What ``package.module:Name`` names; the frameworks that are at their end warn while they are imported."""
    module, _, name = path.partition(":")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(importlib.import_module(module), name)


_BY_INDEX = ("lr_mult", "wd_mult")
_MXNET = {"beta1": ("beta_1",), "beta2": ("beta_2",)}
_TORCH = {"lr": ("learning_rate",), "betas": ("beta_1", "beta_2"), "eps": ("epsilon",)}
_EITHER = {"weight_decay": ("l2", "weight_decay")}
"""decoupled_weight_decay says which."""
_OPTAX = {
    "b1": ("beta_1",),
    "b2": ("beta_2",),
    "eps": ("epsilon",),
    "eps_root": ("epsilon_root",),
}
_V2 = "keras.src.optimizers.legacy.optimizer_v2:OptimizerV2"
_LEGACY_ADAM = "(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-07, amsgrad=False, name='Adam', **kwargs)"
_NEWER_BASE = (
    "(name, weight_decay=0, clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99, "
    "ema_overwrite_frequency=None, jit_compile=True, **kwargs)"
)
_CONSTRAINED = frozenset({"constraint", "schedule"})
"""The former of the variables, the latter given as the learning rate."""
_BESIDE = _CONSTRAINED | {"exclude_from_weight_decay"}
"""The latter is a method of the newer Keras."""
_V2_KEYWORDS = ("clipnorm", "clipvalue", "global_clipnorm", "lr", "decay")
_OVERRIDES = {"get_config": "(self)", "set_weights": "(self, weights)"}
_BUILDS = {"build": "(self, var_list)", "get_config": "(self)", "update_step": "(self, gradient, variable)"}
_STEPS = "(self, indices, weights, grads, states)"
_RESOURCES = {
    "_create_slots": "(self, var_list)",
    "_prepare_local": "(self, var_device, var_dtype, apply_state)",
    "_resource_apply_dense": "(self, grad, var, apply_state=None)",
    "_resource_apply_sparse": "(self, grad, var, indices, apply_state=None)",
}
_OF_NEWER_BASE = {
    "apply_gradients": "(self, grads_and_vars, name=None, skip_gradients_aggregation=False, **kwargs)",
    "exclude_from_weight_decay": "(self, var_list=None, var_names=None)",
    "finalize_variable_values": "(self, var_list)",
    "minimize": "(self, loss, var_list, tape=None)",
}
_OF_MXNET_BASE = {
    "create_state_multi_precision": "(self, index, weight)",
    "set_learning_rate": "(self, lr)",
    "set_lr_mult": "(self, args_lr_mult)",
    "set_wd_mult": "(self, args_wd_mult)",
    "update": _STEPS,
    "update_multi_precision": _STEPS,
}

TABLE: tuple[Signature, ...] = (
    Signature(
        path="keras.src.optimizers.legacy.adam:Adam",
        environment="keras",
        dialects=("keras-v2-adam",),
        always=_CONSTRAINED,
        text=_LEGACY_ADAM,
        base=_V2,
        members=_OVERRIDES,
        named=_RESOURCES,
    ),
    Signature(
        path="keras.src.optimizers.legacy.adam:NonFusedAdam",
        environment="keras",
        dialects=("keras-v2-adam",),
        always=_CONSTRAINED,
        text=_LEGACY_ADAM,
        base=_V2,
        members=_OVERRIDES,
        named=_RESOURCES,
    ),
    Signature(
        path=_V2,
        environment="keras",
        text="(name, gradient_aggregator=None, gradient_transformers=None, **kwargs)",
        keywords=_V2_KEYWORDS,
        members={
            "add_slot": "(self, var, slot_name, initializer='zeros', shape=None)",
            "add_weight": "(self, name, shape, dtype=None, initializer='zeros', trainable=None, "
            "synchronization=<VariableSynchronization.AUTO: 0>, aggregation=<VariableAggregationV2.NONE: 0>)",
            "apply_gradients": "(self, grads_and_vars, name=None, experimental_aggregate_gradients=True)",
            "clipnorm": "",
            "clipvalue": "",
            "from_config": "(config, custom_objects=None)",
            "get_config": "(self)",
            "get_gradients": "(self, loss, params)",
            "get_slot": "(self, var, slot_name)",
            "get_slot_names": "(self)",
            "get_updates": "(self, loss, params)",
            "get_weights": "(self)",
            "global_clipnorm": "",
            "iterations": "",
            "minimize": "(self, loss, var_list, grad_loss=None, name=None, tape=None)",
            "set_weights": "(self, weights)",
            "variables": "(self)",
            "weights": "",
        },
    ),
    Signature(
        path="keras.src.optimizers.adam:Adam",
        environment="keras",
        dialects=("tf-keras-adam",),
        always=_BESIDE,
        text="(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-07, amsgrad=False, weight_decay=None, "
        "clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99, "
        "ema_overwrite_frequency=None, jit_compile=True, name='Adam', **kwargs)",
        base="keras.src.optimizers.optimizer:Optimizer",
        members=_BUILDS,
    ),
    Signature(
        path="keras.src.optimizers.optimizer:Optimizer",
        environment="keras",
        text=_NEWER_BASE,
        keywords=("mesh", "lr"),
    ),
    Signature(
        path="tensorflow_addons.optimizers:RectifiedAdam",
        environment="keras",
        dialects=("tfa-rectified-adam",),
        always=_CONSTRAINED | {"weight_decay_schedule"},
        text="(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-07, weight_decay=0.0, amsgrad=False, "
        "sma_threshold=5.0, total_steps=0, warmup_proportion=0.1, min_lr=0.0, name='RectifiedAdam', **kwargs)",
        base=_V2,
        members=_OVERRIDES,
    ),
    Signature(
        path="tensorflow_addons.optimizers:Lookahead",
        environment="keras",
        dialects=("tfa-lookahead-keras-v2-adam", "tfa-lookahead-rectified-adam"),
        always=_CONSTRAINED,
        text="(optimizer, sync_period=6, slow_step_size=0.5, name='Lookahead', **kwargs)",
        base=_V2,
        members={
            "apply_gradients": "(self, grads_and_vars, name=None, **kwargs)",
            "from_config": "(config, custom_objects=None)",
            "get_config": "(self)",
            "learning_rate": "",
            "lr": "",
            "weights": "",
        },
    ),
    Signature(
        path="tf_keras.optimizers:Adam",
        environment="keras3",
        dialects=("tf-keras-adam",),
        always=_BESIDE,
        text="(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-07, adaptive_epsilon=False, amsgrad=False, "
        "weight_decay=None, clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99, "
        "ema_overwrite_frequency=None, jit_compile=True, name='Adam', **kwargs)",
        base="tf_keras.src.optimizers.optimizer:Optimizer",
        members=_BUILDS,
        named=_OF_NEWER_BASE,
    ),
    Signature(
        path="tf_keras.src.optimizers.optimizer:Optimizer",
        environment="keras3",
        text=_NEWER_BASE,
        keywords=("mesh", "lr"),
    ),
    Signature(
        path="keras.optimizers:Adam",
        environment="keras3",
        dialects=("keras3-adam",),
        always=_BESIDE,
        text="(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-07, amsgrad=False, weight_decay=None, "
        "clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99, "
        "ema_overwrite_frequency=None, loss_scale_factor=None, gradient_accumulation_steps=None, name=None, **kwargs)",
    ),
    Signature(
        path="keras.optimizers:AdamW",
        environment="keras3",
        dialects=("keras3-adam",),
        always=_BESIDE,
        text="(learning_rate=0.001, weight_decay=0.004, beta_1=0.9, beta_2=0.999, epsilon=1e-07, amsgrad=False, "
        "clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99, "
        "ema_overwrite_frequency=None, loss_scale_factor=None, gradient_accumulation_steps=None, name=None, **kwargs)",
    ),
    Signature(
        path="mxnet.optimizer:Adam",
        environment="mxnet",
        dialects=("mxnet2-adam", "mxnet2-adam-lazy"),
        text="(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08, lazy_update=False, use_fused_step=True, "
        "**kwargs)",
        means=_MXNET,
        base="mxnet.optimizer:Optimizer",
        members={"create_state": "(self, index, weight)", "fused_step": _STEPS, "step": _STEPS},
        named=_OF_MXNET_BASE,
    ),
    Signature(
        path="mxnet.optimizer:Optimizer",
        environment="mxnet",
        text="(rescale_grad=1.0, param_idx2name=None, wd=0.0, clip_gradient=None, learning_rate=None, "
        "lr_scheduler=None, sym=None, begin_num_update=0, multi_precision=False, param_dict=None, "
        "aggregate_num=None, use_fused_step=None, **kwargs)",
        means={"wd": ("l2",), "param_dict": _BY_INDEX, "sym": _BY_INDEX},
    ),
    Signature(
        path="mxnet.optimizer:Adam",
        environment="mxnet1",
        dialects=("mxnet1-adam", "mxnet1-adam-lazy"),
        text="(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08, lazy_update=True, **kwargs)",
        means=_MXNET,
        base="mxnet.optimizer:Optimizer",
        members={"create_state": "(self, index, weight)", "update": "(self, index, weight, grad, state)"},
    ),
    Signature(
        path="mxnet.optimizer:Optimizer",
        environment="mxnet1",
        text="(rescale_grad=1.0, param_idx2name=None, wd=0.0, clip_gradient=None, learning_rate=None, "
        "lr_scheduler=None, sym=None, begin_num_update=0, multi_precision=False, param_dict=None)",
        means={"wd": ("l2",), "param_dict": _BY_INDEX, "sym": _BY_INDEX},
    ),
    Signature(
        path="torch.optim:Adam",
        environment="torch",
        dialects=("torch-adam",),
        text="(params, lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0, amsgrad=False, *, foreach=None, "
        "maximize=False, capturable=False, differentiable=False, fused=None, decoupled_weight_decay=False)",
        means=_TORCH | _EITHER,
    ),
    Signature(
        path="torch.optim:AdamW",
        environment="torch",
        dialects=("torch-adam",),
        text="(params, lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01, amsgrad=False, *, maximize=False, "
        "foreach=None, capturable=False, differentiable=False, fused=None)",
        means=_TORCH,
    ),
    Signature(
        path="torch.optim:RAdam",
        environment="torch",
        dialects=("torch-radam",),
        text="(params, lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0, decoupled_weight_decay=False, *, "
        "foreach=None, maximize=False, capturable=False, differentiable=False)",
        means=_TORCH | _EITHER,
    ),
    Signature(
        path="torch.optim:NAdam",
        environment="torch",
        dialects=("torch-nadam",),
        text="(params, lr=0.002, betas=(0.9, 0.999), eps=1e-08, weight_decay=0, momentum_decay=0.004, "
        "decoupled_weight_decay=False, *, foreach=None, maximize=False, capturable=False, differentiable=False)",
        means=_TORCH | _EITHER,
    ),
    Signature(
        path="torch.optim:SparseAdam",
        environment="torch",
        dialects=("torch-sparse-adam",),
        text="(params, lr=0.001, betas=(0.9, 0.999), eps=1e-08, maximize=False)",
        means=_TORCH,
    ),
    Signature(
        path="optax:adam",
        environment="optax",
        dialects=("optax-adam",),
        text="(learning_rate, b1=0.9, b2=0.999, eps=1e-08, eps_root=0.0, mu_dtype=None, *, nesterov=False)",
        means=_OPTAX,
    ),
    Signature(
        path="optax:adamw",
        environment="optax",
        dialects=("optax-adam",),
        text="(learning_rate, b1=0.9, b2=0.999, eps=1e-08, eps_root=0.0, mu_dtype=None, weight_decay=0.0001, "
        "mask=None, *, nesterov=False)",
        means=_OPTAX,
    ),
    Signature(
        path="optax:amsgrad",
        environment="optax",
        dialects=("optax-adam",),
        text="(learning_rate, b1=0.9, b2=0.999, eps=1e-08, eps_root=0.0, mu_dtype=None, bias_correction_mu=True, "
        "bias_correction_nu=True)",
        means=_OPTAX,
        always=frozenset({"amsgrad"}),
    ),
    Signature(
        path="optax:radam",
        environment="optax",
        dialects=("optax-radam",),
        text="(learning_rate, b1=0.9, b2=0.999, eps=1e-08, eps_root=0.0, threshold=5.0, *, nesterov=False)",
        means=_OPTAX | {"threshold": ("sma_threshold",)},
    ),
    Signature(
        path="optax:nadam",
        environment="optax",
        dialects=("optax-nadam",),
        text="(learning_rate, b1=0.9, b2=0.999, eps=1e-08, eps_root=0.0, mu_dtype=None, *, nesterov=True)",
        means=_OPTAX,
    ),
    Signature(
        path="optax:nadamw",
        environment="optax",
        dialects=("optax-nadam",),
        text="(learning_rate, b1=0.9, b2=0.999, eps=1e-08, eps_root=0.0, mu_dtype=None, weight_decay=0.0001, "
        "mask=None, *, nesterov=True)",
        means=_OPTAX,
    ),
)

SIGNATURES: Mapping[tuple[str, str], Signature] = MappingProxyType({(s.environment, s.path): s for s in TABLE})
"""By environment and path: both MXNets call theirs the same."""


def of_dialect(dialect: str) -> Iterator[Signature]:
    """Classes whose instances speak `dialect`, the one that it is named for first."""
    return (s for s in TABLE if dialect in s.dialects)


def taken(signature: Signature) -> frozenset[str]:
    """Hyper-parameters that a constructor takes, by its arguments, its base's, or always."""
    arguments = (*signature.arguments, *signature.keywords)
    own = signature.always | {name for argument in arguments for name in signature.stands_for(argument)}
    base = SIGNATURES.get((signature.environment, signature.base))
    return own if base is None else own | taken(base)
