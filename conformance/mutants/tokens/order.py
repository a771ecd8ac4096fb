"""Stages of a dialect that may stand in either order: proved from what each of them reads and writes.

A stage acts on nothing but the fields of the quantities that it is given (`reference.stages`). Where neither of two
neighbours writes what the other reads or writes, their order cannot matter.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cache

from conformance.mutants.tokens import overlay
from conformance.mutants.tokens.fields import Fields, Functions, functions_of, of_function, together
from conformance.mutants.tokens.mutant import Mutant
from conformance.mutants.tokens.proofs import Proof

REASON = "neither of the two stages writes what the other reads or writes"


def proofs(mutants: Sequence[Mutant]) -> Iterator[Proof]:
    """Of every mutant in which two stages of a dialect trade places that may."""
    for mutant in mutants:
        c = mutant.change
        if mutant.module == "reference.dialects" and c.rule == "order":
            first, second = _pair(mutant)
            if not first.meet(second):
                yield Proof("equivalent", REASON, mutant.module, c.scope, [(c.before, c.after)])


def _pair(mutant: Mutant) -> tuple[Fields, Fields]:
    """Of the two elements that trade places."""
    text = mutant.source.encode()[mutant.change.start : mutant.change.end].decode()
    parsed = ast.parse(f"({text})", mode="eval").body
    assert isinstance(parsed, ast.Tuple)
    sequences = {
        target.id: s.value
        for s in ast.parse(mutant.source).body
        if isinstance(s, ast.Assign)
        for target in s.targets
        if isinstance(target, ast.Name)
    }

    def stages(element: ast.expr) -> Iterator[str]:
        """Names of the stages that an element stands for: s.l2, or *_MOMENTS."""
        match element:
            case ast.Attribute(attr=name):
                yield name
            case ast.Starred(value=ast.Name(id=name)):
                sequence = sequences[name]
                assert isinstance(sequence, ast.Tuple)
                for each in sequence.elts:
                    yield from stages(each)

    first, second = (together(of_function(name, _functions()) for name in stages(e)) for e in parsed.elts)
    return first, second


@cache
def _functions() -> Functions:
    names = ("stages", "rates", "clipping", "multipliers", "averages", "constraints")
    modules = (ast.parse(overlay.source_of(f"reference.{name}").read_text()) for name in names)
    return {name: function for module in modules for name, function in functions_of(module).items()}
