"""What a twin claims: all that the suite can ask, for the hyper-parameters of its dialect."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.contract import Claim, GradientKind, Procedure
from adapters.hyperparameters import MULTIPLIERS
from conformance.mutants.twin_beside import NEWER


def twin_claim(
    dialect: str,
    hyperparameters: frozenset[str],
    gradients: frozenset[GradientKind],
    saved: frozenset[str] | None = None,
    *,
    unless: Mapping[str, str] | None = None,
    clips_together: bool = False,
) -> Claim:
    """A claim with every procedure, each for every hyper-parameter, but for those that a load brings back."""
    free = hyperparameters - {"amsgrad"} - NEWER
    changing = free - {"begin_num_update"}
    of_groups = free - {*MULTIPLIERS, "lr_scheduler"} | (hyperparameters & {"amsgrad"})
    how = {
        "save": Procedure(
            how="pickle of the slots", hyperparameters=free if saved is None else saved, unless=unless or {}
        ),
        "rewind": Procedure(how="TwinRun.load"),
        "configuration": Procedure(how="JSON"),
        "change": Procedure(how="TwinRun.change", hyperparameters=changing),
        "groups": Procedure(how="Twin.start_groups", hyperparameters=of_groups),
        "late groups": Procedure(how="TwinRun.add_group"),
        "saved groups": Procedure(how="pickle of the slots of all groups"),
        "changed groups": Procedure(how="TwinRun.change_group"),
        "state": Procedure(how="TwinRun.put"),
        "mixed dtypes": Procedure(how="arrays of several dtypes in one list"),
        "empty steps": Procedure(how="TwinRun.step, every gradient None"),
    }
    if "decay" in hyperparameters or "ema_momentum" in hyperparameters:  # Keras
        how["weights"] = Procedure(how="TensorFlowTwin.listed")
        how["replicas"] = how["unaggregated replicas"] = Procedure(how="Twin.start_replicas")
    if "decay" in hyperparameters:
        how["transformers"] = Procedure(how="Twin.start_transformed")
        forms = frozenset({"learning_rate", "beta_1", "beta_2"})
        how["tensors"] = Procedure(how="Twin.start_tensors", hyperparameters=forms)
        how["callables"] = Procedure(how="Twin.start_callables", hyperparameters=forms)
    if "ema_momentum" in hyperparameters:
        how["finalize"] = Procedure(how="TwinRun.finalize")
    return Claim(
        dialect=dialect,
        hyperparameters=hyperparameters,
        gradients=gradients,
        procedures=how,
        clips_together=clips_together,
    )
