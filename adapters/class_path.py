"""What the adapters for optimizers that are not ours share: the class or factory, what it takes, and who ships it."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from importlib import metadata
from types import ModuleType
from typing import Any

from adapters.contract import Arithmetic, Claim, ContractError, Hyperparameters

_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_VARIES_ALWAYS = ("learning_rate", "beta_1", "beta_2", "epsilon")


def class_at(option: str, path: str, bases: tuple[type, ...]) -> type:
    """The class that ``package.module:Class`` names.

    Raises `ContractError` for a path of another form, a module that does not import, a name that is not there, and
    for what is no class or no subclass of one of `bases`.
    """
    module, found = _looked_up(option, path, "package.module:Class, as torch.optim:Adam")
    name, _, attribute = path.partition(":")
    known = ", ".join(f"{base.__module__}.{base.__qualname__}" for base in bases)
    if found is None:
        classes = [key for key, value in vars(module).items() if isinstance(value, type) and issubclass(value, bases)]
        accepted = (
            f"one of {name}'s: {', '.join(sorted(classes))}" if classes else f"a module with a subclass of {known}"
        )
        raise ContractError(option, path, accepted)
    if not isinstance(found, type):
        raise ContractError(option, path, f"a class; {attribute} is a {type(found).__name__}")
    if not issubclass(found, bases):
        raise ContractError(option, path, f"a subclass of {known}; anything else by --adapter FILE.py:NAME")
    return found


def factory_at(option: str, path: str) -> Any:
    """The function that ``package.module:factory`` names, or another callable.

    Raises `ContractError` for a path of another form, a module that does not import, a name that is not there, and
    for what cannot be called with arguments that have names.
    """
    module, found = _looked_up(option, path, "package.module:factory, as optax:adam")
    name, _, attribute = path.partition(":")
    if found is None:
        own = {key: value for key, value in vars(module).items() if inspect.isfunction(value) and key[0] != "_"}
        functions = [key for key, value in own.items() if value.__module__ == name]
        raise ContractError(option, path, f"one of {name}'s: {', '.join(sorted(functions)) or 'it has no function'}")
    try:
        inspect.signature(found)
    except (TypeError, ValueError) as error:
        accepted = f"a factory; {attribute} is a {type(found).__name__}, which says no arguments"
        raise ContractError(option, path, accepted) from error
    return found


def arguments_of_factory(factory: Any) -> dict[str, Any]:
    """Names and defaults of what it can be called with by name."""
    parameters = inspect.signature(factory).parameters.values()
    return {p.name: p.default for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}


def _looked_up(option: str, path: str, form: str) -> tuple[ModuleType, Any]:
    """The module, and what it has under the name; None for nothing."""
    if not _PATH.fullmatch(path):
        raise ContractError(option, path, form)
    name, _, attribute = path.partition(":")
    module = _module(option, path, name)
    found: Any = module
    for part in attribute.split("."):
        found = getattr(found, part, None)
    return module, found


def _module(option: str, path: str, name: str) -> ModuleType:
    """The module called `name`, or the attribute: ``tensorflow.keras`` is not a package of that name."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        parent, _, last = name.rpartition(".")
        if parent and error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            found = getattr(_module(option, path, parent), last, None)
            if found is not None:
                return found  # type: ignore[no-any-return]
        raise _does_not_import(option, path, error) from error
    except (Exception, SystemExit) as error:
        raise _does_not_import(option, path, error) from error


def _does_not_import(option: str, path: str, error: BaseException) -> ContractError:
    return ContractError(option, path, f"one whose module imports here ({type(error).__name__}: {error})")


def arguments_of(cls: type) -> dict[str, Any]:
    """Names and defaults of what the constructor takes; through ``**kwargs`` what its bases take, too."""
    found: dict[str, Any] = {}
    for base in cls.__mro__:
        if "__init__" not in vars(base) or base is object:
            continue
        parameters = [*inspect.signature(vars(base)["__init__"]).parameters.values()][1:]
        named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        found = {p.name: p.default for p in named} | found
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return found


def check_arguments(
    option: str,
    path: str,
    takes: Mapping[str, Any],
    spelling: Mapping[str, str],
    kwargs: Mapping[str, Any],
    kind: str = "a class whose constructor",
) -> frozenset[str]:
    """Hyper-parameters (the contract's names) that the class takes and that `kwargs` leaves to the suite.

    spelling: from the contract's name to the class's. Raises `ContractError` where one that always varies is
    missing or fixed, where another is fixed to more than its absence, and for names that the class does not take.
    """
    for name in _VARIES_ALWAYS:
        if spelling[name] not in takes:
            accepted = f"{kind} takes {spelling[name]}; it takes {', '.join(takes)}"
            raise ContractError(option, path, accepted)
    free = {name for name, spelled in spelling.items() if spelled in takes and spelled not in kwargs}
    for name, spelled in spelling.items():
        absent = _absent(name)
        if spelled in kwargs and (name in _VARIES_ALWAYS or kwargs[spelled] not in absent):
            accepted = f"no {spelled}, which the suite varies"
            if name not in _VARIES_ALWAYS:
                accepted += f", or {absent[0]}, which leaves it out"
            raise ContractError("kwargs", dict(kwargs), accepted)
    for name in kwargs:
        if name not in takes:
            own = [key for key in takes if key not in (*spelling.values(), "params")]
            raise ContractError("kwargs", dict(kwargs), f"arguments of {path}: {', '.join(own)}")
    return frozenset(free)


def above_zero(claim: Claim, construct: Callable[[Hyperparameters], object]) -> Claim:
    """The claim, without 0 of the learning rate and epsilon where the constructor takes what is above 0 alone."""
    usual = Hyperparameters(amsgrad="amsgrad" in claim.nonzero)
    refused = {}
    for name in sorted({"learning_rate", "epsilon"} & claim.hyperparameters):
        try:
            construct(usual)
        except Exception:  # another matter, of which the checks tell
            continue
        try:
            zero: dict[str, Any] = {name: 0.0}
            construct(replace(usual, **zero))
        except Exception as error:
            refused[name] = f"{name} 0 ({type(error).__name__}: {error})"
    not_claimed = (*claim.not_claimed, *refused.values())
    return replace(claim, nonzero=claim.nonzero | {*refused}, not_claimed=not_claimed)


def not_taken(
    option: str,
    path: str,
    arguments: Mapping[str, Any],
    kwargs: Mapping[str, Any],
    error: Exception,
    where: str = "",
) -> ContractError:
    """The refusal of a class or factory that raises `error` for `arguments`, by `kwargs` where there are any.

    where: it raises, if not when it is called.
    """
    given = {name: value for name, value in arguments.items() if name not in kwargs}
    accepted = f"what {path} takes beside {given}{where} ({type(error).__name__}: {error})"
    name, value = ("kwargs", dict(kwargs)) if kwargs else (option, path)
    return ContractError(name, value, accepted)


IN_A_STEP = ", in its first step too"
"""Where a class may refuse `kwargs` that its constructor takes."""


def _absent(name: str) -> tuple[Any, ...]:
    default = getattr(Hyperparameters(), name)
    return (default, None) if default is False or default == 0 else (default,)


def left_out(takes: Mapping[str, Any], skip: Sequence[str], kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    """The class's arguments that are not tested, and the values that they have instead."""
    shown = {name: default for name, default in takes.items() if name not in skip and name not in kwargs}
    defaults = tuple(f"{name} (left at its default)" for name in shown)
    varied = {name: default for name, default in takes.items() if name in skip and name not in kwargs}
    own = [f"{name}={value!r}" for name, value in varied.items() if value is not inspect.Parameter.empty]
    given = (f"its own defaults {', '.join(own)} (every problem gives them)",) if own else ()
    return (*defaults, *given, *(f"{name} other than {value!r}" for name, value in kwargs.items()))


def declared(arithmetic: Arithmetic, changes: Mapping[str, Any]) -> Arithmetic:
    """`arithmetic` as the caller corrects it; `ContractError` for an unknown role or precision."""
    roles = [f.name for f in fields(Arithmetic) if f.name != "storage"]
    for name in changes:
        if name not in roles:
            raise ContractError("arithmetic", dict(changes), f"an object with keys out of {', '.join(roles)}")
    return replace(arithmetic, **changes)


def package_of(module: str, framework: str) -> tuple[str, str]:
    """Distribution and version that ship `module`; where none does, its top-level name and what it runs on."""
    top = module.partition(".")[0]
    names = metadata.packages_distributions().get(top, [])
    if names:
        return names[0], metadata.version(names[0])
    return top, f"of no distribution, on {framework} {metadata.version(framework)}"
