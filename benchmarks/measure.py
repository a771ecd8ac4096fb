"""A run: which arms are here, each checked against the reference and then timed, case by case."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks import conditions, fresh, machine
from benchmarks.arm import Arm, split
from benchmarks.correct import Checker, Wrong, small_problem
from benchmarks.report import Absence, Report, Timing
from benchmarks.rounds import Clock, Entrant, interleave, wall_clock
from benchmarks.summary import spread
from benchmarks.task import Task, make
from benchmarks.workloads import Case

Say = Callable[[str], None]

_BYTES_PER_ELEMENT = 24
"""Of an arm at most: parameter, gradient, m, v, and temporaries."""
_CASE_BYTES_PER_ELEMENT = 32


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run does."""

    arms: Sequence[Arm]
    cases: Sequence[Case]
    rounds: int
    seconds: float
    """A timing has as many steps as take this long."""
    seed: int = 0
    repeats: int = 3
    """Processes per row of first steps; 0: no rows of fresh processes."""
    memory_workload: str = "1x20M"
    clock: Clock = wall_clock
    free_memory: Callable[[], int] = field(default=lambda: machine.memory("MemAvailable"))


def run(plan: Plan, header: dict[str, object], say: Say) -> Report:
    """Measure; what could not be measured is in the report's absences."""
    report = Report(header=dict(header))
    here, missing = split(plan.arms)
    for name, reason in missing.items():
        _absent(report, say, "missing", "", name, reason)
    arms = [arm for arm in here if _is_right(arm, report, say)]
    for number, case in enumerate(plan.cases, 1):
        say(f"[{number}/{len(plan.cases)}] {case.name}")
        _case(plan, case, arms, report, say)
    if plan.repeats:
        _fresh(plan, [arm for arm in arms if arm.role in ("ours", "peer")], report, say)
    return report


def _is_right(arm: Arm, report: Report, say: Say) -> bool:
    try:
        small_problem(arm)
    except Wrong as wrong:
        _absent(report, say, "wrong", "", arm.name, f"small problem: {wrong}")
        return False
    except Exception as error:
        _absent(report, say, "failed", "", arm.name, f"{type(error).__name__}: {error}")
        return False
    say(f"{arm.name}: agrees with the reference" if arm.dialect else f"{arm.name}: runs")
    return True


def _case(plan: Plan, case: Case, arms: Sequence[Arm], report: Report, say: Say) -> None:
    candidates = [arm for arm in arms if arm.part_of(case)]
    taking_part = [arm for arm in candidates if arm.cannot(case) is None]
    reason = conditions.unavailable(case) or _too_large(plan, case, len(taking_part))
    if reason is None and not any(arm.role in ("ours", "wrapper") for arm in taking_part):
        reason = "nothing of fused_adam that is here takes part"
    if reason is not None:
        _absent(report, say, "skipped", case.name, "", reason)
        return
    for arm in candidates:
        cannot = arm.cannot(case)
        if cannot is not None:
            _absent(report, say, "skipped", case.name, arm.name, cannot)
    task = make(case, plan.seed)
    before = conditions.before(case)
    entrants: dict[str, Entrant] = {}
    checkers: dict[str, Checker] = {}
    for arm in taking_part:
        with _Watched(report, say, case, arm):
            running = arm.start(task)
            checker = Checker(arm, running, task)
            checker.warm_up()
            entrant = Entrant(running, checker.took, before, plan.clock)
            entrant.calibrate(plan.seconds)
            entrants[arm.name], checkers[arm.name] = entrant, checker
    interleave(entrants, plan.rounds, plan.seed)
    for arm in taking_part:
        if arm.name not in entrants:
            continue
        with _Watched(report, say, case, arm):
            checkers[arm.name].checked_step()  # what was timed is right to the end
            report.timings.append(_timing(case, task, arm, entrants[arm.name]))
            say(f"  {arm.name}: {spread(entrants[arm.name].seconds).median * 1e6:.1f} us")
    entrants.clear()
    checkers.clear()
    gc.collect()


def _too_large(plan: Plan, case: Case, arms: int) -> str | None:
    needed = case.elements * (_CASE_BYTES_PER_ELEMENT + _BYTES_PER_ELEMENT * arms)
    free = plan.free_memory()
    return f"{needed / 2**30:.1f} GiB are needed, {free / 2**30:.1f} GiB are free" if needed > free else None


def _timing(case: Case, task: Task, arm: Arm, entrant: Entrant) -> Timing:
    return Timing(
        workload=case.workload,
        condition=case.condition,
        moving=sum(task.parameters[i].size for i in task.present),
        arm=arm.name,
        role=arm.role,
        dialect=arm.dialect,
        steps=entrant.steps,
        seconds=tuple(entrant.seconds),
    )


def _fresh(plan: Plan, arms: Sequence[Arm], report: Report, say: Say) -> None:
    for number, arm in enumerate(arms, 1):
        say(f"[{number}/{len(arms)}] {arm.name}: first steps and memory, in fresh processes")
        try:
            report.first_steps.extend(fresh.first_steps(arm, plan.repeats))
            report.memory.append(fresh.memory(arm, plan.memory_workload))
        except fresh.FreshFailed as failed:
            _absent(report, say, "failed", "fresh process", arm.name, str(failed))


class _Watched:
    """Turns what goes wrong with one arm into an absence; the others go on."""

    def __init__(self, report: Report, say: Say, case: Case, arm: Arm) -> None:
        self._report, self._say, self._case, self._arm = report, say, case, arm

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, Exception):
            return False
        wrong = isinstance(error, Wrong)
        reason = str(error) if wrong else f"{type(error).__name__}: {error}"
        _absent(self._report, self._say, "wrong" if wrong else "failed", self._case.name, self._arm.name, reason)
        return True


def _absent(report: Report, say: Say, kind: str, case: str, arm: str, reason: str) -> None:
    report.absences.append(Absence(kind=kind, case=case, arm=arm, reason=reason))
    say(f"{kind}: {', '.join(filter(None, (case, arm)))}: {reason}")
