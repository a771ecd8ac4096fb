"""Adapters that misbehave, beyond those of conformance.mutants.harness. Used as FILE.py:NAME; no tests in here."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adapters.contract import Array, Hyperparameters, Identity
from adapters.fused_adam_numpy import KerasV2
from conformance.mutants.twin import Slot, TwinRun
from conformance.mutants.twins import KerasV2Twin, TorchTwin

ACT_ON = 3
"""Problems are started before a fake acts: its number in the report."""


class Fake(KerasV2Twin):
    """Correct until `act` is called, at the start of problem number `ACT_ON`."""

    started = -1

    def start(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> TwinRun:
        self.started += 1
        if self.started == ACT_ON:
            self.act()
        return super().start(parameters, hyperparameters)

    def act(self) -> None:
        """What this fake is about."""


# Crashes


class RaisesImportError(Fake):
    def act(self) -> None:
        raise ImportError("lazily imported and not there")


class RaisesUnprintable(Fake):
    def act(self) -> None:
        class Unprintable(Exception):
            def __str__(self) -> str:
                raise ValueError

        raise Unprintable


class RaisesUnencodable(Fake):
    def act(self) -> None:
        raise RuntimeError("file \udcff [bold]not markup[/] [/]")


class RaisesMegabytes(Fake):
    def act(self) -> None:
        raise RuntimeError("x" * 10_000_000)


class Recurses(Fake):
    def act(self) -> None:
        self.act()


class Interrupts(Fake):
    def act(self) -> None:
        raise KeyboardInterrupt


class ClosesEverything(Fake):
    def act(self) -> None:
        os.closerange(0, 1000)


class WritesIntoPipes(Fake):
    def act(self) -> None:
        for fd in range(3, 50):
            with contextlib.suppress(OSError):
                if stat.S_ISFIFO(os.fstat(fd).st_mode):
                    os.write(fd, b"{}\nneither JSON nor UTF-8: \xff\n")


class RaisesBaseException(Fake):
    def act(self) -> None:
        raise BaseException("neither an Exception nor an exit")


class Hoards(Fake):
    """Takes memory until there is no more, which a limit of its own makes soon."""

    def act(self) -> None:
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, resource.getrlimit(resource.RLIMIT_AS)[1]))
        kept = []
        while True:
            kept.append(np.empty(1 << 27))


class SpinsInStart(Fake):
    """Keeps the interpreter busy, and takes no heed of polite signals."""

    def act(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        while True:
            pass


class HangsInIdentity(Fake):
    def identity(self) -> Identity:
        threading.Event().wait()
        raise AssertionError


class HangsInArithmetic(Fake):
    def arithmetic(self, dtype: str) -> Any:
        while True:
            time.sleep(1)


# Meddling with the process: the verdict and every number must be those of the twin


class ChangesDirectory(Fake):
    def act(self) -> None:
        os.chdir("/")


class EmptiesEnvironment(Fake):
    def act(self) -> None:
        os.environ.clear()


class RaisesForFloats(Fake):
    def act(self) -> None:
        np.seterr(all="raise")


class TurnsWarningsIntoErrors(Fake):
    def act(self) -> None:
        warnings.simplefilter("error")


class Warns(Fake):
    def act(self) -> None:
        warnings.warn("a deprecated optimizer", DeprecationWarning, stacklevel=1)
        warnings.warn("an optimizer", UserWarning, stacklevel=1)


class SeedsRandom(Fake):
    """In every start, between the draws of the suite as well."""

    def start(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> TwinRun:
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        return super().start(parameters, hyperparameters)


class TakesStreams(Fake):
    def act(self) -> None:
        sys.stdout = sys.stderr = sys.stdin = None  # type: ignore[assignment]


class LeavesThreads(Fake):
    """One of them keeps the process from ending."""

    def act(self) -> None:
        for daemon in (True, False):
            threading.Thread(target=time.sleep, args=(60,), daemon=daemon).start()


class PrintsOtherwise(Fake):
    def act(self) -> None:
        np.set_printoptions(legacy="1.13", precision=1)
        sys.setrecursionlimit(200)
        gc.disable()


# Other processes


class LeavesGrandchild(Fake):
    """The grandchild inherits every descriptor, the pipe as well."""

    def act(self) -> None:
        for fd in range(3, 50):
            with contextlib.suppress(OSError):
                os.set_inheritable(fd, True)
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], close_fds=False)


class DiesBesideGrandchild(LeavesGrandchild):
    def act(self) -> None:
        super().act()
        os._exit(7)


# Noise


class Shouts(Fake):
    def act(self) -> None:
        os.write(1, b"\xff\x00 no text\n" * 100_000)
        print('{"event": "done"}', flush=True)
        os.close(1)
        os.close(2)


# Constructors


class ConstructorExits(Fake):
    def __init__(self) -> None:
        sys.exit(0)


class ConstructorRaises(Fake):
    def __init__(self) -> None:
        raise RuntimeError("needs a GPU")


class ConstructorHangs(Fake):
    def __init__(self) -> None:
        time.sleep(3600)


class ConstructorDies(Fake):
    def __init__(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)


# Not the contract


class AnotherVersion(Fake):
    contract_version = 0


class NoMembers:
    pass


class ClaimIsNone(Fake):
    claim: Any = None


class UnknownDialect(Fake):
    claim = replace(Fake.claim, dialect="keras-v3-adam")


class ForeignHyperparameter(Fake):
    claim = replace(Fake.claim, hyperparameters=Fake.claim.hyperparameters | {"l2"})


class RowsWhereThereAreNone(TorchTwin):
    claim = replace(TorchTwin.claim, gradients=frozenset({"dense", "rows"}))


class ArithmeticRaises(Fake):
    def arithmetic(self, dtype: str) -> Any:
        raise KeyError(dtype)


class ArithmeticIsNone(Fake):
    def arithmetic(self, dtype: str) -> Any:
        return None


class IdentityRaises(Fake):
    def identity(self) -> Any:
        raise RuntimeError("no profiler")


class IdentityIsNone(Fake):
    def identity(self) -> Any:
        return None


class NameIsNoText(Fake):
    name: Any = object()


class StepIsMissing(Fake):
    def start(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> Any:
        return object()


class StateIsNone(Fake):
    def state(self, slots: Sequence[Slot], h: Hyperparameters) -> Any:
        return None


class ReturnsCallersArrays(Fake):
    """Moves the arrays that it was given, and returns them."""

    def slots(self, parameters: Sequence[Array], h: Hyperparameters) -> list[Slot]:
        return [
            replace(slot, theta=given) for slot, given in zip(super().slots(parameters, h), parameters, strict=True)
        ]

    def state(self, slots: Sequence[Slot], h: Hyperparameters) -> Any:
        return replace(super().state(slots, h), parameters=tuple(slot.theta for slot in slots))


class AnswersInDouble(Fake):
    def state(self, slots: Sequence[Slot], h: Hyperparameters) -> Any:
        state = super().state(slots, h)
        return replace(state, parameters=tuple(p.astype(np.float64) for p in state.parameters))


class ConstrainedInDouble(Fake):
    """Breaks the contract with a constraint alone, which no general problem has."""

    def state(self, slots: Sequence[Slot], h: Hyperparameters) -> Any:
        state = super().state(slots, h)
        wrong = tuple(p.astype(np.float64) for p in state.parameters)
        return state if h.constraint is None else replace(state, parameters=wrong)


class AnotherBreachWithConstraint(ConstrainedInDouble):
    """Breaks the contract in all problems, and with a constraint in another way."""

    def state(self, slots: Sequence[Slot], h: Hyperparameters) -> Any:
        state = super().state(slots, h)
        return replace(state, t=tuple(np.int64(t) for t in state.t)) if h.constraint is None else state


class AnswersInASubclass(Fake):
    """Of arrays, whose functions it may answer as it likes."""

    def state(self, slots: Sequence[Slot], h: Hyperparameters) -> Any:
        class Own(np.ndarray):
            def __array_ufunc__(self, *arguments: Any, **how: Any) -> Any:
                return NotImplemented

        state = super().state(slots, h)
        return replace(state, parameters=tuple(p.view(Own) for p in state.parameters))


class CountsBeyondEverything(Fake):
    def state(self, slots: Sequence[Slot], h: Hyperparameters) -> Any:
        state = super().state(slots, h)
        return replace(state, t=tuple(10**5000 for _ in state.t))


class WritesMarkup(Fake):
    """Correct, and its names mean something to a terminal."""

    def identity(self) -> Identity:
        return replace(super().identity(), framework="num [/bold] py", version="1[/x]")


class LiesAboutKernels(Fake):
    """Says that a kernel ran which no step calls."""

    def identity(self) -> Identity:
        return replace(super().identity(), required=frozenset({"fused_kernel"}))


class Float16(Fake):
    claim = replace(Fake.claim, dtypes=("float16",))


class Bfloat16(Fake):
    claim = replace(Fake.claim, dtypes=("bfloat16",))


class Renamed(KerasV2):
    """The production code under the name of a live adapter."""

    name = "keras-v2-fused"


class Liar(KerasV2):
    """The production code that says to be something else."""

    name = "liar"

    def identity(self) -> Identity:
        mine = frozenset({"my_kernel"})
        return replace(super().identity(), framework="mine", required=mine, excluded=frozenset(), observed=mine)


not_a_class = 3
