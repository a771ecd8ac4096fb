"""Which fields of an object a piece of code reads and writes, in whatever it calls: from the source, not from a run.

Two pieces may stand in either order if neither writes a field that the other reads or writes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Functions = Mapping[str, ast.FunctionDef]
"""Those of a module, by name."""

_ANY = "*"
"""Any field: of an object that is handed to code which is not here."""


@dataclass(frozen=True)
class Fields:
    """Names of fields."""

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()

    def meet(self, other: Fields) -> bool:
        """Whether one writes what the other reads or writes."""
        return _meet(self.writes, other.reads | other.writes) or _meet(other.writes, self.reads)


UNKNOWN = Fields(frozenset({_ANY}), frozenset({_ANY}))


def functions_of(tree: ast.Module) -> Functions:
    """Those at the top level."""
    return {s.name: s for s in tree.body if isinstance(s, ast.FunctionDef)}


def together(several: Iterable[Fields]) -> Fields:
    """Of pieces one after the other."""
    found = list(several)
    return Fields(frozenset().union(*(f.reads for f in found)), frozenset().union(*(f.writes for f in found)))


def of_function(name: str, functions: Functions, parameter: int = 0, within: frozenset[str] = frozenset()) -> Fields:
    """Of the object that a function takes as its parameter of that number; `UNKNOWN` if the function is not here.

    within: functions that are being looked into already.
    """
    function = functions.get(name)
    taken = function.args.args if function else []
    if function is None or parameter >= len(taken) or name in within:
        return UNKNOWN
    return together(of_code(s, taken[parameter].arg, functions, within | {name}) for s in function.body)


def of_code(code: ast.AST, thing: str, functions: Functions, within: frozenset[str] = frozenset()) -> Fields:
    """Of the object that is called `thing`."""
    found: list[Fields] = []
    understood: set[ast.AST] = set()
    for node in ast.walk(code):  # a node before what is in it
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name))) if name == thing:
                return UNKNOWN
            case ast.Call(func=ast.Name(id=called), keywords=[]) if called in functions:
                for k, argument in enumerate(node.args):
                    if isinstance(argument, ast.Name) and argument.id == thing:
                        understood.add(argument)
                        found.append(of_function(called, functions, k, within))
            case ast.AugAssign(target=ast.Attribute(value=ast.Name(id=name), attr=field)) if name == thing:
                found.append(Fields(reads=frozenset({field})))  # beside the write, which its target is
            case ast.Attribute(value=ast.Name(id=name), attr=field) if name == thing:
                understood.add(node.value)
                one = frozenset({field})
                found.append(Fields(reads=one) if isinstance(node.ctx, ast.Load) else Fields(writes=one))
            case ast.Name(id=name) if name == thing and node not in understood:
                return UNKNOWN
    return together(found)


def _meet(some: frozenset[str], others: frozenset[str]) -> bool:
    return bool(some & others) or (_ANY in some and bool(others)) or (_ANY in others and bool(some))
