"""golden/tolerances.json: what the suite decides by is read there, and nowhere else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from golden_copies import ROOT

from adapters.registry import ADAPTERS, ENVIRONMENTS, of_environment
from conformance import headroom
from conformance.ndjson import Report
from conformance.verdict import Result, Verdict
from golden import GoldenError, tolerances
from golden.layout import HASH, content_hash
from golden.tolerances import Measured

ONE = Measured(
    implementation="torch-loop",
    environment="torch",
    package="mine 1.0",
    worst_fraction=0.25,
    informative_share=0.75,
    reason="because",
)
MINE = {"framework": "mine", "version": "1.0"}


def changed(folder: Path, change: Callable[[Any], None], *, hashed: bool = True) -> Path:
    """A copy of the file and its schema, changed."""
    data = json.loads(tolerances.FILE.read_text(encoding="ascii"))
    change(data)
    if hashed:
        data[HASH] = content_hash(data)
    shutil.copy(tolerances.FILE.with_suffix(".schema.json"), folder)
    path = folder / "tolerances.json"
    path.write_text(json.dumps(data), encoding="ascii")
    return path


def number(hexadecimal: str, decimal: str) -> dict[str, str]:
    return {"hex": hexadecimal, "decimal": decimal, "reason": "a test"}


def test_the_file_is_as_its_schema_has_it() -> None:
    assert list(tolerances.linted()) == []
    found = tolerances.read()
    assert found.measured
    assert all(one.reason and 0 < one.worst_fraction < 1 for one in found.measured)


def test_every_row_names_the_distribution_that_ships_it() -> None:
    for one in tolerances.read().measured:
        distribution, version = one.package.split(" ")
        assert distribution == ADAPTERS[one.implementation].distribution
        assert version[0].isdigit()


def test_every_implementation_has_its_head_room_in_every_environment() -> None:
    stored = [(one.implementation, one.environment) for one in tolerances.read().measured]
    assert sorted(stored) == sorted((name, e) for e in ENVIRONMENTS for name in of_environment(e))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data["model"]["roundings"].update(value=5), "accepted: sha256:"),
        (lambda data: data["measured"]["implementations"].pop(), "accepted: sha256:"),
    ],
)
def test_a_hand_edit_is_seen(tmp_path: Path, change: Callable[[Any], None], why: str) -> None:
    path = changed(tmp_path, change, hashed=False)
    assert why in " ".join(complaint.message for complaint in tolerances.linted(path))
    with pytest.raises(GoldenError, match="content_hash is not that of the content"):
        tolerances.read(path)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data["informative"].pop("share"), "breaks the schema"),
        (lambda data: data["informative"].update(share=number("0x1p+1", "2")), "accepted: from 0 to 1"),
        (lambda data: data["informative"].update(share=number("0x1p-1", "0.4")), "the decimal that of hex"),
        (lambda data: data["model"]["roundings"].pop("reason"), "breaks the schema"),
        (
            lambda data: data["measured"]["implementations"][0].update(package="None None"),
            "breaks the schema at $.measured.implementations[0].package",
        ),
        (lambda data: data.update(version=2), "accepted: 'adam-conformance tolerances', version 1"),
    ],
)
def test_what_is_malformed_is_named(tmp_path: Path, change: Callable[[Any], None], why: str) -> None:
    (complaint,) = tolerances.linted(changed(tmp_path, change))
    assert why in complaint.message


def test_the_model_and_the_suite_read_the_file_at_run_time(tmp_path: Path) -> None:
    """A copy of the packages beside another file decides by that one."""
    for name in ("reference", "golden", "conformance", "certify", "adapters"):
        ignored = shutil.ignore_patterns("cases", "recorded", "__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)

    def change(data: Any) -> None:
        data["model"]["roundings"]["value"] = 7
        data["model"]["formats"]["value"]["float64"][0] = 50
        data["informative"]["share"] = number("0x1p-2", "0.25")

    changed(tmp_path / "golden", change)
    code = """if True:
        import certify.measure, conformance.checks, conformance.laws.closed_forms
        import reference.bound_rules, reference.rounding
        print(reference.bound_rules.C, conformance.checks.INFORMATIVE.share, reference.rounding.unit("float64") * 2**49)
        print(conformance.laws.closed_forms.U * 2**50, certify.measure.UNIT * 2**50)
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["7", "0.25", "1.0", "1.0", "1.0"], done.stderr


def test_measurements_are_written_and_read_back(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda data: None)
    tolerances.replace_measured([ONE], problems=40, seed=3, path=path)
    found = tolerances.read(path)
    assert (found.problems, found.seed, found.measured) == (40, 3, (ONE,))
    assert list(tolerances.linted(path)) == []


@pytest.mark.parametrize(
    ("worst", "share", "told"), [(0.3, 0.7, []), (0.4, 0.7, ["worst error / bound"]), (0.2, 0.5, ["informative share"])]
)
def test_a_run_tells_what_uses_more_of_its_bound(tmp_path: Path, worst: float, share: float, told: list[str]) -> None:
    path = changed(tmp_path, lambda data: None)
    tolerances.replace_measured([ONE], problems=40, seed=3, path=path)
    outcome = {"worst_fraction": worst, "ambiguous": 0, "compared": 10}
    check = {"check": "one-step", "problems": 40, "informative_share": share, "outcome": outcome, "failing": 0}
    result = Result(adapter="torch-loop", verdict=Verdict.CONFORMS, checks=[check])
    header = {"problems": 40, "seed": 3, "environment": "torch"}
    notes = list(headroom.notes(header, [result], tolerances.read(path)))
    assert [note.partition(": ")[2].partition(" is ")[0] for note in notes] == told
    assert list(headroom.notes(header | {"problems": 41}, [result], tolerances.read(path))) == []


def report(
    name: str = "torch-loop",
    *,
    fraction: Any = 0.25,
    only: Any = None,
    checks: Any = (),
    environment: str = "torch",
    identity: Any = MINE,
) -> Report:
    outcome = {"worst_fraction": fraction, "ambiguous": 0, "compared": 10}
    check = {"check": "one-step", "problems": 300, "informative_share": 0.75, "outcome": outcome, "failing": 0}
    result = Result(adapter=name, verdict=Verdict.CONFORMS, checks=[check], identity=identity)
    header = {"problems": 300, "seed": 0, "environment": environment, "only": only, "checks": [*checks]}
    return Report(Path("a.ndjson"), header, (result,), ())


@pytest.mark.parametrize(
    ("reports", "why"),
    [
        ([report(), report()], "torch-loop in torch is in two reports"),
        ([report(fraction=1.5)], "torch-loop in torch does not conform"),
        ([report(fraction="nan")], "torch-loop in torch does not conform"),
        ([report(fraction=None)], "a report has no usable measure"),
        ([report(only=3)], "is of a part"),
        ([report(checks=["one-step", "free-running"])], "is of a part"),
        ([report(identity=None)], "does not say what torch-loop ran"),
        ([report(identity={"framework": "mine", "version": None})], "does not say what torch-loop ran"),
        ([report(environment="x\n")], "is of a part, or of no environment"),
        ([report("torch-fused")], "torch-loop in torch is stored, and in no report"),
    ],
)
def test_what_cannot_be_stored_is_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reports: list[Report], why: str
) -> None:
    path = changed(tmp_path, lambda data: None)
    tolerances.replace_measured([ONE], problems=300, seed=0, path=path)
    before, given = path.read_bytes(), iter(reports)
    monkeypatch.setattr(headroom.ndjson, "read", lambda file: next(given))
    assert headroom.main([*(["a"] * len(reports)), "--write", "--file", str(path)]) == 2
    assert why in capsys.readouterr().err
    assert path.read_bytes() == before


ROOMS = ("reference", "golden", "adapters", "conformance", "certify", "benchmarks")


def commands() -> list[str]:
    """Whatever `python -m` runs."""
    paths = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    mains = [path for path in paths if 'if __name__ == "__main__":\n' in path.read_text(encoding="utf-8")]
    return sorted(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__") for path in mains)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages, whose file may be spoiled."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for name in ROOMS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("cases", "recorded", "__pycache__"))
    return folder


def ended(folder: Path, *words: str, content: str | None) -> tuple[int, str, str]:
    """Exit code and both outputs of Python there, beside a file of that content."""
    file = folder / "golden" / "tolerances.json"
    file.unlink(missing_ok=True)
    if content is not None:
        file.write_text(content)
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT / 'src'}"}
    line = [sys.executable, *words]
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("content", [None, "{", "{}", "[]", '{"model": {"roundings": {"value": 0}, "formats": 5}}'])
def test_a_file_that_cannot_be_used_is_named(elsewhere: Path, content: str | None) -> None:
    code, _, err = ended(elsewhere, "-c", "import reference", content=content)
    assert code == 2
    assert err.startswith(f"error: {elsewhere}/golden/tolerances.json cannot be used (")
    assert err.endswith("accepted: the file of this project, as git has it\n")


def test_a_model_that_cannot_be_used_ends_every_command_in_one_line(elsewhere: Path) -> None:
    """Those that do not need it are not here: they draw, or run what others give them."""
    needless = {"benchmarks.fresh", "conformance.plot.child"}
    words = {"benchmarks": ["cpu"], "golden": ["lint"]}
    asked = [name for name in commands() if name not in needless]
    assert len(asked) >= 16
    for name in asked:
        code, out, err = ended(elsewhere, "-m", name, *words.get(name, []), content="{}")
        assert (code, out, err.count("\n")) == (2, "", 1), f"{name}: {err}"
        assert "tolerances.json cannot be used (KeyError: 'model'); accepted: the file of this project" in err, name


def test_what_the_suite_alone_reads_ends_its_commands_in_one_line(elsewhere: Path) -> None:
    text = tolerances.FILE.read_text(encoding="ascii")
    edited = text.replace('"decimal": "0.01"', '"decimal": "0.02"')
    for words in (["conformance", "run"], ["conformance", "adapters"], ["conformance.headroom"], ["conformance.kills"]):
        code, out, err = ended(elsewhere, "-m", *words, content=edited)
        assert (code, out, err.count("\n")) == (2, "", 1), f"{words}: {err}"
        assert "tolerances.json: content_hash is not that of the content" in err


def test_programs_are_told_on_standard_output(elsewhere: Path) -> None:
    code, out, err = ended(elsewhere, "-m", "golden", "lint", "--json", content="{}")
    told = json.loads(out)
    assert (code, told["exit_code"], f"error: {told['error']}\n") == (2, 2, err)


def test_any_other_error_of_such_a_process_is_told_as_ever(elsewhere: Path) -> None:
    code, _, err = ended(elsewhere, "-c", "try: import reference\nexcept ImportError: 1 / 0", content="{}")
    assert code == 1
    assert err.startswith("Traceback")
    assert err.endswith("ZeroDivisionError: division by zero\n")


def test_what_the_registry_does_not_have_is_told_and_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`golden` stands on the reference alone: it is the suite that knows the registry."""
    path = changed(tmp_path, lambda data: None)
    strangers = [replace(ONE, implementation="torch-lop"), replace(ONE, environment="mxnet")]
    tolerances.replace_measured([ONE, *strangers], problems=300, seed=0, path=path)
    monkeypatch.setattr(headroom.ndjson, "read", lambda file: report())
    assert headroom.main(["a", "--file", str(path)]) == 1
    out = capsys.readouterr().out
    assert (
        "torch-lop in torch is stored, and no adapter of the registry; accepted: those of adapters/registry.py" in out
    )
    assert "torch-loop in mxnet is stored, and no adapter" in out
    assert headroom.main(["a", "--write", "--file", str(path)]) == 0
    assert [one.implementation for one in tolerances.read(path).measured] == ["torch-loop"]
    assert headroom.main(["a", "--json", "--file", str(path)]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["strangers"] == []


def test_a_report_that_is_not_there_is_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert headroom.main([str(tmp_path / "none.ndjson")]) == 2
    assert "none.ndjson" in capsys.readouterr().err
