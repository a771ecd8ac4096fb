"""The command from end to end, tiny; reports, tables, goals, bad input. Nothing here judges a time."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import catalogue, fresh, goals, gpu, measure, report, table
from benchmarks.arm import Arm
from benchmarks.report import Absence, FirstStep, Memory, Report, ReportError, Timing, from_json, to_json
from benchmarks.task import make
from benchmarks.workloads import Case

ROOT = Path(__file__).resolve().parent.parent.parent
HEADER = {
    "device": "cpu", "command": "python -m benchmarks cpu", "date": "2026-01-01", "commit": "abc", "quick": False,
    "rounds": 2, "seed": 0, "cpu": "a CPU", "versions": {"torch": "2"}, "threads": {"OMP_NUM_THREADS": "2"},
}  # fmt: skip


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def timing(arm: str, seconds: tuple[float, ...], **changes: object) -> Timing:
    values = {
        "workload": "1x20M", "condition": "hot", "moving": 20_000_000, "arm": arm, "role": "peer",
        "dialect": "torch-adam", "steps": 1, "seconds": seconds, **changes,
    }  # fmt: skip
    return Timing(**values)


def example() -> Report:
    return Report(
        header=dict(HEADER),
        timings=[
            timing("fused_adam", (1.0, 2.0), role="ours"),
            timing("in-place limit", (0.99, 1.98), role="limit", dialect=""),
            timing("torch fused", (0.9, 1.8)),
            timing("Keras fused", (5.0, 5.0), dialect="keras-v2-adam"),
        ],
        absences=[
            Absence(kind="missing", case="", arm="optax jit", reason="not installed here: jax"),
            Absence(kind="skipped", case="100x10K groups-10", arm="tf.keras", reason="no parameter groups"),
        ],
        first_steps=[FirstStep(arm="fused_adam", cache="cached", construction=(1.0,), seconds=(0.5,))],
        memory=[Memory(arm="fused_adam", elements=20_000_000, peak=400_000_000, growth=0)],
    )


def small_plan(*arms: Arm) -> measure.Plan:
    return measure.Plan(arms=arms, cases=(Case("1x1K"), Case("100x1K", "wrapper")), rounds=2, seconds=1e-5, repeats=0)


def arm_named(name: str) -> Arm:
    return next(arm for arm in catalogue.CPU if arm.name == name)


def silent(text: str) -> None:
    pass


def test_a_tiny_run_from_end_to_end(tmp_path):
    target = tmp_path / "deep" / "cpu.json"
    done = command(
        "cpu", "--quick", "--rounds", "2", "--no-fresh", "--workload", "1x1K", "--workload", "100x1K",
        "--arm", "torch fused", "--arm", "Keras fused", "--json", str(target),
    )  # fmt: skip
    found = report.read(target)
    assert done.returncode == 0, done.stderr
    timed = {t.arm for t in found.timings}
    assert timed >= {"fused_adam", "in-place limit", "torch fused", "empty torch step", "fused_adam, empty driver"}
    assert "torch foreach" not in timed
    assert all(len(t.seconds) == 2 and min(t.seconds) > 0 for t in found.timings)
    absent = {a.arm: a.reason for a in found.absences if a.kind == "missing"}
    assert "not installed here: tensorflow" in absent["Keras fused"]
    assert found.header["threads"]["OMP_NUM_THREADS"] == str(len(os.sched_getaffinity(0)))
    assert {"rounds", "commit", "versions", "cpu", "date"} <= set(found.header)
    for text in ("## Goals", "not measured", "## Ratios", "1x1K hot", "in-place limit", "## Runs", "OMP_NUM_THREADS"):
        assert text in done.stdout
    assert "quick: 2 rounds" in done.stderr


def test_a_wrong_arm_is_not_timed_and_the_exit_code_is_1(tmp_path):
    """The command itself, in a process whose catalogue has one more arm."""
    script = tmp_path / "planted.py"
    script.write_text(
        "import sys\n"
        "from benchmarks import __main__, catalogue\n"
        "import dataclasses\n"
        "__main__.machine.set_threads = lambda threads: None\n"
        "arm = next(a for a in catalogue.CPU if a.name == 'torch fused')\n"
        "wrong = dataclasses.replace(arm, name='planted', module='test_correct', cls='WrongRate')\n"
        "catalogue.CPU = (*catalogue.CPU, wrong)\n"
        "sys.exit(__main__.main(sys.argv[1:]))\n"
    )
    target = tmp_path / "cpu.json"
    done = subprocess.run(
        [sys.executable, str(script), "cpu", "--quick", "--rounds", "1", "--no-fresh", "--workload", "1x1K",
         "--condition", "hot", "--arm", "planted", "--json", str(target)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src"), str(Path(__file__).parent)])},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    found = report.read(target)
    assert "planted" not in {t.arm for t in found.timings}
    assert [(a.kind, a.arm) for a in found.absences if a.kind == "wrong"] == [("wrong", "planted")]
    assert "small problem: step 1: " in done.stderr


def test_an_arm_that_goes_wrong_in_a_case_loses_its_timing():
    """Right in all the first steps, so that only the check after the timing sees it."""
    late = dataclasses.replace(
        arm_named("fused_adam.numpy torch-adam"), name="late", module="test_correct", cls="StopsLater", role="peer"
    )
    found = measure.run(small_plan(arm_named("fused_adam"), late), HEADER, silent)
    assert {t.arm for t in found.timings} == {"fused_adam"}
    assert [(a.kind, a.case, a.arm) for a in found.absences if a.kind == "wrong"] == [("wrong", "1x1K hot", "late")]


def test_a_missing_peer_is_listed_with_the_reason():
    peer = dataclasses.replace(arm_named("torch fused"), name="absent peer", needs=("no_such_framework",))
    found = measure.run(small_plan(arm_named("fused_adam"), peer), HEADER, silent)
    (absence,) = [a for a in found.absences if a.arm == "absent peer"]
    assert (absence.kind, absence.case) == ("missing", "")
    assert absence.reason == "not installed here: no_such_framework; it runs in tox environment bench"
    assert "absent peer" in table.markdown([found])


def test_a_peer_that_raises_is_reported_and_the_others_go_on():
    peer = dataclasses.replace(arm_named("torch fused"), name="broken", cls="NoSuchClass")
    found = measure.run(small_plan(arm_named("fused_adam"), peer), HEADER, silent)
    assert ("failed", "broken") in {(a.kind, a.arm) for a in found.absences}
    assert {t.arm for t in found.timings} == {"fused_adam"}


def test_a_case_that_does_not_fit_into_memory_is_listed():
    plan = dataclasses.replace(small_plan(arm_named("fused_adam")), free_memory=lambda: 1000)
    found = measure.run(plan, HEADER, silent)
    assert not found.timings
    assert "GiB are needed" in found.absences[0].reason


def test_reports_survive_their_file():
    assert from_json(to_json(example())) == example()
    summary = json.loads(to_json(example()))["summary"]
    (fused,) = [row for row in summary["ratios"] if row["other"] == "torch fused"]
    assert (fused["case"], fused["ours"], fused["median"]) == ("1x20M hot", "fused_adam", pytest.approx(0.9))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(format="other"), "is not of format"),
        (lambda c: c.update(version=99), "is not of format"),
        (lambda c: c.pop("timings"), "damaged .*timings"),
        (lambda c: c["header"].pop("commit"), "header.commit"),
        (lambda c: c["timings"][0].update(seconds="fast"), "Timing.seconds is 'fast'"),
        (lambda c: c["timings"][0].update(seconds=[]), "values is empty"),
        (lambda c: c["timings"][0].update(surprise=1), "surprise"),
        (lambda c: c["memory"][0].pop("peak"), "peak"),
    ],
)
def test_damaged_reports_are_refused(change, message):
    content = json.loads(to_json(example()))
    change(content)
    with pytest.raises(ReportError, match=message):
        from_json(json.dumps(content))


def test_the_table_merges_reports(tmp_path):
    one, two = example(), example()
    two.timings = [
        timing("fused_adam.numpy keras-v2-adam", (1.0, 1.0), role="ours", dialect="keras-v2-adam"),
        timing("Keras fused", (5.0, 5.0), dialect="keras-v2-adam"),
    ]
    two.absences = [Absence(kind="missing", case="", arm="torch fused", reason="not installed here: torch")]
    for name, content in (("one.json", one), ("two.json", two)):
        (tmp_path / name).write_text(to_json(content))
    target = tmp_path / "figures.md"
    done = command("table", str(tmp_path / "one.json"), str(tmp_path / "two.json"), "--write", str(target))
    assert done.returncode == 0, done.stderr
    text = target.read_text()
    assert "| case | in-place limit | torch fused | Keras fused |" in text
    assert "| 1x20M hot | 0.99 (0.99 to 0.99) | 0.90 (0.90 to 0.90) | 5.00 (5.00 to 5.00) |" in text
    assert "optax jit" in text
    assert "not installed here: torch" not in text  # the other run has it
    assert "## Times of run 2" in text


def test_goals_are_met_missed_or_not_measured():
    verdicts = {goal.text: goal.met for goal in goals.goals([example()])}
    assert verdicts["1x20M hot: in-place limit takes at least 0.95 x the time of fused_adam"] is True
    assert verdicts["1x20M hot: torch fused takes at least 1 x the time of fused_adam"] is False
    assert verdicts["1x1K hot: torch fused takes at least 1.5 x the time of fused_adam"] is None
    assert [met for text, met in verdicts.items() if "cached" in text] == [True]
    assert [met for text, met in verdicts.items() if "allocation" in text] == [False]  # 4 bytes per parameter too many
    assert not goals.goals([])


def test_goals_name_cases_and_arms_that_exist():
    from benchmarks.workloads import CPU, GPU

    for device, cases, arms in (("cpu", CPU, catalogue.CPU), ("gpu", GPU, catalogue.GPU)):
        for case, ours, other, _ in goals._RATIOS[device]:
            assert case in {c.name for c in cases}
            assert {ours, other} <= {arm.name for arm in arms}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "required: COMMAND"),
        (("cpu", "--workload", "2x2"), "choose from"),
        (("cpu", "--rounds", "0"), "'0'; accepted: a whole number from 1 on"),
        (("cpu", "--arm", "nobody"), "--arm is 'nobody'; accepted: torch fused, "),
        (("cpu", "--workload", "1x100M", "--condition", "cold"), "accepted: 1x1K hot"),
        (("cpu", "--json", "/proc/none.json"), "cannot be written"),
        (("cpu", "--json", "benchmarks"), "cannot be written"),
        (("table", "no-such.json"), "no-such.json cannot be read"),
        (("table", "pyproject.toml"), "is not JSON"),
    ],
)
def test_bad_arguments_exit_2_and_say_what_is_accepted(arguments, message):
    done = command(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_gpu_the_gpu_command_says_so():
    import torch

    if torch.cuda.is_available():
        assert gpu.name()
        return
    done = command("gpu", "--quick")
    assert done.returncode == 2
    assert "sees no CUDA device; accepted: its CUDA build on a machine with one" in done.stderr
    assert not done.stdout


def test_an_interrupt_leaves_no_report(tmp_path):
    target = tmp_path / "cpu.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks", "cpu", "--quick", "--no-fresh", "--json", str(target)],
        cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # in the background it is ignored
    )  # fmt: skip
    for line in process.stderr:
        if line.startswith("[1/"):
            break
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130, errors
    assert "nothing was written" in errors
    assert list(tmp_path.iterdir()) == []


def test_first_steps_and_memory_in_fresh_processes():
    rows = list(fresh.first_steps(arm_named("fused_adam"), 1))
    assert [row.cache for row in rows] == ["cold", "cached"]
    assert all(row.seconds[0] > 0 for row in rows)
    (peer,) = fresh.first_steps(arm_named("torch loop"), 1)
    assert peer.cache == ""


def test_memory_sees_temporaries():
    """torch's loop makes an array of the parameter's size and more; its fused kernel makes none."""
    loop, fused = (fresh.memory(arm_named(f"torch {name}"), "1x1M") for name in ("loop", "fused"))
    assert loop.growth > 0.9 * 4 * loop.elements
    assert loop.peak > 19 * loop.elements
    assert fused.growth < 4 * fused.elements / 2
    assert fused.peak < 19 * fused.elements


def test_a_fresh_process_that_fails_says_why():
    with pytest.raises(fresh.FreshFailed, match="NOBODY"):
        fresh.memory(dataclasses.replace(arm_named("torch loop"), name="NOBODY"), "1x1M")


def test_tasks_are_copied(tmp_path):
    task = make(Case("1x1K"))
    before = task.parameters[0].copy(), task.gradients[0].copy()
    for arm in measure.split(catalogue.CPU)[0]:
        arm.start(task).step()
    assert (task.parameters[0] == before[0]).all()
    assert (task.gradients[0] == before[1]).all()
