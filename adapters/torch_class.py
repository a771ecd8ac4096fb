"""Any ``torch.optim.Optimizer`` subclass with Adam's spelling behind the contract, RAdam and NAdam among them.

Arguments: ``lr``, ``betas``, ``eps``; where it has them ``weight_decay``, ``decoupled_weight_decay``, ``amsgrad`` and
``momentum_decay``. State: ``exp_avg``, ``exp_avg_sq``, ``max_exp_avg_sq``, ``step``, as ``torch/optim/adam.py``,
``radam.py`` and ``nadam.py`` write them. What the constructor's signature does not have is not claimed.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from adapters.class_path import (
    IN_A_STEP,
    above_zero,
    arguments_of,
    check_arguments,
    class_at,
    declared,
    left_out,
    not_taken,
    package_of,
)
from adapters.contract import (
    CONTRACT_VERSION,
    Arithmetic,
    Claim,
    ContractError,
    Hyperparameters,
    Identity,
    Precision,
)
from adapters.memory import laid_out
from adapters.torch_optim import LAYOUTS, procedures, reproduction
from adapters.torch_process import Process
from adapters.torch_run import TorchAdapter, TorchRun, leaves, observe
from adapters.torch_script import script

OPTION = "torch-optimizer"
_ADAM = {"learning_rate": "lr", "beta_1": "betas", "beta_2": "betas", "epsilon": "eps"}
_MORE = {"amsgrad": "amsgrad", "l2": "weight_decay", "weight_decay": "weight_decay", "momentum_decay": "momentum_decay"}
_SPELLING = _ADAM | _MORE
_SPOKEN: Mapping[str, frozenset[str]] = {
    "torch-adam": frozenset({"amsgrad", "l2", "weight_decay"}),
    "torch-radam": frozenset({"l2", "weight_decay"}),
    "torch-nadam": frozenset({"l2", "weight_decay", "momentum_decay"}),
    "keras-v2-adam": frozenset({"amsgrad"}),
    "tf-keras-adam": frozenset({"amsgrad", "weight_decay"}),
    "mxnet2-adam": frozenset({"l2"}),
    "mxnet1-adam": frozenset({"l2"}),
}
"""Dialects, and what of the spelling they have besides learning rate, betas and epsilon."""
_ONE_COUNT = ("keras-v2-adam", "tf-keras-adam")
"""Their t advances for parameters without gradient too; a torch optimizer's state of such a parameter says nothing."""
_CHANGE = "a change of the program's"
_NOT_CLAIMED = (
    "the same bits at any place in a tensor",
    "closure",
    "hyper-parameters as tensors",
    "sparse gradients",
    "complex, float16 and bfloat16 parameters",
    "other devices than the CPU",
)


_PUT = frozenset({"step", "t", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"})
"""What `TorchRun.put` puts into a parameter's state."""


class _Run(TorchRun):
    """Step counts stand where ``state_dict`` has them, or one for all in the group."""

    def counts(self) -> tuple[int, ...]:
        """0 before the first gradient."""
        whole = self.optimizer.state_dict()
        shared = whole["param_groups"][0].get("step", 0)
        return tuple(_whole(whole["state"].get(i, {}).get("step", shared)) for i in range(len(self.parameters)))

    def counted(self, own: Mapping[str, Any], t: int) -> dict[str, Any]:
        """`TorchClass` claims "state" for no other place of the count."""
        return {"t": t} if "t" in own else super().counted(own, t)


def _whole(step: Any) -> int:
    """0 for what is no number: fused_adam's state of a dialect that torch does not have."""
    try:
        return int(step)
    except (TypeError, ValueError):
        return 0


class TorchClass(TorchAdapter):
    """The optimizer class that ``package.module:Class`` names.

    dialect: None is what the constructor and the name promise: torch-nadam where there is a ``momentum_decay`` or the
    name has NAdam in it, torch-radam where it has RAdam, else torch-adam. kwargs: further arguments of every
    construction. decay: whether ``weight_decay`` is "l2" or "decoupled", where the
    class does not say so. arithmetic: roles of `Arithmetic` in which it differs from `arithmetic`.

    Raises ImportError without torch, and `ContractError` for what cannot be tested, before anything is.
    """

    contract_version: int = CONTRACT_VERSION
    run = _Run

    def __init__(
        self,
        path: str,
        *,
        dialect: str | None = None,
        kwargs: Mapping[str, Any] | None = None,
        decay: str | None = None,
        arithmetic: Mapping[str, Any] | None = None,
    ) -> None:
        import torch

        self.name = path
        self._torch = torch
        self._process = Process(torch)
        self._class: Any = class_at(OPTION, path, (torch.optim.Optimizer,))
        if issubclass(self._class, torch.optim.SparseAdam):
            accepted = "a class that takes dense gradients; torch's SparseAdam is --adapter torch-sparse-adam"
            raise ContractError(OPTION, path, accepted)
        self._kwargs = dict(kwargs or {})
        self._changes = dict(arithmetic or {})
        self._takes = arguments_of(self._class)
        self._dialect = self._promised() if dialect is None else dialect
        self.arithmetic("float32")
        self._keys = self._group_keys()
        self.claim = self._claimed(self._dialect, decay)
        parameters = leaves(self._torch, [np.ones(3, np.float32)])
        self.claim = above_zero(self.claim, partial(self.construct, parameters))
        self._probe()
        self.claim = self._without_state(self._with_layouts(self.claim))

    def identity(self) -> Identity:
        """Steps under ``TorchDispatchMode``, whose ``step`` it was that torch's own hook saw, and that it leaves the
        process as it was.
        """
        from torch.optim.optimizer import register_optimizer_step_post_hook

        observed: set[str] = set()
        theta = np.ones(3, np.float32)
        self._process.as_new()  # a step before may have left it as the next one does
        before = self._process.now()
        hook = register_optimizer_step_post_hook(lambda o, *_: observed.add(_step_of(type(o))))
        try:
            for hyperparameters in self._probes():
                run = self.start([theta], hyperparameters)
                observe(partial(run.step, [theta]), observed)
            observed |= {f"{_CHANGE} {name}" for name, value in self._process.now().items() if value != before[name]}
        finally:
            hook.remove()
            self._process.as_new()
        framework, version = package_of(self._class.__module__, "torch")
        return Identity(
            framework=framework,
            version=version,
            required=frozenset({_step_of(self._class)}),
            excluded=frozenset(f"{_CHANGE} {name}" for name in before),
            observed=frozenset(observed),
        )

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """What torch code in Python is: scalars in double, rounded where they meet the elements.

        Moments may be formed as ``lerp``, whose bound is the wider one. The product of NAdam's momenta is a tensor of
        torch's default dtype, float32, in ``nadam.py``.
        """
        usual = Arithmetic(
            storage=dtype,
            compute=dtype,
            step_size=dtype,
            momentum_product="float32" if self._dialect == "torch-nadam" else "float64",
            first_moment="lerp",
            second_moment="lerp",
        )
        return declared(usual, self._changes)

    def construct(self, params: list[Any], hyperparameters: Hyperparameters) -> Any:
        """The class."""
        return self._class(params, **self._arguments(hyperparameters))

    def settings(self, hyperparameters: Hyperparameters) -> dict[str, Any]:
        """Those of the arguments that the class keeps in its groups."""
        arguments = self._arguments(hyperparameters)
        return {name: value for name, value in arguments.items() if name in self._keys and name not in self._kwargs}

    def reproduction(self, hyperparameters: Hyperparameters) -> str:
        """The same without an adapter."""
        module, _, name = self.name.partition(":")
        return reproduction(module, name, self._arguments(hyperparameters))

    def script(self) -> str:
        """All that a run can do, without an adapter."""
        module, _, name = self.name.partition(":")
        return script(module, name, self._kwargs)

    def script_settings(self, hyperparameters: Hyperparameters, *, new: bool) -> dict[str, Any]:
        """What it is constructed with beside the fixed arguments, or else what a group holds."""
        if not new:
            return self.settings(hyperparameters)
        return {k: v for k, v in self._arguments(hyperparameters).items() if k not in self._kwargs}

    def _arguments(self, h: Hyperparameters) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "lr": h.learning_rate,
            "betas": (float(h.beta_1), float(h.beta_2)),  # torch refuses the integer 0
            "eps": h.epsilon,
            "amsgrad": h.amsgrad,
            "weight_decay": h.l2 or h.weight_decay,
            "decoupled_weight_decay": h.weight_decay > 0,
        }
        if self._dialect == "torch-nadam":
            arguments["momentum_decay"] = h.momentum_decay
        return {name: value for name, value in arguments.items() if name in self._takes} | self._kwargs

    def _promised(self) -> str:
        """The dialect that nobody has said."""
        name = self._class.__name__
        if "momentum_decay" in self._takes or "NAdam" in name:
            return "torch-nadam"
        return "torch-radam" if "RAdam" in name else "torch-adam"

    def _claimed(self, dialect: str, decay: str | None) -> Claim:
        if dialect not in _SPOKEN:
            raise ContractError("dialect", dialect, f"what a torch optimizer can speak: {', '.join(_SPOKEN)}")
        free = check_arguments(OPTION, self.name, self._takes, _SPELLING, self._kwargs)
        decays, why = self._decays(decay)
        claimed = (free - {"l2", "weight_decay"} | (free & decays)) & ({*_ADAM} | _SPOKEN[dialect])
        missing = tuple(f"{name}{why.get(name, '')}" for name in sorted(_SPOKEN[dialect] - claimed))
        one_count = ("parameters without gradient",) if dialect in _ONE_COUNT else ()
        spelled = {*_SPELLING.values()} - ({"momentum_decay"} if dialect != "torch-nadam" else set())
        skip = ("params", "defaults", "decoupled_weight_decay", *spelled)
        settings = frozenset(n for n in claimed if _SPELLING[n] in self._keys)
        flag = "decoupled_weight_decay"
        of_groups = settings if flag in self._keys or flag not in self._takes else settings - {"weight_decay"}
        # NAdam carries the product of its momenta as state, where the oracle forms it from t.
        carried = {"beta_1", "momentum_decay"} if dialect == "torch-nadam" else set()
        return Claim(
            dialect=dialect,
            hyperparameters=frozenset(claimed),
            gradients=frozenset({"dense"} if one_count else {"dense", "none"}),
            not_claimed=(*missing, *one_count, *left_out(self._takes, skip, self._kwargs), *_NOT_CLAIMED),
            procedures=procedures(settings, changed=settings - {"amsgrad"} - carried, of_groups=of_groups),
        )

    def _group_keys(self) -> frozenset[str]:
        """What a group of the class holds; nothing where it cannot be constructed, which `_probe` reports."""
        try:
            optimizer = self.construct(leaves(self._torch, [np.ones(3, np.float32)]), Hyperparameters())
            return frozenset(optimizer.param_groups[0])
        except Exception:
            return frozenset()

    def _decays(self, decay: str | None) -> tuple[frozenset[str], dict[str, str]]:
        """Which decay ``weight_decay`` is, and why the other one is not claimed."""
        flag = "decoupled_weight_decay"
        if "weight_decay" not in self._takes:
            if decay is not None:
                raise ContractError("decay", decay, f"nothing: {self.name} takes no weight_decay")
            return frozenset(), {}
        if flag in self._takes and flag not in self._kwargs:
            if decay is not None:
                raise ContractError("decay", decay, f"nothing: {self.name} takes {flag}, which chooses")
            return frozenset({"l2", "weight_decay"}), {}
        if flag in self._kwargs:
            decoupled, because = bool(self._kwargs[flag]), "so says kwargs"
        elif decay is not None:
            decoupled, because = decay == "decoupled", "so says --decay"
        else:
            decoupled = self._class.__name__.endswith("W")
            because = f"{'' if decoupled else 'no '}W at the end of the class's name; --decay says otherwise"
        kinds = ("weight_decay", "l2") if decoupled else ("l2", "weight_decay")
        words = "decoupled" if decoupled else "an L2 term"
        return frozenset({kinds[0]}), {kinds[1]: f" (the argument weight_decay is {words}: {because})"}

    def _probes(self) -> list[Hyperparameters]:
        """Hyper-parameters inside the claim that reach every kind of step."""
        wanted: tuple[dict[str, Any], ...] = ({}, {"amsgrad": True}, {"l2": 0.1}, {"weight_decay": 0.1})
        return [Hyperparameters(**given) for given in wanted if given.keys() <= self.claim.hyperparameters]

    def _probe(self) -> None:
        """`ContractError` where it cannot be constructed, refuses `kwargs`, or keeps another state than Adam's."""
        theta = np.ones(3, np.float32)
        for hyperparameters in self._probes():
            try:
                run = self.start([theta], hyperparameters)
            except Exception as error:
                arguments = self._arguments(hyperparameters)
                raise not_taken(OPTION, self.name, arguments, self._kwargs, error) from error
            try:
                run.step([theta])
            except Exception as error:
                if not self._kwargs or self._raises_without_kwargs(hyperparameters):
                    continue  # a finding, which the checks make
                arguments = self._arguments(hyperparameters)
                raise not_taken(OPTION, self.name, arguments, self._kwargs, error, IN_A_STEP) from error
            self._check_state(run, amsgrad=hyperparameters.amsgrad)

    def _raises_without_kwargs(self, hyperparameters: Hyperparameters) -> bool:
        """Whether a first step does; False for what cannot be constructed without them."""
        theta = np.ones(3, np.float32)
        tensors = leaves(self._torch, [theta])
        arguments = {k: v for k, v in self._arguments(hyperparameters).items() if k not in self._kwargs}
        try:
            run = self.run(self._torch, self._class(tensors, **arguments), tensors, [hyperparameters.amsgrad], self)
        except Exception:
            return False
        try:
            run.step([theta])
        except Exception:
            return True
        return False

    def _with_layouts(self, claim: Claim) -> Claim:
        """The claim, of every layout in which a step does not raise as well."""
        theta, refused = np.ones((2, 3, 2, 2), np.float32), {}
        for layout in sorted(LAYOUTS):
            laid = laid_out(theta, layout)
            try:
                self.start([theta if layout == "expanded" else laid], Hyperparameters()).step([laid])
            except Exception as error:
                refused[layout] = f"{layout} parameters or gradients (a step raises {type(error).__name__})"
        not_claimed = (*claim.not_claimed, *refused.values())
        return replace(claim, layouts=LAYOUTS.difference(refused), not_claimed=not_claimed)

    def _without_state(self, claim: Claim) -> Claim:
        """The claim without "state" where a parameter's state holds more that steps change than can be put.

        That is moments and a count; what no step changes stays as it is.
        """
        theta, states = np.ones(3, np.float32), []
        try:
            run = self.start([theta], Hyperparameters())
            for k in (1, 2, 3):
                run.step([theta / k])
                states.append(copy.deepcopy(run.optimizer.state_dict()["state"].get(0, {})))
        except Exception:  # a finding, which the checks make
            states = [{}]
        last = states[-1]
        more = {name for name in last if name not in _PUT and any(self._other(s.get(name), last[name]) for s in states)}
        if "step" in last and not more:
            return claim
        why = f"the state has {', '.join(sorted(more))}" if more else 'the state has no "step"'
        kept = {name: procedure for name, procedure in claim.procedures.items() if name != "state"}
        return replace(claim, procedures=kept, not_claimed=(*claim.not_claimed, f"a count far in a run ({why})"))

    def _other(self, a: Any, b: Any) -> bool:
        if isinstance(a, self._torch.Tensor) and isinstance(b, self._torch.Tensor):
            return not self._torch.equal(a, b)
        return repr(a) != repr(b)

    def _check_state(self, run: TorchRun, *, amsgrad: bool) -> None:
        (parameter,) = run.parameters
        keys = [*run.optimizer.state.get(parameter, {})]
        needed = ("exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if amsgrad else ()))
        lacking = [name for name in needed if name not in keys]
        if not any(run.counts()):
            lacking.append("step")
        if lacking:
            held = ", ".join(map(str, keys)) or "nothing"
            accepted = (
                f"a class whose state holds {', '.join((*needed, 'step'))} (it holds {held}); by --adapter otherwise"
            )
            raise ContractError(OPTION, self.name, accepted)


def _step_of(cls: type) -> str:
    return f"step of {cls.__module__}:{cls.__qualname__}"
