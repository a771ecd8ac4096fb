"""Every class of `adapters.signatures`, as it is installed: names, order, kinds and defaults of its arguments."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from adapters.signatures import Signature, installed, members, shown


def test_the_constructor_is_that_of_the_table(signature: Signature) -> None:
    assert shown(installed(signature.path)) == signature.text


def test_public_members_are_those_of_the_table(signature: Signature) -> None:
    """Where the table says them: a method that is new, gone or takes something else is seen."""
    if signature.members:
        assert members(installed(signature.path)) == dict(signature.members)


def test_other_methods_are_those_of_the_table(signature: Signature) -> None:
    """Of its bases, and those that are not public."""
    cls = installed(signature.path)
    assert {name: shown(getattr(cls, name)) for name in signature.named} == dict(signature.named)


def test_further_arguments_reach_the_base_of_the_table(signature: Signature) -> None:
    if signature.base:
        cls, base = installed(signature.path), installed(signature.base)
        assert any(p.kind is p.VAR_KEYWORD for p in inspect.signature(cls).parameters.values())
        assert base in cls.__mro__[1:]


def _changed(parameter: inspect.Parameter) -> inspect.Parameter:
    return parameter.replace(default="another")


def _renamed(parameter: inspect.Parameter) -> inspect.Parameter:
    return parameter.replace(name=parameter.name + "_")


def _by_name_only(parameter: inspect.Parameter) -> inspect.Parameter:
    return parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)


@pytest.mark.parametrize("change", [_changed, _renamed, _by_name_only, None])
def test_a_class_with_another_signature_is_seen(signature: Signature, change: Any) -> None:
    """The last argument with a name changed, or gone."""
    real = inspect.signature(installed(signature.path))
    named = [p for p in real.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    others = [p for p in real.parameters.values() if p not in named]
    parameters = [*named[:-1], *([change(named[-1])] if change else []), *others]

    def changed(*args: object, **kwargs: object) -> None:
        """Has the signature below."""

    changed.__signature__ = real.replace(parameters=parameters)  # type: ignore[attr-defined]
    assert shown(changed) != signature.text
