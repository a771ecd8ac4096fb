"""What a case has done between steps, and the order of the state: read strictly, and seen where it is done wrongly."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_copies import golden
from test_readers import READERS, c, javascript

from conformance import checks
from conformance.mutants import listing
from conformance.mutants.procedures import ChangedRateIgnored, CountNotSaved
from conformance.mutants.twin import Twin
from conformance.mutants.twins import Keras3Twin, KerasV2Twin
from conformance.replay import in_dtype, replays
from golden import Case, GoldenError, between, cases_of, catalogue, files, layout, show, state_order
from golden.between import Between, hyperparameters_by_step
from golden.fifty_digits import with_expected
from golden.trajectory import trajectory
from golden.verify import DOUBLE
from reference import DIALECTS, Hyperparameters

H = Hyperparameters(learning_rate=0.5, beta_1=0.5, beta_2=0.5, epsilon=0.5)
RATE = {"hex": "0x1p-3", "decimal": "0.125"}


def event(**more: Any) -> dict[str, Any]:
    return {"after": 1, "do": "set", "hyperparameters": {"learning_rate": RATE}} | more


def case(id_: str) -> Case:
    (found,) = (one for one in cases_of(id_.partition("/")[0]) if one.id == id_)
    return found


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ([], "after steps"),
        ([event(after=3)], "accepted: 1 to 16, rising, from 0 to 2"),
        ([event(after=-1)], "accepted: 1 to 16, rising, from 0 to 2"),
        ([event(after=2), event(after=1)], "accepted: 1 to 16, rising"),
        ([event()] * 17, "accepted: 1 to 16"),
        ([event(do="restart")], "do is 'restart'; accepted: set, save-and-load, rebuild, finalize"),
        ([event(do="save-and-load")], "hyperparameters is there; accepted: where do is set"),
        ([event(hyperparameters={})], "sets nothing; accepted: "),
        ([event(hyperparameters={"amsgrad": True})], "sets 'amsgrad'; accepted: adaptive_epsilon, beta_1, "),
        ([event(hyperparameters={"l2": RATE})], "sets 'l2'; accepted: "),
        ([event(hyperparameters={"learning_rate": 0.5})], "learning_rate is 0.5; accepted: a dict"),
        ([event(hyperparameters={"beta_1": {"hex": "0x1p+0", "decimal": "1"}})], "beta_1 is 1.0; accepted: "),
        ([{"after": 1, "do": "rebuild"}], "rebuild is after 1 steps; accepted: after 0"),
        ([{"after": 1, "do": "finalize"}], "finalize is there; accepted: where there is an ema_momentum"),
        (["set"], "is 'set'; accepted: a dict"),
    ],
)
def test_what_cannot_be_done_is_refused(given: list[Any], why: str) -> None:
    with pytest.raises(GoldenError) as caught:
        between.parse(given, "tf-keras-adam", H, 3, "where")
    assert why in str(caught.value)


def test_a_list_reads_back_as_it_was_written() -> None:
    given = [event(after=0), {"after": 0, "do": "rebuild"}, {"after": 2, "do": "save-and-load"}]
    assert between.to_json(between.parse(given, "tf-keras-adam", H, 3, "where")) == given


def test_what_is_set_holds_from_the_next_step_on_and_powers_are_of_the_current_beta() -> None:
    done = (Between(after=1, do="set", hyperparameters={"beta_1": 0.75}),)
    betas = [(h.beta_1, h.power_beta_1) for h in hyperparameters_by_step(H, done, 3)]
    assert betas == [(0.5, 0.5), (0.75, 0.75), (0.75, 0.75)]


def test_a_case_without_what_is_done_is_another_one() -> None:
    """Sets and finalize change what is expected; a load and a rebuilt object do not."""
    for id_, changes in (
        ("keras-v2-adam/changed-mid-run/rate", True),
        ("tf-keras-adam/finalize/average", True),
        ("keras-v2-adam/save-and-load/absent", False),
        ("keras-v2-adam/configuration/everything", False),
    ):
        with_it = case(id_)
        without = vars(with_it) | {"between": ()}
        ends = [list(trajectory(one, DOUBLE))[-1][1].theta for one in (with_it, Case(**without))]
        assert all(map(np.array_equal, *ends)) is not changes


@pytest.mark.parametrize(
    ("mutant", "id_"),
    [
        (CountNotSaved, "save-and-load/absent"),
        (ChangedRateIgnored, "changed-mid-run/rate"),
        (listing.ListsParameterByParameter, "state-order/plain"),
        (listing.ListsNoLearningRate, "state-order/plain"),
    ],
)
def test_it_is_done_by_the_implementations_own_procedures(mutant: type[Twin], id_: str) -> None:
    implementation = mutant()
    found = in_dtype(implementation, case(f"{mutant.claim.dialect}/{id_}"), "float32")
    assert checks.golden(implementation, found).findings  # type: ignore[arg-type]
    twin = next(base for base in mutant.__mro__[1:] if base.__module__.endswith("twins"))()
    assert not checks.golden(twin, in_dtype(twin, found.case, "float32")).findings


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ("t m[0] m[1] v[0]", "'v[1]'; accepted: each of t, m, v once"),
        ("t m[0] m[1] v[0] v[1] v[1]", "twice"),
        ("t m[0] m[1] v[0] v[1] v_max[0]", "v_max[0]"),
        ("m[0] m[1] v[0] v[1]", "'t'; accepted"),
        ("t m[0] m[1] v[0] v[01]", "v[01]"),
    ],
)
def test_an_order_that_is_not_of_the_state_is_refused(names: str, why: str) -> None:
    with pytest.raises(GoldenError) as caught:
        state_order.parse({"state_order": names.split()}, 2, H, "where")
    assert why in str(caught.value)


def test_a_place_that_is_wrong_is_named() -> None:
    implementation = listing.ListsParameterByParameter()
    found = [one for one in replays(implementation) if one.case.id == "keras-v2-adam/state-order/plain"]
    (finding,) = checks.golden(implementation, found[0]).findings
    assert finding.message == "golden, state_order: number 2 of what is listed is v[0]; accepted: m[1]"


def test_the_orders_of_the_keras_differ() -> None:
    orders: Mapping[str, tuple[str, ...]] = {
        twin.claim.dialect: case(f"{twin.claim.dialect}/state-order/plain").state_order
        for twin in (KerasV2Twin, Keras3Twin)
    }
    assert orders["keras-v2-adam"][:4] == ("t", "m[0]", "m[1]", "m[2]")
    assert orders["keras3-adam"][:4] == ("t", "learning_rate", "m[0]", "v[0]")


def test_null_is_none_in_every_language(tmp_path: Path) -> None:
    """clip_gradient is switched off in the middle."""
    source = case("mxnet2-adam/first-steps/rescale-clip-l2")
    off = Between(after=3, do="set", hyperparameters={"clip_gradient": None})
    made = with_expected(replace(source, between=(off,)), [4, 8])
    file = next(file for file, _ in catalogue.files(DIALECTS["mxnet2-adam"], "*/first-steps"))
    notes = {flag: note for flag, note in file.notes.items() if flag in made.flags}
    path = tmp_path / "mxnet2-adam" / "first-steps.json"
    files.write(path, files.render(layout.to_json(replace(file, cases=(made,), notes=notes))))
    for command in (javascript(READERS / "javascript/replay.mjs", tmp_path), c(READERS / "c/replay.c", tmp_path)):
        done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
    (before,) = (e for e in source.expected if e.step == 8)
    assert not np.array_equal(made.expected[1].m[0], before.m[0]), "it changes something"


def test_people_are_told_what_is_done() -> None:
    file = next(file for file, _ in catalogue.files(DIALECTS["keras-v2-adam"], "*/changed-mid-run"))
    text = "\n".join(show.lines(case("keras-v2-adam/changed-mid-run/rate"), file))
    assert "after step 3: set learning_rate 0.03125\nafter step 6: set learning_rate 0.001953125" in text
    file = next(file for file, _ in catalogue.files(DIALECTS["keras-v2-adam"], "*/state-order"))
    text = "\n".join(show.lines(case("keras-v2-adam/state-order/plain"), file))
    assert "lists its state as: t, m[0], m[1], m[2], v[0], v[1], v[2]" in text


def test_what_is_exported_says_it_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = ("keras-v2-adam/changed-mid-run/rate", "keras-v2-adam/state-order/plain")
    for name in ("cases.csv", "cases.npz"):
        code, _, _ = golden(capsys, "export", tmp_path / name, *ids)
        assert code == 0
    lines = (tmp_path / "cases.csv").read_text().splitlines()
    assert f"{ids[0]},between,set,3,,,,,," in lines
    assert f"{ids[0]},set,learning_rate,3,,,,0.03125,0x1p-5," in lines
    assert f"{ids[1]},state order,m[0],,,1,,,," in lines
    arrays = np.load(tmp_path / "cases.npz")
    assert json.loads(str(arrays[f"{ids[0]}/between"]))[0]["after"] == 3
    assert json.loads(str(arrays[f"{ids[1]}/state_order"]))[:2] == ["t", "m[0]"]
