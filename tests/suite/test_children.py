"""An implementation may crash, hang, shout or be missing: each is a verdict, and the rest of the run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from suite_cli import ROOT, TWIN, Ended, conformance, run

from conformance.mutants import FAKES

HARNESS = "conformance/mutants/harness.py"
OWN = "tests/suite/fake_adapters.py"
OPTIONS = ("--profile", "smoke", "--time-limit", 4)


def whole(*adapters: str) -> Ended:
    """A run whose report is whole, whatever the adapters do."""
    ended = run(*adapters, options=OPTIONS)
    assert "Traceback (most recent call last)" not in ended.text
    assert ended.code != 3
    assert ended.records[-1]["record"] == "footer"
    assert ended.records[-1]["exit_code"] == ended.code
    return ended


def crashed(adapter: str, why: str) -> None:
    ended = whole(adapter)
    record = ended.implementation(adapter)
    assert (record["verdict"], ended.code, record["complete"]) == ("crashed", 1, False)
    assert why in record["reason"]
    assert len(record["reason"]) < 5000
    assert adapter in ended.err
    assert why in ended.text


def cannot_be_tested(adapter: str, why: str) -> None:
    ended = whole(adapter)
    record = ended.implementation(adapter)
    assert (record["verdict"], ended.code) == ("could not be tested", 2)
    assert why in record["reason"]
    assert why in ended.text


CRASHES = {
    "Raises": "RuntimeError: the optimizer broke in step 3",
    "Hangs": "hung: no progress for 4 s on problem ",
    "Segfaults": "died by SIGSEGV on problem ",
    "ExitsCleanly": "SystemExit: 0",
    "ExitsAtOnce": "ended with exit status 0 before the checks did on problem ",
}


@pytest.mark.parametrize("name", CRASHES)
def test_a_crash_or_a_hang_in_a_step_is_a_crash(name: str) -> None:
    crashed(f"{HARNESS}:{name}", CRASHES[name])


def test_every_fake_of_the_harness_is_used_here() -> None:
    assert {fake.__name__ for fake in FAKES} == {*CRASHES, "Shouts", "CannotBeImported"}


IN_AN_IMPLEMENTATION = {
    "RaisesImportError": "raised on problem 3 of set general: ImportError: lazily imported and not there",
    "RaisesUnprintable": "raised on problem 3 of set general: Unprintable",
    "RaisesMegabytes": "raised on problem 3 of set general: RuntimeError: xxx",
    "Recurses": "raised on problem 3 of set general: RecursionError",
    "Interrupts": "on problem 3 of set general",
    "ClosesEverything": "on problem 3 of set general",
    "WritesIntoPipes": " on problem 3 of set general",
    "DiesBesideGrandchild": "ended with exit status 7 before the checks did on problem 3 of set general",
    "ConstructorHangs": "hung: no progress for 4 s before the first problem",
    "ConstructorDies": "died by SIGSEGV before the first problem",
    "ArithmeticRaises": "raised before the first problem: KeyError: 'float32'",
    "ArithmeticIsNone": "arithmetic",
    "IdentityRaises": "raised before the first problem: RuntimeError: no profiler",
    "IdentityIsNone": "identity",
    "RaisesBaseException": "raised on problem 3 of set general: BaseException: neither an Exception nor an exit",
    "Hoards": "MemoryError",
    "SpinsInStart": "hung: no progress for 4 s on problem 3 of set general",
    "HangsInIdentity": "hung: no progress for 4 s before the first problem",
    "HangsInArithmetic": "hung: no progress for 4 s before the first problem",
    "StepIsMissing": "AttributeError: 'object' object has no attribute 'step'",
}


@pytest.mark.parametrize("name", IN_AN_IMPLEMENTATION)
def test_whatever_goes_wrong_inside_an_implementation_is_a_crash_of_that_implementation(name: str) -> None:
    crashed(f"{OWN}:{name}", IN_AN_IMPLEMENTATION[name])


def test_the_rest_of_the_run_goes_on() -> None:
    """Two at a time, every kind of failure before and after correct implementations."""
    crashes = [f"{HARNESS}:{name}" for name in CRASHES] + [f"{OWN}:{name}" for name in IN_AN_IMPLEMENTATION]
    other = "conformance/mutants/twins.py:TorchTwin"
    ended = whole(TWIN, *crashes, other)
    verdicts = {r["implementation"]: r["verdict"] for r in ended.records if r["record"] == "implementation"}
    assert verdicts == {
        TWIN: "conforms",
        **dict.fromkeys(crashes, "crashed"),
        other: "conforms",
    }
    assert list(verdicts) == [TWIN, *crashes, other], "in the order in which they were named"
    assert ended.code == 1


def test_of_several_what_cannot_be_tested_is_told_before_anything_runs() -> None:
    """Also behind one whose constructor ends the process in which several are constructed."""
    bad = [f"{OWN}:NoMembers", "no-such-adapter", f"{OWN}:ConstructorExits"]
    ended = whole(TWIN, bad[0], bad[1], f"{OWN}:ConstructorDies", bad[2])
    records = [r for r in ended.records if r["record"] == "implementation"]
    assert [(r["implementation"], r["verdict"]) for r in records] == [(name, "could not be tested") for name in bad]
    assert ended.code == 2
    assert "nothing has run: 3 of 5 cannot be tested" in ended.text


@pytest.mark.parametrize("name", [f"{HARNESS}:Shouts", f"{OWN}:Shouts", f"{OWN}:LeavesGrandchild"])
def test_noise_and_processes_left_behind_do_not_disturb_the_verdict(name: str) -> None:
    ended = whole(name)
    assert (ended.implementation(name)["verdict"], ended.code) == ("conforms", 0)


MEDDLERS = (
    "ChangesDirectory",
    "EmptiesEnvironment",
    "RaisesForFloats",
    "TurnsWarningsIntoErrors",
    "Warns",
    "SeedsRandom",
    "TakesStreams",
    "LeavesThreads",
    "PrintsOtherwise",
)


def test_meddling_with_the_process_changes_neither_a_verdict_nor_a_number() -> None:
    adapters = [f"{OWN}:{name}" for name in ("Fake", *MEDDLERS)]
    ended = whole(*adapters)
    assert {name: ended.implementation(name)["verdict"] for name in adapters} == dict.fromkeys(adapters, "conforms")
    assert ended.code == 0
    of = {
        name: [r for r in ended.records if r["record"] == "check" and r["implementation"] == name] for name in adapters
    }
    numbers = {name: [(r["check"], r["problems"], r["outcome"]) for r in records] for name, records in of.items()}
    assert [name for name in adapters if numbers[name] != numbers[adapters[0]]] == []
    assert len(numbers[adapters[0]]) > 10


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("ReturnsCallersArrays", "caller-arrays"),
        ("AnswersInDouble", "contract"),
        ("AnswersInASubclass", "contract"),
        ("CountsBeyondEverything", "contract"),
        ("LiesAboutKernels", "identity"),
    ],
)
def test_what_is_answered_wrongly_does_not_conform(name: str, check: str) -> None:
    ended = whole(f"{OWN}:{name}")
    assert (ended.implementation(f"{OWN}:{name}")["verdict"], ended.code) == ("does not conform", 1)
    assert check in ended.failing(f"{OWN}:{name}")


def test_a_breach_is_said_once_and_by_whatever_check_meets_it_first() -> None:
    """Of all problems where the general ones show it: by the check contract, and by no other one."""
    names = ("AnswersInDouble", "ConstrainedInDouble", "AnotherBreachWithConstraint")
    always, constrained, both = (f"{OWN}:{name}" for name in names)
    ended = whole(always, constrained, both)
    assert ended.failing(always) == {"contract"}
    assert ended.failing(constrained) == {"law-constraints", "golden"}
    # No general problem could be compared, so that nothing informs.
    assert ended.failing(both) == {"contract", "informative", "law-constraints", "golden"}


def test_an_import_that_hangs_is_a_crash_and_the_run_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "hangs.py"
    file.write_text("import threading\nthreading.Event().wait()\n")
    ended = whole(f"{file}:Adam", TWIN)
    assert ended.implementation(f"{file}:Adam")["verdict"] == "crashed"
    assert "hung: no progress for 4 s before the first problem" in ended.implementation(f"{file}:Adam")["reason"]
    assert (ended.implementation(TWIN)["verdict"], ended.code) == ("conforms", 1)


def test_a_state_that_is_none_does_not_conform() -> None:
    name = f"{OWN}:StateIsNone"
    ended = whole(name)
    assert (ended.implementation(name)["verdict"], ended.code) == ("does not conform", 1)
    assert {"contract"} <= ended.failing(name) <= {"contract", "informative"}
    assert "the result of step() is 'NoneType'; accepted: adapters.contract.State" in ended.text


@pytest.mark.parametrize("name", [f"{OWN}:Float16", f"{OWN}:Bfloat16", f"{OWN}:NameIsNoText"])
def test_a_claim_that_the_suite_cannot_serve_is_never_the_suites_own_failure(name: str) -> None:
    ended = whole(name)
    assert ended.implementation(name)["verdict"] != "suite failed"
    assert ended.code != 3


def test_a_message_that_cannot_be_encoded_does_not_stop_the_reports(tmp_path: Path) -> None:
    ended = run(f"{OWN}:RaisesUnencodable", TWIN, options=(*OPTIONS, "--report", tmp_path))
    assert ended.code == 1
    assert "[bold]not markup[/] [/]" in ended.text
    assert "[bold]not markup[/] [/]" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_names_that_read_as_markup_are_printed_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "a[/]b"
    folder.mkdir(parents=True)
    (folder / "adam.py").write_text("from fake_adapters import WritesMarkup as Adam\n")
    adapter = f"{folder / 'adam.py'}:Adam"
    options = (*OPTIONS, "--check", "identity", "--report", tmp_path)
    ended = run(adapter, options=options, variables={"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests' / 'suite'}"})
    assert ended.code == 0
    assert "a[/]b/adam.py:Adam: conforms" in ended.err
    report = (tmp_path / "report.md").read_text(encoding="utf-8")  # the terminal's table may break lines
    assert "a[/]b/adam.py:Adam | num [/bold] py 1[/x]" in report


# Cannot be had


@pytest.mark.parametrize(
    ("adapter", "why"),
    [
        (f"{HARNESS}:CannotBeImported", "No module named 'a_framework_that_is_not_installed'"),
        (f"{OWN}:ConstructorExits", "ConstructorExits cannot be constructed: SystemExit: 0"),
        (f"{OWN}:ConstructorRaises", "ConstructorRaises cannot be constructed: RuntimeError: needs a GPU"),
        (f"{OWN}:AnotherVersion", "AnotherVersion.contract_version is 0; accepted: 1"),
        (f"{OWN}:NoMembers", "NoMembers has no contract_version, name, claim, identity, arithmetic, start; accepted: "),
        (f"{OWN}:ClaimIsNone", "ClaimIsNone.claim is a NoneType; accepted: adapters.contract.Claim"),
        (f"{OWN}:UnknownDialect", "dialect is 'keras-v3-adam'; accepted: keras-v2-adam, "),
        (f"{OWN}:ForeignHyperparameter", "claim.hyperparameters has l2; accepted in keras-v2-adam: amsgrad, beta_1"),
        (f"{OWN}:RowsWhereThereAreNone", "claim.gradients has rows; torch-adam has no sparse form"),
        (f"{OWN}:NoSuchClass", "has no class 'NoSuchClass'; accepted: Fake, "),
        (f"{OWN}:not_a_class", "has no class 'not_a_class'; accepted: Fake, "),
        ("tests/suite/no_such_file.py:Adam", "there is no file 'tests/suite/no_such_file.py'"),
        ("tests/suite:Adam", "adapter is 'tests/suite:Adam'; accepted: keras-v2-fused, "),
        ("keras", "adapter is 'keras'; accepted: keras-v2-fused, "),
        ("", "adapter is ''; accepted: keras-v2-fused, "),
    ],
)
def test_an_implementation_that_was_named_and_cannot_be_had_is_never_skipped(adapter: str, why: str) -> None:
    cannot_be_tested(adapter, why)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import no_such_framework", "ModuleNotFoundError: No module named 'no_such_framework'"),
        ("class Adam(:", "does not import: SyntaxError"),
        ("raise RuntimeError('licence expired')", "does not import: RuntimeError: licence expired"),
        ("import sys; sys.exit(0)", "does not import: SystemExit: 0"),
        ("", "has no class 'Adam'; accepted: a class defined there"),
        ("\xff\x00", "does not import: SyntaxError"),
    ],
    ids=["import-error", "syntax-error", "error", "exit", "empty", "binary"],
)
def test_a_file_that_does_not_import_is_never_skipped(tmp_path: Path, source: str, why: str) -> None:
    file = tmp_path / "their adapter.py"
    file.write_bytes(source.encode("latin-1"))
    cannot_be_tested(f"{file}:Adam", why)


def test_a_neighbour_of_the_adapters_file_cannot_shadow_a_package(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise RuntimeError('shadowed')\n")
    (tmp_path / "their_helper.py").write_text("from conformance.mutants.twins import KerasV2Twin\n")
    (tmp_path / "theirs.py").write_text("import numpy\nfrom their_helper import KerasV2Twin as Adam\n")
    assert run(f"{tmp_path / 'theirs.py'}:Adam").code == 0


# Left behind


def processes_of(adapter: str) -> list[int]:
    """Children that judge `adapter`."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if b"conformance.child" in command and adapter.encode() in command:
                found.append(int(folder.name))
    return found


def _heeds_signals() -> None:
    """Whatever has started the tests: `&` ignores one of them, and nohup the other."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_run_that_is_stopped_leaves_no_process_and_no_report(tmp_path: Path, sent: signal.Signals) -> None:
    file = tmp_path / "hangs.py"
    file.write_text("import time\ntime.sleep(3600)\n")
    adapter = f"{file}:Adam"
    command = [sys.executable, "-m", "conformance", "run", "--adapter", adapter, "--ndjson", str(tmp_path / "r.ndjson")]
    parent = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=_heeds_signals,
    )
    try:
        _until(lambda: processes_of(adapter))
        time.sleep(0.5)  # long enough for the run to know its child
        parent.send_signal(sent)
        assert parent.wait(30) not in (0, 1, 2)
        _until(lambda: not processes_of(adapter))
        assert "crashed" not in parent.communicate()[0]  # it was the suite that killed the child
        assert [path.name for path in tmp_path.iterdir()] == ["hangs.py"]
    finally:
        for process in processes_of(adapter):
            os.kill(process, signal.SIGKILL)
        parent.kill()
        parent.wait()


def test_grandchildren_do_not_outlive_the_run(tmp_path: Path) -> None:
    file = tmp_path / "starts_a_server.py"
    file.write_text(
        "import subprocess, pathlib\n"
        "from conformance.mutants.twins import KerasV2Twin as Adam\n"
        "server = subprocess.Popen(['sleep', '60'])\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(server.pid))\n"
    )
    assert run(f"{file}:Adam").code == 0
    server = int((tmp_path / "pid").read_text())
    try:
        _until(lambda: not Path(f"/proc/{server}").exists())
    finally:
        if Path(f"/proc/{server}").exists():
            os.kill(server, signal.SIGKILL)


def test_children_read_nothing_from_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "asks.py"
    file.write_text(
        "import sys\nassert sys.stdin.read() == ''\nfrom conformance.mutants.twins import TorchTwin as Adam\n"
    )
    assert conformance("run", "--adapter", f"{file}:Adam", "--profile", "smoke").code == 0


def _until(condition: object) -> None:
    deadline = time.monotonic() + 10
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
