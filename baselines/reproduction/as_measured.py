"""Part "as measured": the runs behind the figures that the authors printed, by their rules, on their day, by their measures.

Figures are those of ``notebooks/figures.ipynb`` in the authors' repository (commit 0b95ca2), Llama-2-70B where no model is named.
Of their day only the sums of each minute are known; how requests fall within a minute is not. Gaps have a coefficient of variation
of 2 here; figures of Poisson arrivals stand beside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from baselines.long_term.authors import AuthorsLongTerm, AuthorsLtI, AuthorsLtU, AuthorsLtUa, predict
from baselines.reactive import ReactivePolicy
from baselines.reproduction.lab import DAY, GAPS_CV, LONG_TERM, MODEL, STRATEGIES, Lab, Run
from baselines.reproduction.rows import Row, percent
from sageserve_env.evaluation.policy import Policy
from sageserve_env.scenarios import Scenario
from sageserve_env.workload import Composable
from sageserve_env.world import World, load_world

Rows = Iterator[Row]

READ_AHEAD_S = 256.0
"""Seconds by which their simulator reads its trace ahead: NIW may be released before it arrives."""

SAMPLE_S = 2.0
"""Seconds between two samples of their fleet. They count a scale-out where a sample shows more instances than the one before; here
that is done at each decision."""

CONTROL_S = 15.0
WASTE_MIN = 2.5
"""Minutes of waste that they count for a scale-out."""

BLOOM = "bloom-176b"
OUT_FACTORS = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0)
COOL_DOWNS_S = (15.0, 60.0, 240.0, 960.0)
SIX_H = 6.0

HOURS = {"reactive": 302.25, "lt-i": 227.25, "lt-u": 247.5, "lt-ua": 233.25}
TTFT_P50_S = {"reactive": 3.5, "lt-i": 4.2, "lt-u": 3.2, "lt-ua": 3.2}
TTFT_P90_S = {"reactive": 18.70, "lt-i": 119.30, "lt-u": 14.60, "lt-ua": 16.87}
E2E_P90_S = {"reactive": 71.17, "lt-i": 266.46, "lt-u": 68.13, "lt-ua": 69.67}
SCALE_OUTS = {"reactive": 1776.0, "lt-i": 468.0, "lt-u": 389.0, "lt-ua": 472.0}
WASTE_H = {"reactive": 81.0, "lt-i": 24.8, "lt-u": 16.6, "lt-ua": 20.6}
BLOOM_SCALE_OUTS = 67.0
SWEEP_HOURS = (267.5, 249.0, 241.0, 233.25, 230.0, 226.75, 225.25, 223.75, 223.25)
SWEEP_TTFT_P90_S = (10.49, 13.22, 14.56, 16.66, 17.58, 18.54, 19.50, 20.48, 20.86)
MIX_CHANGE = {"9:1": -26.3, "1:1": -22.0}
COOL_DOWN_HOURS = {MODEL: (112.47, 110.8, 111.0, 111.43), BLOOM: (694.52, 707.6, 723.9, 752.1)}


@dataclass(frozen=True)
class Rules:
    """What the authors' runs are made of; the waterfall changes one thing at a time.

    Attributes:
        world: How the fleet scales and serves.
        read_ahead_s: How much earlier NIW is known.
        reroutes: Whether long-term strategies send requests to other regions.
        observed: What LT-UA looks at.
        throughput: Theta of long-term strategies, shape (M, K); None: the authors'.
        gaps_cv: Coefficient of variation of the gaps between arrivals.
    """

    world: World = field(default_factory=lambda: load_world("authors-a100"))
    read_ahead_s: float = READ_AHEAD_S
    reroutes: bool = False
    observed: str = "all-models"
    throughput: Any = None
    gaps_cv: float = GAPS_CV


def play(
    lab: Lab,
    strategy: str,
    rules: Rules,
    step: str,
    *,
    change: str = "",
    from_h: float = 0.0,
    control_s: float = CONTROL_S,
    **options: Any,
) -> Run:
    """A strategy by these rules, which ``step`` names, on the authors' day, or what is left of it from an hour on."""
    words = [
        f"authors' {strategy}: {step}",
        change,
        f"from {from_h:g} h" * bool(from_h),
        f"every {control_s:g} s" * (control_s != CONTROL_S),
        *map("{0[0]}={0[1]}".format, options.items()),
    ]

    def scenario() -> tuple[Scenario, Policy]:
        base = lab.workload(DAY, change=change, gaps_cv=rules.gaps_cv)
        base = base.slice(from_h * 3600.0, base.duration_s - from_h * 3600.0) if from_h else base
        traffic = base.early_niw(rules.read_ahead_s) if rules.read_ahead_s else base
        return Scenario(traffic.name, rules.world, traffic, control_s), player(lab, strategy, rules, traffic, options)

    return lab.once(" ".join(filter(None, words)), scenario)


def player(lab: Lab, strategy: str, rules: Rules, traffic: Composable, options: dict[str, Any]) -> Policy:
    """The strategy as the authors run it."""
    if strategy == "reactive":
        return ReactivePolicy(**options)
    kinds: dict[str, type[AuthorsLongTerm]] = {"lt-i": AuthorsLtI, "lt-u": AuthorsLtU, "lt-ua": AuthorsLtUa}
    own: dict[str, Any] = {"observed": rules.observed} if strategy == "lt-ua" else {}
    predicted = predict(traffic, rules.world, lab.setting.seed)
    return kinds[strategy](reroutes=rules.reroutes, throughput=rules.throughput, predicted=predicted, **own, **options)


def measured(lab: Lab) -> Rows:
    """The four strategies: hours, latencies, scale-outs and waste."""
    runs = authors_runs(lab)
    poisson = {name: play(lab, name, Rules(gaps_cv=1.0), "Poisson") for name in STRATEGIES}
    for name, run in runs.items():
        key, what = f"measured/{name}", f"Tuesday, {name}"
        yield Row(f"{key}/hours-peak", f"{what}: instance-hours, by 15-minute peaks", "h", HOURS[name], run.peak_h())
        yield Row(f"{key}/hours-mean", f"{what}: instance-hours, mean (as paid for)", "h", None, run.mean_h())
        yield Row(f"{key}/ttft-p50", f"{what}: interactive TTFT P50", "s", TTFT_P50_S[name], run.ttft(0.5))
        yield Row(f"{key}/ttft-p90", f"{what}: interactive TTFT P90", "s", TTFT_P90_S[name], run.ttft(0.9))
        yield Row(f"{key}/e2e-p90", f"{what}: interactive end-to-end P90", "s", E2E_P90_S[name], run.e2e(0.9))
        outs = float(run.sampled_outs[MODEL])
        yield Row(f"{key}/scale-outs", f"{what}: scale-outs that samples show", "", SCALE_OUTS[name], outs)
        yield Row(f"{key}/scale-outs-all", f"{what}: all scale-outs", "", None, float(run.fleet().scale_outs))
        waste_h = (run.sampled_outs[MODEL] + run.sampled_outs[BLOOM]) * WASTE_MIN / 60
        yield Row(f"{key}/waste", f"{what}, with Bloom-176B: waste, scale-outs times 2.5 min", "h", WASTE_H[name], waste_h)
        yield Row(f"{key}/poisson-hours-peak", f"{what}, Poisson: by 15-minute peaks", "h", HOURS[name], poisson[name].peak_h())
        yield Row(f"{key}/poisson-ttft-p50", f"{what}, Poisson: TTFT P50", "s", TTFT_P50_S[name], poisson[name].ttft(0.5))
        yield Row(f"{key}/poisson-ttft-p90", f"{what}, Poisson: TTFT P90", "s", TTFT_P90_S[name], poisson[name].ttft(0.9))
    bloom = float(runs["reactive"].sampled_outs[BLOOM])
    yield Row("measured/reactive/bloom-scale-outs", "Tuesday, reactive, Bloom-176B: scale-outs", "", BLOOM_SCALE_OUTS, bloom)
    yield from savings("measured", "Tuesday", runs, {name: percent(HOURS[name], HOURS["reactive"]) for name in LONG_TERM})


def authors_runs(lab: Lab) -> dict[str, Run]:
    """The four strategies; LT-UA, whose fleet comes and goes between two arrivals, with decisions as often as their samples."""
    return {
        name: play(lab, name, Rules(), "as measured", control_s=SAMPLE_S if name == "lt-ua" else CONTROL_S) for name in STRATEGIES
    }


def savings(key: str, what: str, runs: dict[str, Run], paper: dict[str, float | None]) -> Rows:
    """Instance-hours of the long-term strategies as changes against reactive scaling, by both measures."""
    for name in LONG_TERM:
        for measure, hours in (("peak", Run.peak_h), ("mean", Run.mean_h)):
            change = percent(hours(runs[name]), hours(runs["reactive"]))
            label = "by 15-minute peaks" if measure == "peak" else "mean (as paid for)"
            row = f"{key}/{name}/change-{measure}"
            yield Row(row, f"{what}, {name} against reactive: instance-hours, {label}", "%", paper.get(name), change, "change")


def sweep(lab: Lab, factor: float) -> Run:
    """LT-UA with a threshold."""
    return play(lab, "lt-ua", Rules(), "as measured", out_factor=factor)


def thresholds(lab: Lab) -> Rows:
    """LT-UA's threshold from 2 to 10."""
    for factor in lab.setting.sweep(OUT_FACTORS):
        run, place = sweep(lab, factor), OUT_FACTORS.index(factor)
        key, what = f"measured-thresholds/{factor:g}", f"Tuesday, lt-ua, threshold {factor:g}"
        yield Row(f"{key}/hours-peak", f"{what}: instance-hours, by 15-minute peaks", "h", SWEEP_HOURS[place], run.peak_h())
        yield Row(f"{key}/hours-mean", f"{what}: instance-hours, mean (as paid for)", "h", None, run.mean_h())
        yield Row(f"{key}/ttft-p90", f"{what}: interactive TTFT P90", "s", SWEEP_TTFT_P90_S[place], run.ttft(0.9))


def mixes(lab: Lab) -> Rows:
    """LT-UA against reactive under other shares of interactive requests."""
    for label, paper in MIX_CHANGE.items():
        runs = {name: play(lab, name, Rules(), "as measured", change=f"mix {label}") for name in ("lt-ua", "reactive")}
        for measure, hours in (("peak", Run.peak_h), ("mean", Run.mean_h)):
            change = percent(hours(runs["lt-ua"]), hours(runs["reactive"]))
            what = f"Tuesday, IW:NIW {label}, lt-ua against reactive: instance-hours, {measure}"
            yield Row(f"measured-mix/{label}/change-{measure}", what, "%", paper, change, "change")


def cool_downs(lab: Lab) -> Rows:
    """The pause of reactive scaling: theirs is another trace, of which only these hours are known; ours is Tuesday from 6:00."""
    runs = {
        seconds: play(lab, "reactive", paused(seconds), f"pause {seconds:g} s", from_h=SIX_H * (lab.setting.hours == 24))
        for seconds in lab.setting.sweep(COOL_DOWNS_S)
    }
    for model, paper in COOL_DOWN_HOURS.items():
        for seconds, run in runs.items():
            key, what = f"measured-cool-downs/{model}/{seconds:g}", f"{model}, reactive, pause of {seconds:g} s"
            theirs = percent(paper[COOL_DOWNS_S.index(seconds)], paper[0])
            ours = percent(run.peak_h(model), runs[COOL_DOWNS_S[0]].peak_h(model))
            if seconds != COOL_DOWNS_S[0]:
                claim = f"{what} against 15 s: instance-hours by peaks (theirs of another trace)"
                yield Row(f"{key}/change-peak", claim, "%", theirs, ours, "change")


def paused(seconds: float) -> Rules:
    """The authors' rules with at least so long between two decisions of an endpoint."""
    rules = Rules()
    lead_s = rules.world.lead_times.reclaim_s  # which is added after a move out
    scaling = replace(
        rules.world.scaling, scale_in_cool_down_s=seconds, cool_down_s=max(seconds - lead_s, rules.world.scaling.cool_down_s)
    )
    return replace(rules, world=replace(rules.world, scaling=scaling))
