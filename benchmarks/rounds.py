"""Interleaved rounds: every arm once per round, in an order that changes from round to round."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.arm import Running

Clock = Callable[[Callable[[], object]], float]
"""Calls a function and says how many seconds it took."""

Before = Callable[[Running], object]
"""What a condition does before every timed step, untimed."""

PAUSE = 0.003
"""Seconds of sleep before an arm's turn: threads of another arm's pool, which wait by spinning, go to sleep."""
_MOST_STEPS = 1000
_MOST_PREPARED_STEPS = 10


def wall_clock(call: Callable[[], object]) -> float:
    """Seconds on the CPU."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def orders(names: Sequence[str], rounds: int, seed: int) -> Iterator[list[str]]:
    """The order of every round: each name once, shuffled by a generator of this seed."""
    generator = random.Random(seed)
    for _ in range(rounds):
        order = list(names)
        generator.shuffle(order)
        yield order


@dataclass
class Entrant:
    """An arm that takes part: how it steps, how many steps a timing has, and its timings so far."""

    running: Running
    took: Callable[[int], None]
    """Told how many steps were taken."""
    before: Before | None
    clock: Clock = wall_clock
    steps: int = 1
    seconds: list[float] = field(default_factory=list)
    """Per step, one entry per round."""

    def calibrate(self, least: float) -> None:
        """As many steps per timing as take `least` seconds."""
        one = min(self._timing(1) for _ in range(3))
        most = _MOST_STEPS if self.before is None else _MOST_PREPARED_STEPS
        self.steps = max(1, min(most, math.ceil(least / max(one, 1e-9))))

    def turn(self) -> None:
        """One timing."""
        time.sleep(PAUSE)
        self.seconds.append(self._timing(self.steps))

    def _timing(self, steps: int) -> float:
        if self.before is not None:
            return self._prepared(steps)
        step = self.running.step
        step()  # what the other arms have driven out of the caches comes back

        def run() -> None:
            for _ in range(steps):
                step()

        seconds = self.clock(run) / steps
        self.took(steps + 1)
        return seconds

    def _prepared(self, steps: int) -> float:
        assert self.before is not None
        total = 0.0
        for _ in range(steps):
            self.before(self.running)
            total += self.clock(self.running.step)
        self.took(steps)
        return total / steps


def interleave(entrants: dict[str, Entrant], rounds: int, seed: int) -> None:
    """`rounds` rounds of one turn each."""
    for order in orders(list(entrants), rounds, seed):
        for name in order:
            entrants[name].turn()
