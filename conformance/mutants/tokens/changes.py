"""Every small change of a piece of Python: one token, one statement, or the order of two, at a time.

Knows Python's grammar and nothing of what is changed; what stands for what is a `Vocabulary`.

Changes that cannot change anything, or that no compiler would take, are not made: two neighbours that share
no name which one of them binds may stand in any order (calls act through their arguments), a statement that
first binds a name is not dropped, a name is replaced only by one that is bound there, things that are made
with a name of their own are not put in another order, and the words of an error are left alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType

from conformance.mutants.tokens.fields import Fields, functions_of, of_code


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """What may be taken for what."""

    kinds: Sequence[Sequence[str]] = ()
    """Names, dotted names and quoted words; each gives way to the next of its kind that is bound there."""
    others: int = 1
    """How many others of its kind a name gives way to, one after the other."""
    keywords: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))
    """Arguments and fields by name, and the values that they may have."""
    functions: Sequence[str] = ()
    """Functions of one argument that may be forgotten: f(x) becomes x."""
    sequences: Sequence[str] = ()
    """Arguments and fields by name whose value is a sequence of which each element may be left out."""
    objects: Sequence[str] = ()
    """Names of what statements write fields of, and hand to calls that do; their order may matter too."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change: bytes `start` to `end` of the source become `new`."""

    start: int
    end: int
    new: str
    rule: str
    """operator, comparison, constant, name, sign, negation, function, dropped, order, left out."""
    scope: str
    """Dotted name of the function, class, assignment or named call that it is in."""
    line: int
    before: str
    """The source lines that change, without indentation."""
    after: str

    def apply(self, source: str) -> str:
        """The changed source."""
        data = source.encode()
        return (data[: self.start] + self.new.encode() + data[self.end :]).decode()


def changes(source: str, scopes: Sequence[str], vocabulary: Vocabulary) -> list[Change]:
    """All changes inside `scopes`, in the order of the text; no two of them make the same program.

    scopes: names of functions, classes and assigned names at the top level.

    Raises ValueError naming a scope that `source` does not have.
    """
    tree = ast.parse(source)
    finder = _Finder(source, tree, vocabulary)
    top = _top_level(tree)
    for scope in scopes:
        if scope not in top:
            raise ValueError(f"scope is {scope!r}; accepted: {', '.join(top)}")
        finder.block([top[scope]], frozenset(top) | _imported(tree), (), sole=True)
    found: dict[str, Change] = {}
    for change in sorted(finder.found, key=lambda c: (c.start, c.end, c.rule, c.new)):
        found.setdefault(change.apply(source), change)
    found.pop(source, None)
    return list(found.values())


_OPERATORS: dict[type[ast.AST], tuple[str, tuple[str, ...]]] = {
    ast.Add: ("+", ("-",)),
    ast.Sub: ("-", ("+",)),
    ast.Mult: ("*", ("/",)),
    ast.Div: ("/", ("*",)),
    ast.Pow: ("**", ("*",)),
    ast.And: ("and", ("or",)),
    ast.Or: ("or", ("and",)),
    ast.Lt: ("<", ("<=", ">")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
}
_OPPOSITE = {"min": "max", "max": "min"}


class _Finder:
    def __init__(self, source: str, tree: ast.Module, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._functions = functions_of(tree)
        self.found: list[Change] = []
        self._data = source.encode()
        self._starts = [0]
        for line in self._data.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._scope: tuple[str, ...] = ()

    # Text

    def _span(self, node: ast.AST) -> tuple[int, int]:
        assert isinstance(node, ast.expr | ast.stmt | ast.keyword)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self._starts[node.lineno - 1] + node.col_offset,
            self._starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def _text(self, node: ast.AST) -> str:
        start, end = self._span(node)
        return self._data[start:end].decode()

    def _add(self, rule: str, start: int, end: int, new: str) -> None:
        first = self._data.rfind(b"\n", 0, start) + 1
        last = self._data.find(b"\n", end)
        last = len(self._data) if last < 0 else last
        before = self._data[first:last].decode()
        after = (self._data[first:start] + new.encode() + self._data[end:last]).decode()
        self.found.append(
            Change(
                start=start,
                end=end,
                new=new,
                rule=rule,
                scope=".".join(self._scope),
                line=self._data.count(b"\n", 0, start) + 1,
                before=_one_line(before),
                after=_one_line(after),
            )
        )

    def _between(self, rule: str, left: ast.AST, right: ast.AST, operator: ast.AST) -> None:
        """Replace the operator that stands between two expressions."""
        if type(operator) not in _OPERATORS:
            return
        symbol, others = _OPERATORS[type(operator)]
        start = self._data.index(symbol.encode(), self._span(left)[1], self._span(right)[0])
        for other in others:
            self._add(rule, start, start + len(symbol), other)

    # Statements

    def block(self, body: Sequence[ast.stmt], bound: frozenset[str], scope: tuple[str, ...], *, sole: bool) -> None:
        """Changes in and of the statements of one block; `bound`: names with a value where it begins.

        sole: whether dropping the only statement of the block would be the same as dropping its parent.
        """
        body = [s for s in body if not _is_docstring(s)]
        for k, statement in enumerate(body):
            self._scope = scope
            binds = _binds(statement)
            if not (sole and len(body) == 1) and _can_be_dropped(statement) and binds <= bound:
                self._add("dropped", *self._span(statement), "pass")
            if k + 1 < len(body) and self._may_trade_places(statement, body[k + 1], bound):
                (start, end), (then, last) = self._span(statement), self._span(body[k + 1])
                between = self._data[end:then].decode()
                self._add("order", start, last, self._text(body[k + 1]) + between + self._text(statement))
            self._statement(statement, bound, scope)
            bound |= binds if not isinstance(statement, ast.If | ast.For | ast.While) else frozenset()

    def _may_trade_places(self, first: ast.stmt, second: ast.stmt, bound: frozenset[str]) -> bool:
        """Whether the order of two statements can matter and the other order has every name bound."""
        if not (_can_be_dropped(first) and _can_be_dropped(second)):
            return False
        if (_binds(first) - bound) & _reads(second):
            return False
        a, b = _binds(first), _binds(second)
        return bool(a & (_reads(second) | b) or b & _reads(first)) or self._fields_meet(first, second)

    def _fields_meet(self, first: ast.stmt, second: ast.stmt) -> bool:
        """Whether one writes a field of an object that the other reads or writes."""

        def fields(statement: ast.stmt, thing: str) -> Fields:
            return of_code(statement, thing, self._functions)

        return any(fields(first, thing).meet(fields(second, thing)) for thing in self.vocabulary.objects)

    def _statement(self, statement: ast.stmt, bound: frozenset[str], scope: tuple[str, ...]) -> None:
        match statement:
            case ast.FunctionDef():
                arguments = {a.arg for a in ast.walk(statement.args) if isinstance(a, ast.arg)}
                self.block(statement.body, bound | arguments, (*scope, statement.name), sole=True)
            case ast.ClassDef():
                self.block(statement.body, bound, (*scope, statement.name), sole=True)
            case ast.If(test=test, body=body, orelse=orelse):
                self._condition(test)
                self._expression(test, bound)
                self.block(body, bound, scope, sole=not orelse)
                self.block(orelse, bound, scope, sole=False)
            case ast.For(target=target, iter=iterated, body=body):
                self._expression(iterated, bound)
                self.block(body, bound | _names(target), scope, sole=True)
            case ast.Assign(value=value) | ast.Expr(value=value):
                for target in statement.targets if isinstance(statement, ast.Assign) else ():
                    self._expression(target, bound)
                self._scope = scope if scope or isinstance(statement, ast.Expr) else tuple(_binds(statement))
                self._expression(value, bound)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self._keyword(name, value, bound)
            case ast.AugAssign(target=target, op=operator, value=value):
                self._between("operator", target, value, operator)
                self._expression(value, bound)
            case ast.Return(value=ast.expr() as value):
                self._expression(value, bound)

    # Expressions

    def _expression(self, node: ast.expr, bound: frozenset[str]) -> None:
        match node:
            case ast.JoinedStr():
                return
            case ast.Name(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()) | ast.Constant(value=str()):
                if self._swap_names(node, bound):
                    return
            case ast.Constant(value=bool() | int() | float() as value):
                for new in _other_numbers(value, self._text(node)):
                    self._add("constant", *self._span(node), new)
            case ast.BinOp(left=left, op=operator, right=right):
                self._between("operator", left, right, operator)
            case ast.BoolOp(op=operator, values=values):
                for left, right in pairwise(values):
                    self._between("operator", left, right, operator)
            case ast.Compare(left=left, ops=operators, comparators=values):
                for a, comparison, b in zip([left, *values[:-1]], operators, values, strict=True):
                    self._between("comparison", a, b, comparison)
            case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=operand):
                rule = "sign" if isinstance(node.op, ast.USub) else "negation"
                self._add(rule, *self._span(node), self._text(operand))
            case ast.IfExp(test=test):
                self._condition(test)
            case ast.Tuple(elts=elements):
                for a, b in pairwise(elements):
                    if _name_given(a) and _name_given(b):
                        continue
                    (start, end), (then, last) = self._span(a), self._span(b)
                    between = self._data[end:then].decode()
                    self._add("order", start, last, self._text(b) + between + self._text(a))
            case ast.Call(func=function, args=[argument], keywords=[]):
                if self._text(function) in self.vocabulary.functions:
                    self._add("function", *self._span(node), f"({self._text(argument)})")
        if isinstance(node, ast.Call) and self._text(node.func) in _OPPOSITE:
            self._add("function", *self._span(node.func), _OPPOSITE[self._text(node.func)])
        scope = self._scope
        self._scope = (*scope, *_name_given(node))
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.keyword) and child.arg is not None:
                self._keyword(child.arg, child.value, bound)
            elif isinstance(child, ast.expr):
                self._expression(child, bound)
        self._scope = scope

    def _elements(self, value: ast.expr) -> None:
        """Each element of a sequence left out."""
        elements = value.elts if isinstance(value, ast.Tuple) else []
        for k, element in enumerate(elements):
            start, end = self._span(element)
            if k + 1 < len(elements):
                self._add("left out", start, self._span(elements[k + 1])[0], "")
            else:
                comma = "" if self._data[end:].lstrip()[:1] == b"," else ","
                self._add("left out", self._span(elements[k - 1])[1] if k else start, end, comma)

    def _keyword(self, name: str, value: ast.expr, bound: frozenset[str]) -> None:
        if name in self.vocabulary.sequences:
            self._elements(value)
        if name not in self.vocabulary.keywords:
            self._expression(value, bound)
            return
        for other in self.vocabulary.keywords[name]:
            if other != self._text(value):
                self._add("constant", *self._span(value), other)

    def _condition(self, test: ast.expr) -> None:
        """The opposite, where changing the comparison does not give it."""
        if not isinstance(test, ast.Compare | ast.UnaryOp):
            self._add("negation", *self._span(test), f"not ({self._text(test)})")

    def _swap_names(self, node: ast.expr, bound: frozenset[str]) -> bool:
        """Whether the text of `node` is of a kind; a dotted name that is not may have a part that is."""
        text = self._text(node)
        found = False
        for kind in self.vocabulary.kinds:
            if text in kind:
                found = True
                at = list(kind).index(text)
                others = (*kind[at + 1 :], *kind[:at])
                there = [other for other in others if other[0] == '"' or other.split(".")[0] in bound]
                for other in there[: self.vocabulary.others]:
                    self._add("name", *self._span(node), other)
        return found


def _one_line(text: str) -> str:
    return " ".join(re.sub(r"\s#.*", "", line).strip() for line in text.splitlines() if line.strip())


def _other_numbers(value: bool | int | float, text: str) -> Sequence[str]:
    if isinstance(value, bool):
        return (str(not value),)
    if isinstance(value, int):
        return (str(value - 1), str(value + 1)) if value else ("1",)
    return {0.0: ("1.0",), 1.0: ("0.0", "2.0")}.get(value, (f"(2 * {text})",))


def _name_given(node: ast.AST) -> tuple[str, ...]:
    """What a call says is the name of the thing that it makes: f(name="x", ...)."""
    keywords = node.keywords if isinstance(node, ast.Call) else ()
    values = [k.value for k in keywords if k.arg == "name"]
    return tuple(str(v.value) for v in values if isinstance(v, ast.Constant))


def _top_level(tree: ast.Module) -> dict[str, ast.stmt]:
    """Functions, classes and assigned names, each with its statement."""
    return {name: s for s in tree.body if not isinstance(s, ast.Import | ast.ImportFrom) for name in _binds(s)}


def _imported(tree: ast.Module) -> frozenset[str]:
    imports = [s for s in tree.body if isinstance(s, ast.Import | ast.ImportFrom)]
    return frozenset((alias.asname or alias.name).split(".")[0] for s in imports for alias in s.names)


def _names(node: ast.AST) -> frozenset[str]:
    return frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name))


def _binds(statement: ast.stmt) -> frozenset[str]:
    """Names that a statement gives a value, blocks inside it included, bodies of functions not."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return frozenset({statement.name})
    return frozenset(n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))


def _reads(statement: ast.stmt) -> frozenset[str]:
    names = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    own = _names(statement.target) if isinstance(statement, ast.AugAssign) else frozenset()
    return frozenset(names) | own


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _can_be_dropped(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign | ast.AugAssign | ast.Expr | ast.If | ast.For | ast.Raise)
