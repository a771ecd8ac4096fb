"""A broken law as a Python file that runs without the suite: the calls that show it, and the two numbers that differ.

The law is asked again on its smallest failing problem, with a `Recorder` before the implementation. The first number
that it does not accept is found again among the recorded runs by asking it once more, of a `Numbered` one: either both
of its numbers are the implementation's, or one is the reference's, which is written out.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adapters.contract import Implementation, Problem, State
from adapters.memory import offset
from conformance import checks, oracle
from conformance.describe import describe
from conformance.diagnosis.recording import Call, Numbered, Place, Recorder
from conformance.diagnosis.reproducer import array_text, gradient_text, hex_text
from conformance.diagnosis.script_source import HELPERS, TEMPLATE, source_of, used_of
from conformance.diagnosis.sentences import sentence
from conformance.findings import Finding
from conformance.laws.related import comparisons
from conformance.observe import ContractBreach, ImplementationFailed, run

MOST_NUMBERS, MOST_WRITTEN = 200_000, 500
"""Numbers that a file may hold, and those that an array may have before it is packed."""

MEMORY = "memory between elements"
"""As `laws.layouts` calls it."""


@dataclass(frozen=True)
class _Told:
    """The first number that a check does not accept: what it is, and what it should be."""

    obtained: Sequence[tuple[Place, float]]
    """A sum of numbers with factors."""
    expected: tuple[Place, float] | float
    bound: float


def law_script(implementation: Implementation, check: str, problems: Sequence[Problem], title: str) -> str | None:
    """The file's text, of the first of the problems that shows it; None where none does, or it would be too large."""
    judged = next((one for one in checks.CHECKS if one.name == check), None)
    if judged is None or judged.problems in ("golden", "direct"):
        return None
    for problem in problems:
        recorder = Recorder(implementation)
        try:
            told = _count(recorder, problem) if check == "step-count" else _told(judged, recorder, problem)
        except (ContractBreach, ImplementationFailed):
            continue
        if told is not None:
            text = _text(implementation, check, problem, recorder.calls, told, title)
            if text is not None:
                return text
    return None


def _count(recorder: Recorder, problem: Problem) -> _Told | None:
    """The first t that is not the dialect's."""
    counts = oracle.step_counts(recorder.claim.dialect, problem)
    for k, (state, wanted) in enumerate(zip(run(recorder, problem).states, counts, strict=True)):
        for i, t in enumerate(wanted):
            if state.t[i] != t:
                return _Told([(Place(0, k + 1, "t", i, ()), 1.0)], float(t), 0.0)
    return None


def _told(judged: checks.Check, recorder: Recorder, problem: Problem) -> _Told | None:
    """What a law compares first of what it does not accept."""
    with comparisons(recorder.latest) as real:
        found: list[Finding] = judged.judge(recorder, problem).findings
    first = next((one for one in real if one.wrong.any()), None)
    if not found or first is None:
        return None
    index = tuple(int(n) for n in np.argwhere(first.wrong)[0])
    expected, bound = float(np.broadcast_to(first.expected, first.obtained.shape)[index]), float(first.bound[index])
    if first.name == MEMORY or problem.dtype in ("float16", "bfloat16"):  # which hold no numbers of their own
        place = Place(first.when, first.step, first.name, first.parameter, index)
        return _Told(_moved(place, 1.0) if first.name == "update" else [(place, 1.0)], expected, bound)
    numbered = Numbered(recorder.implementation)
    with comparisons() as marked:
        judged.judge(numbered, problem)
    before = [one for one in real[: next(n for n, one in enumerate(real) if one is first)] if one.name != MEMORY]
    same = [one for one in marked if one.name != MEMORY][: len(before) + 1]
    if first.name == "update":  # the parameters are compared before it
        now = numbered.place(float(same[-2].obtained[index]))
        return None if now is None else _Told(_moved(*now), expected, bound)
    obtained = numbered.place(float(same[-1].obtained[index]))
    other = numbered.place(float(np.broadcast_to(same[-1].expected, same[-1].obtained.shape)[index]))
    return None if obtained is None else _Told([obtained], other if other is not None else expected, bound)


def _moved(place: Place, factor: float) -> list[tuple[Place, float]]:
    """The parameter after the step less the one before."""
    now, before = (
        Place(place.run, k, "parameters", place.parameter, place.index) for k in (place.step, place.step - 1)
    )
    return [(now, factor), (before, -factor)]


def _text(
    implementation: Implementation, check: str, problem: Problem, calls: Sequence[Call], told: _Told, title: str
) -> str | None:
    pairs = [*told.obtained, *([told.expected] if isinstance(told.expected, tuple) else [])]
    needed = calls if check == "law-determinism" else _needed(calls, [place for place, _ in pairs])
    if sum(np.size(x) for call in needed for x in _arrays(call)) > MOST_NUMBERS:
        return None
    writer = _Writer(implementation, [place for place, _ in pairs])
    lines = writer.lines(needed)
    lines += [f"# {writer.said(place)}" for place, _ in pairs]
    lines.append(f"obtained = {' + '.join(writer.term(*one) for one in told.obtained)}")
    if isinstance(told.expected, tuple):
        lines.append(f"expected = {writer.term(*told.expected)}")
        wanted = (
            "Expected: the two numbers are equal" if told.bound == 0 else "Expected: they differ by the bounds at most"
        )
    else:
        lines.append(f"expected = float.fromhex({hex_text(told.expected)!r})")
        wanted = "Expected: what the check derives, and the bound of the declared arithmetic"
    helpers = [name for name in HELPERS if any(f"{name}(" in line for line in lines)]
    packs = "packed" in helpers
    numpy = "float32" if problem.dtype == "bfloat16" else problem.dtype
    return TEMPLATE.format(
        title=title.replace("\\", "/").replace('"', "'"),
        description=f"{sentence(check, check)}. {describe(problem)}".replace("\\", "/").replace('"', "'"),
        wanted=wanted,
        source=used_of(source_of(implementation), "\n".join(lines)).strip(),
        dtype=problem.dtype,
        numpy=numpy,
        imports="import base64\n" if packs else "",
        zlib="import zlib\n" if packs else "",
        helpers="".join(HELPERS[name] for name in helpers),
        calls="\n".join(f"    {line}" for line in lines),
        bound=told.bound if math.isfinite(told.bound) else float("inf"),
    )


def _needed(calls: Sequence[Call], places: Sequence[Place]) -> list[Call]:
    """Those that lead to the numbers, runs that nothing of them comes from left out."""
    last = {place.run: max(p.step for p in places if p.run == place.run) for place in places}
    kept: list[Call] = []
    saves: set[int] = set()
    steps = {run: sum(1 for c in calls if c.run == run and c.what == "step") for run in {c.run for c in calls}}
    for call in reversed(calls):
        if call.what in ("save", "configuration") and call.saved in saves:
            last.setdefault(call.run, 0)
            last[call.run] = max(last[call.run], steps[call.run])
        wanted = call.run in last
        if call.what == "step":
            wanted = wanted and steps[call.run] <= last[call.run]
            steps[call.run] -= 1
        if call.what in ("save", "configuration"):
            wanted = call.saved in saves
        if call.what in ("resume", "load", "configured") and wanted:
            saves.add(call.saved)
        if wanted:
            kept.append(call)
    return kept[::-1]


def _arrays(call: Call) -> list[Any]:
    gradients = [g if isinstance(g, np.ndarray) else g.values for g in call.gradients if g is not None]
    return [theta for parameters, _ in call.groups for theta in parameters] + gradients


class _Writer:
    """Calls as lines of Python."""

    def __init__(self, implementation: Implementation, places: Sequence[Place]) -> None:
        self.implementation = implementation
        self.places = list(dict.fromkeys(places))
        self.steps: dict[int, int] = {}
        self.reused: set[tuple[int, int]] = set()
        """Run and parameter whose gradients are in one array."""

    def lines(self, calls: Sequence[Call]) -> list[str]:
        """With what is read of them."""
        self.reused = {(call.run, i) for call in calls for i, again in enumerate(call.again) if again}
        return [line for call in calls for line in self._line(call)]

    def term(self, place: Place, factor: float) -> str:
        """A number that has been read."""
        name = f"number_{self.places.index(place)}"
        return {1.0: name, -1.0: f"-{name}"}.get(factor, f"{factor!r} * {name}")

    def said(self, place: Place) -> str:
        """What a number is."""
        which = f"[{', '.join(map(str, place.index))}]" if place.index else ""
        where = f"of parameter {place.parameter}, after step {place.step} of run {place.run}"
        return f"number_{self.places.index(place)}: {place.quantity}{which} {where}"

    def _line(self, call: Call) -> list[str]:
        run = f"run_{call.run}"
        groups = [f"({_parameters(parameters)}, {self._settings(call, h)})" for parameters, h in call.groups]
        if call.what == "start":
            return [f"{run} = start([{', '.join(groups)}])", *self._reads(call.run, 0, call)]
        if call.what == "step":
            self.steps[call.run] = self.steps.get(call.run, 0) + 1
            written, gradients = self._gradients(call)
            reads = self._reads(call.run, self.steps[call.run], call)
            return [*written, f"step({run}, [{', '.join(gradients)}])", *reads]
        if call.what in ("save", "configuration"):
            return [f"kept_{call.saved} = {call.what}({run})"]
        if call.what == "resume":
            return [f"{run} = resume([{', '.join(groups)}], kept_{call.saved})"]
        if call.what == "load":
            return [f"load({run}, kept_{call.saved})"]
        if call.what == "configured":
            return [f"{run} = configured({_parameters(call.groups[0][0])}, kept_{call.saved})"]
        if call.what == "change":
            return [f"change({run}, {self._settings(call, call.groups[0][1])})"]
        if call.what == "change_group":
            return [f"change_group({run}, {call.group}, {self._settings(call, call.groups[0][1])})"]
        if call.state is not None:
            return [f"put({run}, {{{', '.join(_state(call.state))}}})"]
        return [f"add_group({run}, {groups[0][1:]}"]

    def _gradients(self, call: Call) -> tuple[list[str], list[str]]:
        """Lines that write into arrays of before, or that are kept for it, and what a step is given."""
        lines, given = [], []
        for i, g in enumerate(call.gradients):
            name, text = f"gradient_{call.run}_{i}", _gradient(g)
            if g is not None and (call.run, i) in self.reused:
                lines.append(f"{name}[...] = {text}" if call.again[i] else f"{name} = {text}")
                text = name
            given.append(text)
        return lines, given

    def _reads(self, run: int, step: int, call: Call) -> list[str]:
        lines = []
        for n, place in enumerate(self.places):
            if (place.run, place.step) != (run, step):
                continue
            if step == 0:  # what it was given
                theta = [theta for parameters, _ in call.groups for theta in parameters][place.parameter]
                lines.append(f"number_{n} = float.fromhex({hex_text(float(theta[place.index]))!r})")
            elif place.quantity == MEMORY:
                lines.append(f"number_{n} = float(gaps(view(run_{run}, {place.parameter}))[{place.index!r}])")
            else:
                at = f"[{place.index!r}]" if place.index else ""
                lines.append(f"number_{n} = float(read(run_{run}, {place.quantity!r}, {place.parameter}){at})")
        return lines

    def _settings(self, call: Call, h: Any) -> str:
        """As the framework takes them, where its adapter says so: of a construction, or of a group."""
        spelled = getattr(self.implementation, "script_settings", None)
        if spelled is None:
            return repr(h)
        new = call.what in ("start", "resume") and len(call.groups) == 1
        return repr(spelled(h, new=new))


def _parameters(arrays: Sequence[Any]) -> str:
    return f"[{', '.join(map(_laid, arrays))}]"


def _state(state: State) -> Iterator[str]:
    for name, group in vars(state).items():
        numbers = None if group is None else f"[{', '.join(map(str, group) if name == 't' else map(_laid, group))}]"
        yield f"{name!r}: {numbers}"


def _gradient(g: Any) -> str:
    return _laid(g) if isinstance(g, np.ndarray) else gradient_text(g)


def _laid(x: Any) -> str:
    """An array with its layout, where it is not the usual one."""
    text = array_text(x, x.dtype.name) if x.size <= MOST_WRITTEN else _packed(x)
    if (x.flags.c_contiguous and offset(x) == 0) or not x.size:
        return text
    return f"laid({text}, {x.strides}, {offset(x)})"


def _packed(x: Any) -> str:
    text = base64.b64encode(zlib.compress(np.ascontiguousarray(x).tobytes(), 9)).decode()
    return f"packed({x.shape}, {x.dtype.name!r}, {text!r})"
