"""What a check asks of an implementation: the calls, and which numbers of which state it compares in the end.

`Recorder` stands before an implementation and keeps every call. `Numbered` answers the same calls with states whose
every number is unlike any other, so that what a law makes of them (mirrored, permuted, scaled, cut) says which
element it compares with which.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from adapters.contract import Array, Gradient, Hyperparameters, Implementation, State
from adapters.memory import copied

Groups = Sequence[tuple[Sequence[Array], Hyperparameters]]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call; `run` is the number of the run that it makes, or asks."""

    what: str
    """start, step, save, resume, load, configuration, configured, change, change_group, add_group or put."""
    run: int
    groups: Groups = ()
    gradients: Sequence[Gradient] = ()
    again: Sequence[bool] = ()
    """Of every gradient, whether it is in the array that the run's last one of this parameter was in."""
    state: State | None = None
    """That is put."""
    saved: int = 0
    """Number of the save or the configuration that is made, or used."""
    group: int = 0
    """Number of the group that is changed alone."""


class _Before:
    """What stands before an implementation: everything that is no call is the implementation's own."""

    def __init__(self, implementation: Implementation) -> None:
        self.implementation = implementation

    def __getattr__(self, name: str) -> Any:
        return getattr(self.implementation, name)


class Recorder(_Before):
    """Asks the implementation, and keeps what was asked."""

    def __init__(self, implementation: Implementation) -> None:
        super().__init__(implementation)
        self.calls: list[Call] = []
        self.kept: list[bytes] = []
        self.runs = itertools.count()

    def latest(self) -> int:
        """Number of the run that was made last."""
        return max((call.run for call in self.calls), default=0)

    def start(self, parameters: Sequence[Array], hyperparameters: Hyperparameters, **more: Any) -> Any:
        """As the implementation's."""
        return self._made("start", [(parameters, hyperparameters)], self.implementation.start, **more)

    def start_groups(self, groups: Groups) -> Any:
        """As the implementation's."""
        made: Any = self.implementation
        run = next(self.runs)
        self.calls.append(Call(what="start", run=run, groups=_kept(groups)))
        return RecordedRun(self, made.start_groups(groups), run)

    def resume(self, parameters: Sequence[Array], hyperparameters: Hyperparameters, saved: bytes, **more: Any) -> Any:
        """As the implementation's."""
        whole: Any = self.implementation
        number = self.kept.index(saved)
        return self._made("resume", [(parameters, hyperparameters)], whole.resume, saved, number=number, **more)

    def resume_groups(self, groups: Groups, saved: bytes) -> Any:
        """As the implementation's."""
        whole: Any = self.implementation
        run = next(self.runs)
        self.calls.append(Call(what="resume", run=run, groups=_kept(groups), saved=self.kept.index(saved)))
        return RecordedRun(self, whole.resume_groups(groups, saved), run)

    def configured(self, parameters: Sequence[Array], configuration: bytes) -> Any:
        """As the implementation's."""
        whole: Any = self.implementation
        run = next(self.runs)
        groups = _kept([(parameters, Hyperparameters())])
        self.calls.append(Call(what="configured", run=run, groups=groups, saved=self.kept.index(configuration)))
        return RecordedRun(self, whole.configured(parameters, configuration), run)

    def _made(self, what: str, groups: Groups, make: Any, *saved: bytes, number: int = 0, **more: Any) -> Any:
        run = next(self.runs)
        self.calls.append(Call(what=what, run=run, groups=_kept(groups), saved=number))
        return RecordedRun(self, make(*groups[0], *saved, **more), run)


class RecordedRun:
    """One run of the implementation."""

    def __init__(self, recorder: Recorder, inner: Any, number: int) -> None:
        self.recorder, self.inner, self.number = recorder, inner, number
        self.last: dict[int, Gradient] = {}

    def step(self, gradients: Sequence[Gradient]) -> State:
        """As the run's."""
        again = tuple(g is not None and self.last.get(i) is g for i, g in enumerate(gradients))
        self.last |= {i: g for i, g in enumerate(gradients) if g is not None}
        own = tuple(copied(g) if isinstance(g, np.ndarray) else g for g in gradients)
        self.recorder.calls.append(Call(what="step", run=self.number, gradients=own, again=again))
        state: State = self.inner.step(gradients)
        return state

    def save(self) -> bytes:
        """As the run's."""
        return self._bytes("save")

    def load(self, saved: bytes) -> None:
        """As the run's."""
        number = self.recorder.kept.index(saved)
        self.recorder.calls.append(Call(what="load", run=self.number, saved=number))
        self.inner.load(saved)

    def configuration(self) -> bytes:
        """As the run's."""
        return self._bytes("configuration")

    def change(self, hyperparameters: Hyperparameters) -> None:
        """As the run's."""
        self._note("change", groups=((), hyperparameters))
        self.inner.change(hyperparameters)

    def change_group(self, group: int, hyperparameters: Hyperparameters) -> None:
        """As the run's."""
        self._note("change_group", groups=((), hyperparameters), group=group)
        self.inner.change_group(group, hyperparameters)

    def add_group(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> None:
        """As the run's."""
        self._note("add_group", groups=(parameters, hyperparameters))
        self.inner.add_group(parameters, hyperparameters)

    def put(self, state: State) -> None:
        """As the run's."""
        self.recorder.calls.append(Call(what="put", run=self.number, state=copy.deepcopy(state)))
        self.inner.put(state)

    def _note(self, what: str, *, groups: Any, group: int = 0) -> None:
        self.recorder.calls.append(Call(what=what, run=self.number, groups=_kept([groups]), group=group))

    def _bytes(self, what: str) -> bytes:
        answer: bytes = getattr(self.inner, what)()
        self.recorder.calls.append(Call(what=what, run=self.number, saved=len(self.recorder.kept)))
        self.recorder.kept.append(answer)
        return answer


def _kept(groups: Groups) -> Groups:
    return tuple((tuple(copied(theta) for theta in parameters), h) for parameters, h in groups)


@dataclass(frozen=True)
class Place:
    """A number of a state: of this run, after its step number so much, of a quantity of a parameter."""

    run: int
    step: int
    quantity: str
    parameter: int
    index: tuple[int, ...]


FIRST = 2**22
"""Numbers of elements lie from here to twice as much: float32 holds them, and one is never another's double."""


class Numbered(_Before):
    """Answers with states of which every number says what it is."""

    def __init__(self, implementation: Implementation) -> None:
        super().__init__(implementation)
        self.places: list[Place] = []
        self.runs = itertools.count()

    def start(self, parameters: Sequence[Array], hyperparameters: Hyperparameters, **more: Any) -> Any:
        """A run of numbers."""
        return self.start_groups([(parameters, hyperparameters)])

    def start_groups(self, groups: Groups) -> Any:
        """A run of numbers."""
        h = replace(groups[0][1], amsgrad=any(own.amsgrad for _, own in groups))
        return _NumberedRun(self, [theta for parameters, _ in groups for theta in parameters], h)

    def resume(self, parameters: Sequence[Array], hyperparameters: Hyperparameters, *saved: Any, **more: Any) -> Any:
        """A run of numbers."""
        return self.start_groups([(parameters, hyperparameters)])

    def resume_groups(self, groups: Groups, saved: bytes) -> Any:
        """A run of numbers."""
        return self.start_groups(groups)

    def configured(self, parameters: Sequence[Array], configuration: bytes) -> Any:
        """A run of numbers; with a maximum, or slow weights, where the configuration is of one that has them."""
        h = Hyperparameters(
            amsgrad=b"amsgrad" in configuration,
            sync_period=1 if b"slow" in configuration else None,
            ema_momentum=0.5 if b"average" in configuration else None,
        )
        return self.start_groups([(parameters, h)])

    def place(self, value: float) -> tuple[Place, float] | None:
        """The number that `value` is a power of two times, and the factor; None where it is of none."""
        if not np.isfinite(value) or value == 0:
            return None
        mantissa, exponent = np.frexp(abs(value))
        number = float(mantissa) * 2 * FIRST
        if not number.is_integer() or number - FIRST >= len(self.places):
            return None
        return self.places[int(number) - FIRST], float(np.sign(value) * 2.0 ** (int(exponent) - 23))


class _NumberedRun:
    def __init__(self, all_of: Numbered, parameters: Sequence[Array], h: Hyperparameters) -> None:
        self.all_of, self.parameters = all_of, list(parameters)
        self.amsgrad, self.slow, self.average = h.amsgrad, h.sync_period is not None, h.ema_momentum is not None
        self.number, self.steps = next(all_of.runs), 0

    def step(self, gradients: Sequence[Gradient]) -> State:
        """Numbers."""
        self.steps += 1

        def arrays(name: str) -> tuple[Array, ...]:
            return tuple(self._numbers(name, i, theta) for i, theta in enumerate(self.parameters))

        return State(
            parameters=arrays("parameters"),
            m=arrays("m"),
            v=arrays("v"),
            v_max=arrays("v_max") if self.amsgrad else None,
            slow=arrays("slow") if self.slow else None,
            average=arrays("average") if self.average else None,
            t=tuple(
                int(array) for array in (self._numbers("t", i, np.float64(0)) for i in range(len(self.parameters)))
            ),
        )

    def _numbers(self, name: str, i: int, like: Any) -> Array:
        first, size = FIRST + len(self.all_of.places), int(np.size(like))
        self.all_of.places += [Place(self.number, self.steps, name, i, at) for at in np.ndindex(np.shape(like))]
        return np.arange(first, first + size).reshape(np.shape(like)).astype(np.asarray(like).dtype)

    def save(self) -> bytes:
        """Nothing that is read."""
        return b"saved"

    def load(self, saved: bytes) -> None:
        """Nothing."""

    def configuration(self) -> bytes:
        """What the state holds beside the moments."""
        return b"amsgrad " * self.amsgrad + b"slow " * self.slow + b"average" * self.average

    def finalize(self) -> State:
        """As after another step."""
        return self.step(())

    def change(self, hyperparameters: Hyperparameters) -> None:
        """Nothing."""

    def change_group(self, group: int, hyperparameters: Hyperparameters) -> None:
        """Nothing."""

    def add_group(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> None:
        """More of them."""
        self.parameters += parameters
        self.amsgrad |= hyperparameters.amsgrad

    def put(self, state: State) -> None:
        """Nothing."""
