"""torch's schedulers write to the groups; nothing that they keep there is an option of ours."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import CyclicLR, OneCycleLR

import fused_adam


def one_cycle(optimizer: Any) -> Any:
    return OneCycleLR(optimizer, max_lr=0.1, total_steps=8)


def cyclic(optimizer: Any) -> Any:
    return CyclicLR(optimizer, base_lr=0.01, max_lr=0.1, step_size_up=3)


def trained(optimizer: Any, schedule: Any) -> Any:
    p = optimizer.param_groups[0]["params"][0]
    scheduler = schedule(optimizer)
    for k in range(8):
        p.grad = torch.tensor([1.0, -0.5, 0.1], dtype=torch.float64) * (k + 1)
        optimizer.step()
        if k < 7:
            scheduler.step()
    return p.detach()


def parameter() -> Any:
    return torch.nn.Parameter(torch.ones(3, dtype=torch.float64))


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RAdam"])
@pytest.mark.parametrize("schedule", [one_cycle, cyclic])
def test_scheduled_as_in_torch(name: str, schedule: Any) -> None:
    ours, theirs = getattr(fused_adam, name)([parameter()]), getattr(torch.optim, name)([parameter()], foreach=False)
    assert torch.allclose(trained(ours, schedule), trained(theirs, schedule), rtol=1e-12, atol=0)
    mine, other = ours.state_dict()["param_groups"][0], theirs.state_dict()["param_groups"][0]
    assert {k: v for k, v in mine.items() if k != "foreach"} == {k: v for k, v in other.items() if k != "foreach"}


def test_the_warm_up_keeps_its_own_end() -> None:
    optimizer = fused_adam.RAdam([parameter()], dialect="tfa-rectified-adam", total_steps=4, warmup_min_lr=0.5)
    trained(optimizer, one_cycle)
    assert optimizer.param_groups[0]["warmup_min_lr"] == 0.5
    group = optimizer.state_dict()["param_groups"][0]
    assert group["min_lr"] != group["warmup_min_lr"] == 0.5
    with pytest.raises(ValueError, match="warmup_min_lr is -1"):
        fused_adam.RAdam([parameter()], dialect="tfa-rectified-adam", warmup_min_lr=-1)
