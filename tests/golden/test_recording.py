"""conformance.record and conformance.recorded: recordings are made and kept, and what is wrong is not within them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_copies import edit

from adapters.contract import Hyperparameters, Identity, Implementation, State
from conformance import deviations, record, recorded
from conformance.deviations import Deviation
from conformance.mutants import formula, state
from conformance.mutants.twin import Slot, Twin, Work
from conformance.mutants.twins import KerasV2Twin, Mxnet1LazyTwin, Mxnet2Twin, RectifiedTwin, TorchTwin
from conformance.replay import run
from golden import GoldenError, cases_of
from golden.case import NARROW
from golden.recordings import RECORDED
from golden.report import Report
from golden.verify_recorded import verify_recorded

NAME = "torch-loop"  # of the registry, whose file the twin's recordings are put into
FILE = Path("torch-adam/torch-loop.json")
COMMAND = ["--adapter", NAME, "--folder"]


def played_by(monkeypatch: pytest.MonkeyPatch, twin: Implementation) -> None:
    monkeypatch.setattr(record, "load", lambda name: twin)


def complaints(folder: Path) -> list[str]:
    report = Report()
    verify_recorded(folder, {case.id: case for case in cases_of("torch-adam")}, report)
    cases = cases_of("torch-adam")
    narrow = sum(NARROW in case.flags for case in cases)
    both = sum(bool(case.hyperparameters.l2 and case.hyperparameters.weight_decay) for case in cases)
    assert both == 1, "and the twins take one decay at a time"
    assert report.recordings == 2 * (len(cases) - narrow - both)
    return [complaint.message for complaint in report.complaints]


# Made


def test_recordings_are_made_and_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    played_by(monkeypatch, TorchTwin())
    assert record.main([*COMMAND, str(tmp_path)]) == 1, "it has written something"
    assert complaints(tmp_path) == []
    before = (tmp_path / FILE).read_bytes()
    capsys.readouterr()
    assert record.main([*COMMAND, str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unchanged"] == [str(tmp_path / FILE)]
    assert (tmp_path / FILE).read_bytes() == before


class OtherZeros(TorchTwin):
    """As the twin, but for the sign of zeros."""

    def state(self, slots: Sequence[Slot], h: Hyperparameters) -> State:
        found = super().state(slots, h)
        return replace(
            found, **{name: tuple(_negative(a) for a in getattr(found, name)) for name in ("parameters", "m")}
        )


def _negative(array: Any) -> Any:
    return np.where(array == 0, -np.zeros_like(array), array)


def test_zeros_of_the_other_sign_and_who_ran_it_are_no_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    played_by(monkeypatch, TorchTwin())
    record.main([*COMMAND, str(tmp_path)])
    before = (tmp_path / FILE).read_text()
    assert "adam-conformance" not in json.loads(before)["versions"]
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    played_by(monkeypatch, OtherZeros())
    assert record.main([*COMMAND, str(tmp_path)]) == 0
    assert (tmp_path / FILE).read_text() == before
    assert "PYTHONHASHSEED" not in record.machine()


def test_values_that_are_stored_are_changed_only_when_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    played_by(monkeypatch, TorchTwin())
    record.main([*COMMAND, str(tmp_path)])
    before = (tmp_path / FILE).read_bytes()
    data = json.loads(before)
    data["recordings"][0]["states"][1]["m"][0][0] = "0x1p-3"
    (tmp_path / FILE).write_text(json.dumps(data))
    capsys.readouterr()
    assert record.main([*COMMAND, str(tmp_path)]) == 1
    said = capsys.readouterr().out
    first, state = data["recordings"][0], data["recordings"][0]["states"][1]
    assert f"1 changes of stored values, the first: {first['id']} in float32, step {state['step']}: 1 ele" in said
    assert "1 elements of m; accepted with --allow-change" in said
    assert json.loads((tmp_path / FILE).read_bytes()) == data, "it was left as it is"
    assert record.main([*COMMAND, str(tmp_path), "--allow-change"]) == 1
    assert (tmp_path / FILE).read_bytes() == before


def test_what_is_missing_is_recorded_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    played_by(monkeypatch, TorchTwin())
    record.main([*COMMAND, str(tmp_path)])
    before = (tmp_path / FILE).read_bytes()

    def lose(data: dict[str, Any]) -> None:
        del data["recordings"][1:3]
        data["recordings"][0]["states"][0]["m"][0][0] = "0x1p-3"

    edit(tmp_path / FILE, lose)
    asked: list[str] = []
    monkeypatch.setattr(record, "run", lambda twin, one: asked.append(one.problem.dtype) or run(twin, one))
    assert record.main([*COMMAND, str(tmp_path), "--missing"]) == 1
    assert asked == ["float32"] * 2
    data, was = json.loads((tmp_path / FILE).read_bytes()), json.loads(before)
    assert data["recordings"][1:] == was["recordings"][1:]
    assert data["recordings"][0]["states"][0]["m"][0][0] == "0x1p-3", "verify's, not ours"
    edit(tmp_path / FILE, lambda data: data["platform"].update(processors="1024"))
    capsys.readouterr()
    assert record.main([*COMMAND, str(tmp_path), "--missing"]) == 2
    assert f"{NAME}: platform is not as it was recorded before; accepted: to record without" in capsys.readouterr().out


class InsideRoot(TorchTwin):
    """Epsilon inside the root."""

    def denominator(self, w: Work) -> Any:
        return np.sqrt(self.second(w) + w.element(self.epsilon(w)))


class OneAhead(TorchTwin):
    """Reports a t that is one ahead."""

    def state(self, slots: Sequence[Slot], h: Hyperparameters) -> State:
        true = TorchTwin.state(self, slots, h)
        return replace(true, t=tuple(t + 1 for t in true.t))


class Unseen(TorchTwin):
    """Says that it runs what no step runs."""

    def identity(self) -> Identity:
        honest = TorchTwin.identity(self)
        return replace(honest, required=honest.required | {"fused_kernel"})


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (
            InsideRoot,
            r"on torch-adam/[a-z/-]+ in float32: golden, step \d+: parameters of parameter 0 is off by",
        ),
        (OneAhead, r"on torch-adam/[a-z/-]+ in float32: golden, step 3: t is \(4, 4\), accepted: \(3, 3\); acc"),
        (Unseen, r"was not seen running its own operations; accepted: \['add_l2', 'amsgrad_maximum', "),
    ],
)
def test_what_is_wrong_is_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wrong: type[Twin], why: str
) -> None:
    played_by(monkeypatch, wrong())
    assert record.main([*COMMAND, str(tmp_path)]) == 2
    assert re.search(f"{NAME} could not be recorded: {NAME} {why}", capsys.readouterr().out)
    assert list(tmp_path.rglob("*.json")) == []


def test_a_declared_deviation_is_recorded_and_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it shows; what conforms is not marked. And another version's is no excuse."""

    def declare(versions: str) -> None:
        texts = dict.fromkeys(("reason", "link", "effect"), "planted")
        entry = {"id": "elsewhere", "implementation": NAME, "distribution": "numpy", "versions": versions}
        monkeypatch.setattr(deviations, "read", lambda: (Deviation(**entry, checks=("golden",), **texts),))

    declare(">=1")
    made = record.recorded(NAME, InsideRoot())
    marked = [one.id for one in made.recordings if one.deviation == "elsewhere"]
    assert "torch-adam/large-epsilon/dense" in marked
    assert 0 < len(marked) < len(made.recordings)
    record.store(made, tmp_path, record.Done(), allow_change=False)
    assert complaints(tmp_path) == []
    declare("<1")
    with pytest.raises(GoldenError, match="is off by"):
        record.recorded(NAME, InsideRoot())


def test_the_command_names_what_it_cannot_take(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--adapter", "fused-adam-torch"], ["--environment", "jax"], ["--folder", "/proc/x"]):
        with pytest.raises(SystemExit) as ended:
            record.main(arguments)
        assert ended.value.code == 2
        assert "accepted: " in (err := capsys.readouterr().err) or "choose from" in err
    with pytest.raises(SystemExit):
        record.main([*COMMAND, __file__])
    assert f"{__file__!r} is no folder; accepted: a folder that can be written" in capsys.readouterr().err


# Compared with

BESIDE: Mapping[type[Twin], set[str]] = {
    KerasV2Twin: {"keras-v2-fused", "keras-v2-nonfused"},
    Mxnet2Twin: {"mxnet2-fused", "mxnet2-step", "mxnet2-lazy", "mxnet2-lazy-row-sparse"},
    Mxnet1LazyTwin: {"mxnet1-standard", "mxnet1-lazy", "mxnet1-lazy-row-sparse"},
    RectifiedTwin: {"tfa-rectified-adam"},
}


@pytest.mark.parametrize("twin", BESIDE, ids=lambda t: t.__name__)
def test_a_correct_implementation_is_within_both_bounds(twin: type[Twin]) -> None:
    """Beside all that was recorded of its formula: Keras fused and not, MXNet's standard and lazy, RectifiedAdam."""
    answer = recorded.against(twin())
    assert answer.left_out == []
    assert {row.recorded for row in answer.beside} == BESIDE[twin]
    for row in answer.beside:
        assert row.outcome.findings == [], row.recorded
        assert row.outcome.compared > 1000
        assert 0.01 < row.outcome.worst_fraction < 1


@pytest.mark.parametrize("wrong", [InsideRoot, OneAhead, state.NoneIsZero, formula.EpsilonInsideRoot])
def test_a_wrong_implementation_is_not(wrong: type[Twin], small: Path) -> None:
    answer = recorded.against(wrong(), small)
    assert answer.beside
    for row in answer.beside:
        assert row.outcome.findings, row.recorded
        assert f"beside {row.recorded}" in row.outcome.findings[0].message
        assert "golden case " in row.outcome.findings[0].description


def test_whoever_runs_the_code_that_was_recorded_is_not_compared_with_it(small: Path) -> None:
    class Disguised(TorchTwin):
        def identity(self) -> Identity:
            return Identity(framework="x", version="1", required=frozenset({"aten._fused_adam_"}))

    answer = recorded.against(Disguised(), small)
    (text,) = answer.left_out
    assert text.startswith("torch-fused (torch 2.13.0+cpu): the same code, it was seen running aten._fused_adam_")
    assert [row.recorded for row in answer.beside] == ["torch-loop"]


def test_a_recording_that_was_edited_is_refused(small: Path) -> None:
    path = small / FILE
    path.write_text(path.read_text().replace("0x1p-4", "0x1p-5", 1))
    with pytest.raises(GoldenError, match="content_hash is not that of the content"):
        recorded.against(TorchTwin(), small)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A folder with few recordings, none of them long."""
    for path in ("torch-adam/torch-loop.json", "torch-adam/torch-fused.json", "keras-v2-adam/keras-v2-fused.json"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes((RECORDED / path).read_bytes())

        def shorten(data: dict[str, Any]) -> None:
            data["recordings"] = [one for one in data["recordings"] if "/first-steps/" in one["id"]]

        edit(tmp_path / path, shorten)
    return tmp_path


WRONG = """
import numpy as np
from conformance.mutants.twins import TorchTwin

class Wrong(TorchTwin):
    def denominator(self, w):
        return np.sqrt(self.second(w) + w.element(self.epsilon(w)))
"""


def test_exit_codes(tmp_path: Path, small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path.parent / "wrong.py"
    file.write_text(WRONG)
    where = ["--folder", str(small)]
    assert recorded.main(["--adapter", f"{file}:TorchTwin", *where]) == 0
    assert "torch-fused" in capsys.readouterr().out
    assert recorded.main(["--adapter", f"{file}:Wrong", *where, "--json"]) == 1
    beside = json.loads(capsys.readouterr().out)["beside"]
    assert {row["recorded"] for row in beside} == {"torch-loop", "torch-fused"}
    assert all(row["worst_fraction"] > 1 and row["findings"] for row in beside)
    (small / FILE).write_text("{")
    assert recorded.main(["--adapter", f"{file}:TorchTwin", *where]) == 2
    assert recorded.main(["--adapter", "nobody", *where]) == 2
    assert "adapter is 'nobody'" in capsys.readouterr().out
    assert recorded.main(["--adapter", f"{file}:TorchTwin", "--folder", str(small / "nowhere")]) == 2
    assert "nowhere is no folder; accepted: the folder of the recordings" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        recorded.main([])
    assert ended.value.code == 2
