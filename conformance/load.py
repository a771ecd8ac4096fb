"""From a name on the command line to an implementation."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import reference
from adapters.contract import CONTRACT_VERSION, Claim, ContractError, Implementation
from adapters.registry import ADAPTERS
from conformance.findings import short_text
from conformance.given import Given


class CannotTest(Exception):
    """An implementation that was named cannot be had; the message says why and what would be accepted."""

    missing = False
    """Whether that is so because a package is not installed."""


class Missing(CannotTest):
    """A package that the implementation needs is not installed."""

    missing = True


def load(name: str, given: Given | None = None, option: str = "adapter") -> Implementation:
    """The implementation called `name`: one of the registry's, FILE.py:NAME, or the class that is given.

    option: of the command line, which names it. Raises `CannotTest` if there is none, if its framework is missing, or
    if it is written against another version of the contract.
    """
    try:
        if given is not None:
            implementation = given.adapter()
        else:
            factory = _from_file(name, option) if ".py:" in name else _from_registry(name, option)
            implementation = factory()
    except (CannotTest, KeyboardInterrupt):
        raise
    except ImportError as error:
        if (error.name or "").startswith("adapters"):
            raise CannotTest(f"{name} is broken: {short_text(error)}") from error
        raise Missing(f"{name} needs what is not here: {short_text(error)}") from error
    except ContractError as error:
        message = str(error) if given is not None else f"{name} cannot be constructed: {short_text(error)}"
        raise CannotTest(message) from error
    except BaseException as error:  # SystemExit too: it would end the suite without a word
        raise CannotTest(f"{name} cannot be constructed: {short_text(error)}") from error
    _check(name, implementation)
    return implementation  # type: ignore[no-any-return]


def _from_registry(name: str, option: str) -> Any:
    if name not in ADAPTERS:
        accepted = f"{', '.join(ADAPTERS)}, or FILE.py:NAME"
        raise CannotTest(f"{option} is {name!r}; accepted: {accepted}")
    entry = ADAPTERS[name]
    return getattr(importlib.import_module(entry.module), entry.cls)


def _from_file(name: str, option: str) -> Any:
    file, _, attribute = name.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise CannotTest(f"{option} is {name!r}, but there is no file {file!r}; accepted: FILE.py:NAME")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise CannotTest(f"{option} is {name!r}, but {file!r} is not a Python file; accepted: FILE.py:NAME")
    module = importlib.util.module_from_spec(spec)
    # Last, so that a neighbour of the file cannot shadow an installed package.
    sys.path.append(str(path.parent.resolve()))
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise CannotTest(f"{file} does not import: {short_text(error)}") from error
    if not callable(getattr(module, attribute, None)):
        own = [n for n, value in vars(module).items() if isinstance(value, type) and value.__module__ == spec.name]
        accepted = ", ".join(own) or "a class defined there"
        raise CannotTest(f"{option} is {name!r}, but {file} has no class {attribute!r}; accepted: {accepted}")
    return getattr(module, attribute)


def _check(name: str, implementation: Any) -> None:
    missing = [
        member
        for member in ("contract_version", "name", "claim", "identity", "arithmetic", "start")
        if not hasattr(implementation, member)
    ]
    if missing or not isinstance(implementation, Implementation):
        accepted = "the members of adapters.contract.Implementation"
        raise CannotTest(f"{name} has no {', '.join(missing)}; accepted: {accepted}")
    if implementation.contract_version != CONTRACT_VERSION:
        version = implementation.contract_version
        raise CannotTest(f"{name}.contract_version is {version!r}; accepted: {CONTRACT_VERSION}")
    if not isinstance(implementation.claim, Claim):
        raise CannotTest(f"{name}.claim is a {type(implementation.claim).__name__}; accepted: adapters.contract.Claim")
    if not isinstance(implementation.name, str):
        raise CannotTest(f"{name}.name is a {type(implementation.name).__name__}; accepted: a str")
    try:
        dialect = reference.dialect(implementation.claim.dialect)
    except ValueError as error:
        raise CannotTest(f"{name}.claim: {error}") from error
    unknown = implementation.claim.hyperparameters - dialect.hyperparameters
    if unknown:
        accepted = ", ".join(sorted(dialect.hyperparameters))
        raise CannotTest(
            f"{name}.claim.hyperparameters has {', '.join(sorted(unknown))}; accepted in {dialect.name}: {accepted}"
        )
    rows = [kind for kind in implementation.claim.gradients if kind.endswith("rows")]
    if rows and not dialect.takes_rows:
        raise CannotTest(f"{name}.claim.gradients has {', '.join(rows)}; {dialect.name} has no sparse form")
