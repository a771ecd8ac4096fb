"""The torch face: `Adam`, `AdamW` and `RAdam`, true ``torch.optim.Optimizer`` subclasses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fused_adam import options as opts
from fused_adam.errors import missing, refused

try:
    from fused_adam.torch_base import Fused
except ImportError as _error:
    raise missing("torch", "fused_adam.Adam", _error) from _error


class Adam(Fused):
    r"""``torch.optim.Adam``, all parameters and groups in one pass; other frameworks' Adam with `dialect`.

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
        \theta \leftarrow \theta - \frac{lr}{1 - \beta_1^t} \frac{m}{\sqrt{v / (1 - \beta_2^t)} + eps}

    Args:
        params: parameters, named parameters or groups, as in torch; float32 or float64, on the CPU or on
            NVIDIA GPUs; each is updated where it lives.
        lr, betas, eps, weight_decay, amsgrad, decoupled_weight_decay: as in torch, Python numbers. eps None is the
            dialect's default, which is torch's 1e-8 for "torch-adam".
        maximize, capturable, differentiable: False; True is refused, it is not implemented yet.
        foreach, fused: without effect, there is one implementation.
        dialect: whose Adam: "torch-adam", "keras-v2-adam", "tf-keras-adam", "mxnet2-adam", "mxnet1-adam". All but the
            first put eps beside sqrt(v) (epsilon hat); torch.optim.Adam refuses to load their state.
        adaptive_epsilon: of tf_keras. rescale_grad, clip_gradient: of MXNet.

    ``state_dict`` of dialect "torch-adam" is torch's own, in both directions.

    Example:
        >>> import torch, fused_adam
        >>> w = torch.nn.Parameter(torch.ones(2))
        >>> optimizer = fused_adam.Adam([w], lr=0.1)
        >>> w.sum().backward()
        >>> optimizer.step()
        >>> w.data
        tensor([0.9000, 0.9000])

    Raises:
        ValueError, TypeError: naming the argument, its value and what is accepted, before anything is written.
        ImportError: at the first step, where Numba (on the CPU) or Triton (on a GPU) is missing.
    """

    _TORCH_DIALECT = "torch-adam"
    _EXTRA = ("dialect", "adaptive_epsilon", "rescale_grad", "clip_gradient")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float | None = None,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
        dialect: str = "torch-adam",
        adaptive_epsilon: bool = False,
        rescale_grad: float = 1.0,
        clip_gradient: float | None = None,
    ) -> None:
        chosen = opts.dialect(dialect)
        if chosen.rectified:
            raise refused("dialect", dialect, "that of an Adam; rectified ones belong to fused_adam.RAdam")
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": chosen.default_epsilon if eps is None else eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
            "dialect": dialect,
            "adaptive_epsilon": adaptive_epsilon,
            "rescale_grad": rescale_grad,
            "clip_gradient": clip_gradient,
        }
        super().__init__(params, defaults)


class AdamW(Adam):
    """``torch.optim.AdamW``: `Adam` with decoupled_weight_decay and weight_decay 0.01."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float | None = None,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        dialect: str = "torch-adam",
        adaptive_epsilon: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
            dialect=dialect,
            adaptive_epsilon=adaptive_epsilon,
        )

    def _checked(self, state_dict: Mapping[str, Any]) -> dict[str, Any]:
        """As torch's AdamW, whatever is loaded decays decoupled."""
        groups = [{**group, "decoupled_weight_decay": True} for group in state_dict["param_groups"]]
        return super()._checked({**state_dict, "param_groups": groups})


class RAdam(Fused):
    """``torch.optim.RAdam`` (Liu et al.); TF-Addons' RectifiedAdam with ``dialect="tfa-rectified-adam"``.

    Both rectify from a length of the moving average of sma_threshold on. torch: eps beside sqrt(v), > 5, one t per
    parameter. TF-Addons: eps beside sqrt(v / (1 - beta_2^t)), >=, one t for all, weight decay inside the update
    (decoupled_weight_decay=True), and a warm-up over total_steps, whose min_lr is called warmup_min_lr here, because
    torch's schedulers keep a "min_lr" of their own in the groups.

    Args, errors and state as for `Adam`.
    """

    _TORCH_DIALECT = "torch-radam"
    _EXTRA = ("amsgrad", "dialect", "sma_threshold", "total_steps", "warmup_proportion", "warmup_min_lr")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float | None = None,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        amsgrad: bool = False,
        dialect: str = "torch-radam",
        sma_threshold: float = 5.0,
        total_steps: int = 0,
        warmup_proportion: float = 0.1,
        warmup_min_lr: float = 0.0,
    ) -> None:
        chosen = opts.dialect(dialect)
        if not chosen.rectified:
            raise refused("dialect", dialect, "a rectified one; the others belong to fused_adam.Adam")
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": chosen.default_epsilon if eps is None else eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
            "amsgrad": amsgrad,
            "dialect": dialect,
            "sma_threshold": sma_threshold,
            "total_steps": total_steps,
            "warmup_proportion": warmup_proportion,
            "warmup_min_lr": warmup_min_lr,
        }
        super().__init__(params, defaults)
