"""Ready-made worlds: the paper's fleet and its variants, and the compatibility world of the authors' simulator.

Sources of the numbers: [P] the SageServe paper, [C] the authors' code or notebooks, [A] an assumption of this package, made
because neither gives the number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from sageserve_env.world.measured.measurements import A100, H100, MEASURED_MODELS
from sageserve_env.world.measured.profiles import authors_profile, measured_profile
from sageserve_env.world.presets.globe import globe
from sageserve_env.world.presets.modern import modern
from sageserve_env.world.presets.regions import LATENCY_S, REGIONS
from sageserve_env.world.schema import (
    GIB,
    LeadTimes,
    Model,
    NiwQueue,
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

VM_TYPES = {
    A100: VMType(A100, gpus=8, gpu_memory_bytes=8 * 80 * GIB, price_usd_per_h=32.77),
    H100: VMType(H100, gpus=8, gpu_memory_bytes=8 * 80 * GIB, price_usd_per_h=98.32),
}
"""Azure ND96amsr (A100) and ND96isr H100 v5, list prices. [P, C]"""

PUBLISHED_MEMORY = {
    "llama-2-70b": (135e9, 2_621_440.0),
    "bloom-176b": (329e9, 4_014_080.0),
    "llama-3.1-8b": (51e9, 2_097_152.0),
    "llama-3.2-3b": (19.5e9, 524_288.0),
}
"""Weights in bytes and KV bytes per token of the published system [C]: every model counted as full multi-head attention."""

PHYSICAL_MEMORY = {
    # 80 layers, 8 KV heads of 128; 68,976,648,192 parameters (model card and configuration of Llama-2-70B)
    "llama-2-70b": (2 * 68_976_648_192.0, 2.0 * 2 * 80 * 8 * 128),
    # 70 layers, multi-head over hidden size 14336; 176,247,271,424 parameters (model card of BLOOM)
    "bloom-176b": (2 * 176_247_271_424.0, 2.0 * 2 * 70 * 14_336),
    # 32 layers, 8 KV heads of 128; 8,030,261,248 parameters (model card and configuration of Llama-3.1-8B)
    "llama-3.1-8b": (2 * 8_030_261_248.0, 2.0 * 2 * 32 * 8 * 128),
    # 28 layers, 8 KV heads of 128; 3,212,749,824 parameters (model card and configuration of Llama-3.2-3B)
    "llama-3.2-3b": (2 * 3_212_749_824.0, 2.0 * 2 * 28 * 8 * 128),
}
"""Weights and KV bytes per token at 2 bytes a number: key and value x layers x KV heads x head size."""

TIERS_PAPER = (Tier("IW-F", slo_s=1.0), Tier("IW-N", slo_s=60.0), Tier("NIW", slo_s=86_400.0))
"""[P] section 2."""

UNIFIED_INSTANCES = 20
"""Instances of each (region, model) at the start. [P]"""

VM_CAPACITY = 100
"""VMs in a region [A]: the 4 x 20 that start with a model, and a quarter more as spot VMs for fleets to grow into."""

CHIRON_VM_CAPACITY = 200
"""VMs in a region under Chiron [A]: its 4 x (20 + 10 + 10) at the start, and the same quarter more."""


def published(instances: int = UNIFIED_INSTANCES, vm_capacity: int = VM_CAPACITY) -> World:
    """The paper's world: four models in three regions on 8xH100 VMs, one unified pool, the authors' memory figures.

    Args:
        instances: Instances of each (region, model) at the start; the paper starts its forecast-aware runs from 8.
        vm_capacity: VMs in each region.
    """
    models = _models(H100, PUBLISHED_MEMORY)
    return _world("published", H100, models, (_unified(instances),), vm_capacity)


def physical(instances: int = UNIFIED_INSTANCES, vm_capacity: int = VM_CAPACITY) -> World:
    """``published`` with the memory that the models really take: 2-byte weights, grouped-query attention where the model has it."""
    models = _models(H100, PHYSICAL_MEMORY)
    return _world("physical", H100, models, (_unified(instances),), vm_capacity)


def published_a100(instances: int = UNIFIED_INSTANCES, vm_capacity: int = VM_CAPACITY) -> World:
    """``published`` on 8xA100 VMs, the paper's hardware ablation."""
    models = _models(A100, PUBLISHED_MEMORY)
    return _world("published-a100", A100, models, (_unified(instances),), vm_capacity)


def siloed() -> World:
    """``published`` with separate pools [P]: 16 interactive and 4 non-interactive instances of each (region, model)."""
    pools = (
        Pool("interactive", ("IW-F", "IW-N"), _of_each_model(16)),
        Pool("non-interactive", ("NIW",), _of_each_model(4)),
    )
    return replace(published(), name="siloed", pools=pools)


def chiron() -> World:
    """``published`` with Chiron's pools [C]: 20 interactive, 10 mixed and 10 batch instances of each (region, model).

    Interactive requests spill to the mixed pool above 70 % utilization [C]. The mixed pool admits every tier; the batch pool
    comes before it and does not spill, so that non-interactive requests stay in the batch pool [A].
    """
    pools = (
        Pool("interactive", ("IW-F", "IW-N"), _of_each_model(20), spill_to="mixed", spill_utilization=0.7),
        Pool("batch", ("NIW",), _of_each_model(10)),
        Pool("mixed", ("IW-F", "IW-N", "NIW"), _of_each_model(10)),
    )
    return replace(published(vm_capacity=CHIRON_VM_CAPACITY), name="chiron", pools=pools)


FIXED_FLEET = Scaling(scale_out_utilization=1.0, scale_in_utilization=0.0, min_instances=1)
"""No utilization is above 1 or below 0, so an endpoint stays as it starts."""

NIW_UNMANAGED = NiwQueue(managed=False, promote_after_s=math.inf)
"""The authors' code without its queue manager [C]; it has no ageing."""

NIW_AUTHORS = NiwQueue(release_utilization=(0.6, 0.5), release_count=(2, 1), release_on_tick=False, promote_after_s=math.inf)
"""The authors' release rule [C]: two requests at a utilization in (0.5, 0.6], one at or under 0.5 (the paper: one, then two)."""

SCALING_AUTHORS = Scaling(
    scale_out_utilization=0.5,
    scale_in_utilization=0.25,
    cool_down_s=5.0,
    trigger="arrival",
    scale_in_cool_down_s=0.0,
    lead_time_holds="next_move",
    drains="last",
    reclaims_draining=True,
)
"""The authors' reactive rule [C]: decided at each arrival, without a pause after a move in."""

LEAD_TIMES_AUTHORS = LeadTimes(reclaim_s=60.0, redeploy_s=150.0, remote_fetch_s=150.0)
"""Theirs [C], for which the next move waits: 65 s and 155 s with the pause. Every region stores every model."""


def golden_world(
    instances: dict[str, int],
    *,
    iw_f_slo_s: float = 10.0,
    niw: NiwQueue = NIW_UNMANAGED,
    scaling: Scaling = FIXED_FLEET,
    lead_times: LeadTimes | None = None,
) -> World:
    """The authors' simulator's rules, to validate this package against its outputs.

    8xA100, raw tables, 10 ms on every iteration, a constant second in the router and no network latency, two-step KV admission,
    non-interactive work ordered by arrival + 4/5 of its service level. Interactive requests are all of tier IW-F.

    Args:
        instances: Instances in each region by model; the region has no other VM.
        iw_f_slo_s: Service level of interactive requests.
        niw: By default non-interactive requests go through the global router on arrival; ``NIW_AUTHORS`` queues them.
        scaling: By default the fleet is fixed.
        lead_times: By default the paper's; the authors' simulator has none.
    """
    models = tuple(_model(name, PUBLISHED_MEMORY, {A100: authors_or_measured(name)}) for name in instances)
    pool = Pool("unified", ("IW-F", "IW-N", "NIW"), dict(instances))
    world = _world("golden", A100, models, (pool,), vm_capacity=sum(instances.values()))
    iw_f, iw_n, non_interactive = TIERS_PAPER
    deferral_s = float(math.floor(4 * non_interactive.slo_s / 5))
    return replace(
        world,
        latency_s=tuple((0.0,) * len(REGIONS) for _ in REGIONS),
        tiers=(replace(iw_f, slo_s=iw_f_slo_s), iw_n, replace(non_interactive, fcfs_offset_s=deferral_s)),
        serving=Serving(max_batch=512, iteration_overhead_s=0.010, mixed_factor=1.1, kv_admission="two_step"),
        routing=Routing(utilization_threshold=0.7, delay_s=1.0, group_size=3),
        niw=niw,
        scaling=scaling,
        lead_times=lead_times or LeadTimes(),
    )


def authors_a100() -> World:
    """``published-a100`` by the rules of the authors' simulator, for the runs behind their printed figures [C].

    Their iteration times of the two large models (those of the small ones are misread there: here the measured ones), 20 instances
    of each model in each region and no VM beside them, a constant second in the router and no network latency, their scaling and
    their release of non-interactive requests. The level of IW-F has the router's second on top [A].
    """
    authors = golden_world(
        _of_each_model(UNIFIED_INSTANCES),
        iw_f_slo_s=TIERS_PAPER[0].slo_s + 1.0,
        niw=NIW_AUTHORS,
        scaling=SCALING_AUTHORS,
        lead_times=LEAD_TIMES_AUTHORS,
    )
    return replace(authors, name="authors-a100")


PRESETS: dict[str, Callable[[], World]] = {
    "published": published,
    "physical": physical,
    "published-a100": published_a100,
    "authors-a100": authors_a100,
    "siloed": siloed,
    "chiron": chiron,
    "modern": modern,
    "globe": globe,
}
"""Worlds by the name that ``load_world`` and the command line take."""


def authors_or_measured(model: str) -> Profile:
    """The authors' iteration times of a large model on 8xA100, the measured ones of a small one."""
    return authors_profile(model, A100) if model in ("llama-2-70b", "bloom-176b") else measured_profile(model, A100)


def _world(name: str, vm_type: str, models: tuple[Model, ...], pools: tuple[Pool, ...], vm_capacity: int) -> World:
    return World(
        name=name,
        regions=tuple(Region(region, {vm_type: vm_capacity}) for region in REGIONS),
        latency_s=LATENCY_S,
        vm_types=(VM_TYPES[vm_type],),
        models=models,
        tiers=TIERS_PAPER,
        pools=pools,
    )


def _models(vm_type: str, memory: dict[str, tuple[float, float]]) -> tuple[Model, ...]:
    return tuple(_model(name, memory, {vm_type: measured_profile(name, vm_type)}) for name in MEASURED_MODELS)


def _model(name: str, memory: dict[str, tuple[float, float]], profiles: Mapping[str, Profile]) -> Model:
    weights_bytes, kv_bytes_per_token = memory[name]
    return Model(name, weights_bytes, kv_bytes_per_token, dict(profiles))


def _unified(instances: int) -> Pool:
    return Pool("unified", ("IW-F", "IW-N", "NIW"), _of_each_model(instances))


def _of_each_model(instances: int) -> dict[str, int]:
    return dict.fromkeys(MEASURED_MODELS, instances)
