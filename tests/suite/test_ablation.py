"""docs/ablation.md has every feature of every dialect, and nobody is missing in it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import Implementation
from conformance.ablation import Shown, features_of, shown_by
from conformance.ablation.__main__ import Line, main, read
from conformance.ablation.gathered import gathered
from conformance.ablation.procedures import EXPECTED, expected_of, shown_without
from conformance.mutants import aggregation, ema, given_as, masters
from conformance.mutants.clipping import ClipvalueIgnored
from conformance.mutants.twins import KerasV2Twin, Mxnet2Twin, RectifiedTwin, TfKerasTwin
from conformance.subjects import subjects
from reference import DIALECTS

PAGE = Path(__file__).parents[2] / "docs" / "ablation.md"
_OF_V2 = ("keras-v2-adam", "tfa-rectified-adam", "tfa-lookahead-keras-v2-adam", "tfa-lookahead-rectified-adam")
_NEWER = ("tf-keras-adam", "keras3-adam")
WHO_HAVE = {
    "law-replicas": (*_OF_V2, *_NEWER),
    "law-unaggregated": (*_OF_V2, "tf-keras-adam"),
    "law-transformers": _OF_V2,
    "law-forms": _OF_V2,
    "law-finalized": _NEWER,
    "law-master": ("mxnet2-adam", "mxnet2-adam-lazy", "mxnet1-adam", "mxnet1-adam-lazy"),
}
TWINS = [
    ("sum over replicas", TfKerasTwin, aggregation.FirstReplicaForAll),
    ("gradients of each replica, not aggregated", KerasV2Twin, aggregation.AggregatesAlthoughOff),
    ("gradient_aggregator", KerasV2Twin, aggregation.TransformersBeforeAggregator),
    ("gradient_transformers", RectifiedTwin, aggregation.LastTransformerFirst),
    ("functions in the place of numbers", KerasV2Twin, given_as.FunctionsCalledOnce),
    ("finalize_variable_values", TfKerasTwin, ema.FinalizeIsForgotten),
    ("float32 master copies", Mxnet2Twin, masters.MasterNotKept),
]
OF_OPTAX = {"optax-adam", "optax-radam", "optax-nadam"}
"""Nobody takes a parameter without gradient there, so that the step count changes no number."""


def test_the_page_has_a_row_of_every_feature() -> None:
    sections = {text.partition("\n")[0]: text for text in PAGE.read_text().split("\n## ")[1:]}
    assert sorted(sections) == sorted(DIALECTS)
    missing = [
        str(f)
        for name in DIALECTS
        for f in features_of(name)
        if f"| {f.kind} `{f.name}` |" not in sections[name] and not (f.kind == "step count" and name in OF_OPTAX)
    ]
    assert missing == []
    for e in EXPECTED:
        assert all(f"| in {e.law}: `{e.name}` |" in sections[name] for name in WHO_HAVE[e.law])
    assert "nobody" not in PAGE.read_text().partition("\n## ")[2]


@pytest.mark.parametrize(("name", "implementation", "without"), TWINS)
def test_what_a_law_expects_is_shown_by_who_does_it_and_by_nobody_else(
    name: str, implementation: type[Any], without: type[Any]
) -> None:
    (expected,) = (e for e in EXPECTED if e.name == name)
    shown = shown_without(expected, [implementation()])
    assert shown is not None
    assert shown.problem.endswith(expected.law)
    assert shown_without(expected, [without()]) is None  # it breaks the law as it is
    assert (
        expected.check.judge(implementation(), subjects(implementation(), expected.check.problems, 1, 0)[0]).findings
        == []
    )


def test_who_claims_nothing_of_it_is_not_asked() -> None:
    assert expected_of([]) == ()
    assert {e.law for e in expected_of([TfKerasTwin.claim])} >= {"law-replicas", "law-finalized"}
    assert "law-transformers" not in {e.law for e in expected_of([TfKerasTwin.claim])}


def shown_of(implementation: Implementation, name: str) -> Shown | None:
    """Where `implementation` shows one feature of its dialect."""
    chosen = [f for f in features_of(implementation.claim.dialect) if f.name == name]
    return shown_by(chosen, gathered([implementation], 4))[chosen[0]]


@pytest.mark.parametrize("name", ["clip_values", "clipvalue"])
def test_a_feature_that_an_implementation_lacks_is_not_shown_by_it(name: str) -> None:
    assert shown_of(ClipvalueIgnored(), name) is None
    shown = shown_of(KerasV2Twin(), name)
    assert shown is not None
    assert "clipping/value" in shown.problem


LINES = [
    Line("optax-adam", "stage", "subtract", "nothing", None),
    Line("optax-adam", "stage", "subtract", "nothing", Shown("optax-adam", "golden case a|b", "step 1: off")),
]


def test_tables_of_several_environments_are_one_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The environment that shows a feature counts; a bar in a cell is no border."""
    files = [tmp_path / f"{k}.json" for k in range(2)]
    for file, line in zip(files, LINES, strict=True):
        file.write_text(json.dumps([asdict(line)]))
    assert [read(file)[0] for file in files] == LINES
    assert main(["--markdown", *map(str, files)]) == 0
    said = capsys.readouterr().out
    assert said.count("| stage `subtract` |") == 1
    assert "| stage `subtract` | nothing | optax-adam | golden case a\\|b | step 1: off |" in said
    assert main(["--markdown", str(files[0])]) == 0
    assert "**nobody**" in capsys.readouterr().out


def test_what_is_not_installed_cannot_be_tested(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--environment", "optax", "--problems", "1"]) == 2
    assert "optax-adam needs what is not here" in capsys.readouterr().err


@pytest.mark.parametrize("given", [["--environment", "jax"], [], ["--markdown", "absent.json"]])
def test_a_wrong_command_line_ends_with_2(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(given)
    assert end.value.code == 2
    assert "ablation" in capsys.readouterr().err
