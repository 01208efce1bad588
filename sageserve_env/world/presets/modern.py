"""A world of today's engines: four models whose iteration times are fitted to measurements, on the GPUs that each needs.

Sources of the numbers as in ``presets``: [P] the SageServe paper, [C] the authors' code; [F] ``data/silicon_fits.csv``, [M] model
cards and configurations, [A] an assumption of this package. List prices are those of Azure in eastus2 on 2026-06-18, as
Azure/karpenter-provider-azure @ 352646f has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from sageserve_env.world.presets.regions import LATENCY_S, REGIONS
from sageserve_env.world.schema import (
    GIB,
    TIERS,
    IterationModel,
    Model,
    Pool,
    Profile,
    Region,
    Routing,
    Scaling,
    Serving,
    Tier,
    VMType,
    World,
)
from sageserve_env.world.silicon import Fit, read_fits

H100_USD_PER_H = 98.32 / 8
"""A GPU's share of ND96isr_H100_v5. That instances pay for the GPUs that they take is [A]: clouds rent most of them by eight."""
H200_USD_PER_H = 84.80 / 8
"""A GPU's share of ND96isr_H200_v5."""

VM_TYPES = (
    VMType("h100-x1", gpus=1, gpu_memory_bytes=80 * GIB, price_usd_per_h=H100_USD_PER_H),
    VMType("h100-x4", gpus=4, gpu_memory_bytes=4 * 80 * GIB, price_usd_per_h=4 * H100_USD_PER_H),
    VMType("h200-x8", gpus=8, gpu_memory_bytes=8 * 140 * GIB, price_usd_per_h=8 * H200_USD_PER_H),
)
"""Two models can be served on each, so they compete for them."""

VM_CAPACITY = {"h100-x1": 24, "h100-x4": 12, "h200-x8": 8}
"""VMs in a region [A]: room for fleets to more than double."""


@dataclass(frozen=True)
class Served:
    """A model of this world.

    Attributes:
        weights_bytes: Memory of the weights at the precision measured.
        kv_bytes_per_token: Keys and values of one token at 2 bytes a number.
        instances: Instances in each region at the start.
        measured: Label of the fitted deployment, by VM type.
    """

    weights_bytes: float
    kv_bytes_per_token: float
    instances: int
    measured: dict[str, str]


MODELS = {
    # 32 layers, 8 KV heads of 128; 8,030,261,248 parameters of 2 bytes [M]
    "llama-3.1-8b": Served(
        2 * 8_030_261_248.0, 2.0 * 2 * 32 * 8 * 128, 2, {"h100-x1": "Llama-3.1-8B-Instruct h100_sxm trtllm 1.0.0rc3"}
    ),
    # 64 layers, 8 KV heads of 128; 32.8e9 parameters of 1 byte [M]
    "qwen3-32b": Served(
        32.8e9,
        2.0 * 2 * 64 * 8 * 128,
        8,
        {"h100-x1": "Qwen3-32B h100_sxm trtllm 1.0.0rc3 fp8", "h100-x4": "Qwen3-32B h100_sxm trtllm 1.0.0rc3 fp8 TP4"},
    ),
    # 80 layers, 8 KV heads of 128; 70,553,706,496 parameters of 1 byte [M]
    "llama-3.1-70b": Served(
        70_553_706_496.0,
        2.0 * 2 * 80 * 8 * 128,
        2,
        {"h100-x4": "Llama-3.1-70B h100_sxm vllm fp8 TP4 MoE TP4", "h200-x8": "Llama-3.1-70B h200_sxm vllm fp8 TP8 MoE TP8"},
    ),
    # 61 layers, a latent of 512 and 64 rotary numbers for each; about 595 GB of weights, experts at 4 bits [M]
    "kimi-k2.5": Served(595e9, 2.0 * 61 * (512 + 64), 3, {"h200-x8": "Kimi-K2.5 h200_sxm vllm 0.16.0 int4 TP8 MoE TP8"}),
}
"""A small model, a 30B, a 70B, and a mixture of experts with 10¹² parameters, by their names here; times [F], instances [A]."""

TIERS_MODERN = (
    Tier("IW-F", slo_s=1.0, tpot_s=0.05),
    Tier("IW-N", slo_s=60.0),
    Tier("NIW", slo_s=86_400.0),
)
"""The paper's levels [P]; fast interactive answers also come at reading speed, 20 tokens a second [A]."""


def modern() -> World:
    """Today's engines: four models from 8B to 10¹² parameters on one, four or eight H100 or H200 GPUs, fitted to measurements."""
    fit_of = {fit.deployment.label: fit for fit in read_fits()}
    return World(
        name="modern",
        regions=tuple(Region(region, dict(VM_CAPACITY)) for region in REGIONS),
        latency_s=LATENCY_S,
        vm_types=VM_TYPES,
        models=tuple(_model(name, served, fit_of) for name, served in MODELS.items()),
        tiers=TIERS_MODERN,
        pools=(Pool("unified", TIERS, {name: served.instances for name, served in MODELS.items()}),),
        serving=Serving(max_batch=512, prefill_budget_tokens=8192),  # the budget: default of the engines measured
        routing=Routing(delay_s=_frontend_s(fit_of)),
        scaling=Scaling(min_instances=1),
    )


def _model(name: str, served: Served, fit_of: dict[str, Fit]) -> Model:
    profiles: dict[str, Profile | IterationModel] = {vm: fit_of[label].profile for vm, label in served.measured.items()}
    return Model(name, served.weights_bytes, served.kv_bytes_per_token, profiles)


def _frontend_s(fit_of: dict[str, Fit]) -> float:
    """What a request spends outside of iterations: a world has one number, so the median of its deployments."""
    return median(fit_of[label].frontend_s for served in MODELS.values() for label in served.measured.values())
