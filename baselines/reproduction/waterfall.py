"""Part "waterfall": from the authors' rules to the paper's, one at a time, on the authors' day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from baselines import capacity
from baselines.reproduction.as_measured import Rules, authors_runs, play, savings
from baselines.reproduction.lab import STRATEGIES, Lab, Run
from baselines.reproduction.rows import Row
from sageserve_env.world import World, load_world, published, published_a100
from sageserve_env.world.presets.published import LATENCY_S
from sageserve_env.world.schema import LeadTimes, NiwQueue, Scaling, Serving

LABELS = {"peak": "by 15-minute peaks", "mean": "mean (as paid for)"}


def as_it_arrives(rules: Rules) -> Rules:
    """Non-interactive requests are not known ahead."""
    return replace(rules, read_ahead_s=0.0)


def latency(rules: Rules) -> Rules:
    """The network takes its time, and the router no second."""
    world = replace(rules.world, latency_s=LATENCY_S, routing=replace(rules.world.routing, delay_s=0.0))
    return replace(rules, world=world)


def rerouted(rules: Rules) -> Rules:
    """Long-term strategies, too, send requests where there is room."""
    return replace(rules, reroutes=True)


def niw_of_the_paper(rules: Rules) -> Rules:
    """One NIW request at or under 60 %, two at or under 50 %, on the tick, too; of the oldest first."""
    tiers = tuple(replace(tier, fcfs_offset_s=0.0) for tier in rules.world.tiers)
    return replace(rules, world=replace(rules.world, niw=NiwQueue(), tiers=tiers))


def own_model(rules: Rules) -> Rules:
    """LT-UA compares a model with its own prediction."""
    return replace(rules, observed="own-model")


def thresholds_of_the_paper(rules: Rules) -> Rules:
    """Out above 70 %, in below 30 %."""
    return with_scaling(rules, replace(rules.world.scaling, scale_out_utilization=0.7, scale_in_utilization=0.3))


def measured_times(rules: Rules) -> Rules:
    """Iteration times of this package on A100, nothing added to an iteration, the shortest queue of all."""
    return with_models(rules, published_a100(), Serving())


def h100(rules: Rules) -> Rules:
    """8xH100 VMs."""
    return with_models(rules, published(), rules.world.serving)


def tick(rules: Rules) -> Rules:
    """A tick of 15 s decides, with a pause of 15 s after either move; the emptiest instance drains, and none is taken back."""
    scaling = rules.world.scaling
    out, inn = scaling.scale_out_utilization, scaling.scale_in_utilization
    return with_scaling(rules, Scaling(scale_out_utilization=out, scale_in_utilization=inn), LeadTimes(0.0, 0.0, 0.0))


def lead_times(rules: Rules) -> Rules:
    """A reclaimed VM takes a minute, a redeployed one ten, before it serves."""
    return with_scaling(rules, rules.world.scaling, LeadTimes())


def saturated(rules: Rules) -> Rules:
    """Theta is what an H100 VM serves while its queue does not grow."""
    return replace(rules, throughput=capacity.load_capacity(load_world("published"), capacity.SATURATED))


STEPS: dict[str, Callable[[Rules], Rules]] = {
    "NIW as it arrives": as_it_arrives,
    "network latency, no extra second": latency,
    "long-term strategies route between regions": rerouted,
    "the paper's release of NIW": niw_of_the_paper,
    "lt-ua watches its own model": own_model,
    "out above 70 %, in below 30 %": thresholds_of_the_paper,
    "measured iteration times, no groups": measured_times,
    "H100": h100,
    "a tick of 15 s": tick,
    "lead times": lead_times,
    "theta of a saturated H100": saturated,
}
"""What each step changes, on top of those before it. What is left then: predictions that know the future, and plans by region."""


def with_scaling(rules: Rules, scaling: Scaling, lead: LeadTimes | None = None) -> Rules:
    """The rules with another way to scale."""
    return replace(rules, world=replace(rules.world, scaling=scaling, lead_times=lead or rules.world.lead_times))


def with_models(rules: Rules, source: World, serving: Serving) -> Rules:
    """The rules with the models and VM types of another world of one VM type, as many of them."""
    kind = source.vm_types[0].name
    regions = tuple(replace(region, vm_capacity={kind: sum(region.vm_capacity.values())}) for region in rules.world.regions)
    models = {model.name: model for model in source.models}
    world = replace(
        rules.world,
        regions=regions,
        vm_types=source.vm_types,
        models=tuple(models[model.name] for model in rules.world.models),
        serving=serving,
        routing=replace(rules.world.routing, group_size=0),
    )
    return replace(rules, world=world)


def steps(lab: Lab) -> Iterator[tuple[str, dict[str, Run]]]:
    """Each step's name and runs, the authors' rules first."""
    rules = Rules()
    yield "the authors' rules", authors_runs(lab)
    for label, change in STEPS.items():
        rules = change(rules)
        if label in lab.setting.sweep(tuple(STEPS)):
            yield label, {name: play(lab, name, rules, label) for name in STRATEGIES}


def waterfall(lab: Lab) -> Iterator[Row]:
    """Hours by both measures, latency and savings of each step."""
    for number, (label, runs) in enumerate(steps(lab)):
        key, what = f"waterfall/{number}", f"{number}: {label}"
        for name, run in runs.items():
            for measure, hours in (("peak", Run.peak_h), ("mean", Run.mean_h)):
                claim = f"{what}, {name}: instance-hours, {LABELS[measure]}"
                yield Row(f"{key}/{name}/hours-{measure}", claim, "h", None, hours(run))
            yield Row(f"{key}/{name}/ttft-p90", f"{what}, {name}: interactive TTFT P90", "s", None, run.ttft(0.9))
        yield from savings(key, what, runs, {})
