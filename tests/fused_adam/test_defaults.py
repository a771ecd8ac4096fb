"""Who moves a training job here and says nothing gets what the framework would have given."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch

import fused_adam
from adapters.signatures import REQUIRED, SIGNATURES, Signature, of_dialect, parsed, taken
from fused_adam import options

SPOKEN = [
    pytest.param(dialect, signature, id=f"{name}-{signature.environment}-{signature.path}")
    for name, dialect in options.DIALECTS.items()
    for signature in of_dialect(name)
    if signature.path != "torch.optim:AdamW"  # whose decay of 0.01 only fused_adam.AdamW has
]


def defaults(signature: Signature) -> dict[str, object]:
    """Of the class and its base; the base's own learning rate is not asked where the class has one."""
    base = SIGNATURES.get((signature.environment, signature.base))
    return {**(defaults(base) if base else {}), **signature.defaults}


def unlike(dialect: options.Dialect, signature: Signature, made: Any) -> list[str]:
    """Options whose default is another than the framework's."""
    known = {**signature.arguments, **defaults(signature)}
    return [name for name in sorted(dialect.takes & known.keys()) if getattr(made, name) != known[name]]


def test_every_dialect_has_its_class() -> None:
    assert {p.values[0].name for p in SPOKEN} == options.DIALECTS.keys()


@pytest.mark.parametrize(("dialect", "signature"), SPOKEN)
def test_the_defaults_of_a_dialect_are_its_frameworks(dialect: options.Dialect, signature: Signature) -> None:
    assert dialect.takes - signature.arguments.keys() <= taken(signature) | {"adaptive_epsilon"}
    assert unlike(dialect, signature, options.make(dialect, {})) == []


@pytest.mark.parametrize(("dialect", "signature"), SPOKEN)
def test_another_default_is_seen(dialect: options.Dialect, signature: Signature) -> None:
    assert unlike(dialect, signature, options.make(dialect, {"epsilon": 0.125, "beta_2": 0.5})) == [
        "beta_2",
        "epsilon",
    ]


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RAdam"])
def test_the_torch_face_has_torch_s_arguments_and_defaults_in_torch_s_order(name: str) -> None:
    """By position too: what is ours alone is given by name. eps None is the dialect's, and seen in what is made."""
    theirs = SIGNATURES["torch", f"torch.optim:{name}"].arguments
    face = getattr(fused_adam, name)
    ours = inspect.signature(face).parameters.values()
    assert [p.name for p in ours if p.kind is p.POSITIONAL_OR_KEYWORD] == _positional(name)
    made = face([torch.nn.Parameter(torch.zeros(1))]).defaults
    assert {n: made[n] for n in theirs if n != "params"} == {n: v for n, v in theirs.items() if v is not REQUIRED}
    assert {p.name for p in ours} >= theirs.keys()


def _positional(name: str) -> list[str]:
    """Before the star."""
    return list(parsed(SIGNATURES["torch", f"torch.optim:{name}"].text.partition(", *,")[0] + ")"))
