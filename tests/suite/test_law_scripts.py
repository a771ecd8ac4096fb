"""What only a law shows is shown by a script without the suite: 1 of what is wrong, 0 of the twin in its place."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from suite_cli import ROOT, run
from test_diagnosis import judged

from adapters.contract import Hyperparameters
from conformance.diagnosis.recording import FIRST, Numbered, Place
from conformance.mutants import formula, low_precision, memory, procedures, rewinding, state, unlawful
from conformance.mutants.twin import Twin

SHOWN: dict[str, type[Twin]] = {
    "law-sign": unlawful.RoundsDown,
    "law-nonfinite": unlawful.NanBecomesZero,
    "law-permutation": unlawful.TailInDouble,
    "law-transposed": memory.GradientTakenForRowMajor,
    "law-strided": memory.GapsDecay,
    "law-reversed": memory.ForwardsOnly,
    "law-reused-gradients": memory.GradientKnownByItsArray,
    "law-sizes": memory.BufferShorterThanTail,
    "law-epsilon-survives": low_precision.EpsilonInStorageFormat,
    "law-save-load": procedures.CountNotSaved,
    "law-load-into-other": procedures.SavedEpsilonKept,
    "law-late-load": procedures.CountCastOnLoad,
    "law-configuration": procedures.ConfigurationDropsEpsilon,
    "law-change": procedures.ChangedRateIgnored,
    "law-switched-on": procedures.DecayStaysOff,
    "law-groups": procedures.GroupRateIgnored,
    "law-late-group": procedures.LateGroupSharesCount,
    "law-saved-groups": procedures.GroupsLoadedInReverse,
    "law-changed-group": procedures.RatesRenewedByTheFirst,
    "law-change-after-load": procedures.LoadedRateComesBack,
    "law-late-parameter": procedures.StatesWithoutGaps,
    "law-rewind": rewinding.MaximumMergedOnLoad,
    "law-rewind-to-start": rewinding.StateMergedOnLoad,
    "law-large-count": procedures.CountSavedInSixteenBits,
    "law-mixed-dtypes": state.FirstDtypeForAll,
    "step-count": state.CountNotReported,
}
"""By the check: laws of elements, of company, of memory, of formats, of procedures; and t alone."""


@pytest.mark.parametrize("check", SHOWN)
def test_a_script_shows_it_without_the_suite(check: str, tmp_path: Path) -> None:
    mutant = SHOWN[check]
    told = judged(mutant, (check,)).diagnosis
    assert told is not None
    text = told["scripts"][check]
    wrong = _python(text, tmp_path)
    assert (wrong.returncode, wrong.stderr) == (1, "")
    assert wrong.stdout.startswith("obtained ")
    right = _python(_healed(text, mutant), tmp_path)
    assert (right.returncode, right.stderr) == (0, "")


def test_what_only_the_values_show_has_the_reproducer_and_no_script() -> None:
    told = judged(formula.LearningRateTooSmall, ("one-step", "law-constant-gradient"), 10).diagnosis
    assert told is not None
    assert told["reproducer"]
    assert told["scripts"] == {}


def test_the_report_holds_the_scripts(tmp_path: Path) -> None:
    adapter = "conformance/mutants/unlawful.py:NanBecomesZero"
    ended = run(adapter, options=("--problems", "20", "--report", tmp_path, "--check", "law-nonfinite"), diagnosis=True)
    assert ended.code == 1
    (file,) = (tmp_path / "reproducers").iterdir()
    assert file.name == "conformance_mutants_unlawful_py_NanBecomesZero_law_nonfinite.py"
    assert _python(file.read_text(), tmp_path).returncode == 1
    (record,) = (r for r in ended.records if r["record"] == "diagnosis")
    assert "scripts" not in record


def test_a_number_is_found_again_whatever_power_of_two_a_law_makes_of_it() -> None:
    numbered = Numbered(unlawful.RoundsDown())
    theta = np.ones((2, 3), np.float32)
    state = numbered.start([theta], Hyperparameters()).step([theta])
    for value, factor in ((1.0, 1.0), (-1.0, -1.0), (2.0**-40, 2.0**-40), (-(2.0**80), -(2.0**80))):
        found = numbered.place(float(state.m[0][1, 2]) * value)
        assert found == (Place(0, 1, "m", 0, (1, 2)), factor)
    assert numbered.place(float(state.t[0])) == (Place(0, 1, "t", 0, ()), 1.0)
    for value in (0.0, np.nan, np.inf, 0.1, FIRST + len(numbered.places)):
        assert numbered.place(value) is None


def _healed(text: str, mutant: type[Twin]) -> str:
    """With the twin that the mutant is made of."""
    (twin,) = (base for base in mutant.__bases__ if base.__module__ != mutant.__module__)
    own = "conformance.mutants" if "from conformance.mutants" in text else ""
    module = Path(inspect.getfile(mutant)).stem
    imported = f"from {own}.{module} import" if own else f"from {module} import"
    assert imported in text
    return text.replace(imported, f"from {twin.__module__} import").replace(mutant.__name__, twin.__name__)


def _python(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """With nothing of the suite on the path but what the adapter itself imports."""
    (folder / "script.py").write_text(text)
    command = [sys.executable, "-W", "error", "script.py"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
