"""Part "as written": the paper's rules on A100 and on H100, on the day of the authors' figures; what is claimed and what we find.

Theta, the input tokens/s that an instance is planned to sustain, is that of a saturated instance of the VM type (docs/capacity.md).
[P] is the paper's text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from baselines.reproduction.as_measured import savings
from baselines.reproduction.lab import HOUR_S, LEVEL, LONG_TERM, MODEL, STRATEGIES, WEEK, Lab, Run
from baselines.reproduction.rows import Row, percent

Rows = Iterator[Row]

HARDWARE = {"h100": "published", "a100": "published-a100"}
"""Worlds by their VMs."""

LOADS = (2.0,)
CHANGE = {"lt-i": -24.2, "lt-u": -19.7, "lt-ua": -23.4}
WASTE_CHANGE = (-70.0, -80.0)
A100_CHANGE = -28.2
MIX_CHANGE = {"9:1": -26.3, "1:1": -22.0}
UNIFIED_CHANGE, UNIFIED_TTFT, UNIFIED_DONATED_H = -34.5, 12.0, 52.0
SAVED_MUSD = 2.5
VIOLATIONS = {"FCFS": (45.0, 25.0), "EDF": (31.0, 34.0), "PF": (24.0, 60.0), "DPA": (28.0, 38.0)}
ORDERS = tuple(VIOLATIONS)

BURST_RESOLUTION_S = 60.0
BEFORE_MIN = 10
RECOVERED = 1.5
"""A burst is over when the TTFT P95 of a minute is at most this many times the median of the ten minutes before it."""

BURST_VARIANTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "lt-u-90": ("lt-u", {"emergency": 0.9}, "lt-u, past its target above 90 % utilization"),
    "lt-ua-any-time": ("lt-ua", {"late_s": HOUR_S, "observed_s": 60.0}, "lt-ua, minute by minute, at any time of the hour"),
}

AZURE, AZURE_LOAD, AZURE_INSTANCES = "azure2023-conv", 6.9, 2
"""The load at which one public hour comes nearest to the paper's orders of admission."""


def written(lab: Lab) -> Rows:
    """The four strategies by the paper's rules, on both kinds of VM."""
    for hardware, world in HARDWARE.items():
        runs = {name: lab.run(name, world=world) for name in STRATEGIES}
        key, what = f"written/{hardware}", f"Tuesday, {hardware.upper()}"
        for name, run in runs.items():
            yield Row(f"{key}/{name}/hours-peak", f"{what}, {name}: instance-hours, by 15-minute peaks", "h", None, run.peak_h())
            yield Row(f"{key}/{name}/hours-mean", f"{what}, {name}: instance-hours, mean (as paid for)", "h", None, run.mean_h())
            yield Row(f"{key}/{name}/ttft-p90", f"{what}, {name}: interactive TTFT P90", "s", None, run.ttft(0.9))
            yield Row(f"{key}/{name}/iw-f", f"{what}, {name}: IW-F outside its level", "%", None, run.violations("IW-F"))
        paper = CHANGE if hardware == "h100" else {"lt-ua": A100_CHANGE}
        yield from savings(key, what, runs, dict(paper))
        yield from wastes(key, what, runs)


def wastes(key: str, what: str, runs: dict[str, Run]) -> Rows:
    """Waste of the long-term strategies against reactive scaling, by time and by moves; the paper: 70 to 80 % less."""
    reactive = runs["reactive"].fleet()
    for name in LONG_TERM:
        fleet = runs[name].fleet()
        for measure, ours, base in (
            ("time", fleet.provisioning_h, reactive.provisioning_h),
            ("moves", fleet.waste_by_moves_h, reactive.waste_by_moves_h),
        ):
            label = "VM-hours provisioning" if measure == "time" else "scale-outs times 10 min"
            change = percent(ours, base)
            yield Row(
                f"{key}/{name}/waste-{measure}",
                f"{what}, {name} against reactive: waste, {label}",
                "%",
                sum(WASTE_CHANGE) / 2,
                change,
                "change",
            )


def load(lab: Lab) -> Rows:
    """More of the same traffic on H100."""
    for factor in lab.setting.sweep(LOADS):
        runs = {name: lab.run(name, load=factor) for name in STRATEGIES}
        yield from savings(f"load/x{factor:g}", f"Tuesday x {factor:g}, H100", runs, dict(CHANGE))
        for name, run in runs.items():
            what = f"Tuesday x {factor:g}, H100, {name}: interactive TTFT P90"
            yield Row(f"load/x{factor:g}/{name}/ttft-p90", what, "s", None, run.ttft(0.9))


def theta(lab: Lab) -> Rows:
    """The long-term strategies where theta keeps IW-F within its level, at two instances a region, on H100."""
    runs = {"reactive": lab.run("reactive"), **{name: lab.run(name, theta=LEVEL) for name in LONG_TERM}}
    yield from savings("theta", "Tuesday, H100, theta of the level", runs, {})
    for name in LONG_TERM:
        what = f"Tuesday, H100, {name}: IW-F outside its level, theta of"
        yield Row(f"theta/{name}/iw-f-level", f"{what} the level", "%", None, runs[name].violations("IW-F"))
        yield Row(f"theta/{name}/iw-f-saturated", f"{what} saturation", "%", None, lab.run(name).violations("IW-F"))


def unified(lab: Lab) -> Rows:
    """One pool for all tiers against separate pools, both reactive, on H100."""
    one, siloed = lab.run("reactive"), lab.run("reactive", world="siloed")
    for measure, hours in (("peak", Run.peak_h), ("mean", Run.mean_h)):
        for model, label in (("all", "all models"), (MODEL, "Llama-2-70B")):
            change = percent(hours(one, model), hours(siloed, model))
            claim = f"{label}, unified against siloed: instance-hours, {measure}"
            yield Row(f"unified/{model}/change-{measure}", claim, "%", UNIFIED_CHANGE, change, "change")
    slower = percent(one.ttft(0.95), siloed.ttft(0.95))
    yield Row("unified/ttft", "Llama-2-70B, unified against siloed: interactive TTFT P95", "%", UNIFIED_TTFT, slower, "limit")
    donated = one.result.metrics.spot_donated_h - siloed.result.metrics.spot_donated_h
    yield Row("unified/donated", "unified less siloed: VM-hours donated to spot", "h", UNIFIED_DONATED_H, donated, "change")


def mix(lab: Lab) -> Rows:
    """LT-UA against reactive under other shares of interactive requests, on H100."""
    for label, paper in MIX_CHANGE.items():
        run, base = (lab.run(policy, change=f"mix {label}") for policy in ("lt-ua", "reactive"))
        for measure, hours in (("peak", Run.peak_h), ("mean", Run.mean_h)):
            claim = f"IW:NIW {label}, H100, lt-ua against reactive: instance-hours, {measure}"
            yield Row(f"mix/{label}/change-{measure}", claim, "%", paper, percent(hours(run), hours(base)), "change")


def bursts(lab: Lab) -> Rows:
    """The first minute of every hour comes eight more times."""
    for hardware, world in HARDWARE.items():
        plain: dict[str, tuple[str, dict[str, Any], str]] = {name: (name, {}, name) for name in STRATEGIES}
        variants = plain | BURST_VARIANTS
        minutes = {}
        for name, (policy, options, what) in variants.items():
            run = lab.run(policy, world=world, change="burst", resolution_s=BURST_RESOLUTION_S, log_requests=False, **options)
            minutes[name] = recovery_min(run)
            claim = f"8x bursts, {hardware.upper()}, {what}: IW-F TTFT P95 back to normal after"
            yield Row(f"bursts/{hardware}/{name}", claim, "min", None, minutes[name])
        for name in ("lt-ua", "lt-ua-any-time"):
            later = minutes[name] - min(minutes["lt-i"], minutes["lt-u"])
            claim = (
                f"8x bursts, {hardware.upper()}: {variants[name][2]} recovers no later than lt-i and lt-u: minutes after the sooner"
            )
            yield Row(f"bursts/{hardware}/{name}-first", claim, "min", None, later, "no more")


def recovery_min(run: Run) -> float:
    """Minutes from a burst's start until a minute's IW-F TTFT P95 is near what it was before; mean over bursts after the first.

    A burst that is not over when the next begins counts as an hour.
    """
    p95 = run.result.series["ttft_p95_s/IW-F"]
    hour = round(HOUR_S / BURST_RESOLUTION_S)
    taken = []
    for start in range(hour, len(p95), hour):
        usual = np.nanmedian(p95[start - BEFORE_MIN : start])
        calm = np.flatnonzero(p95[start + 1 : start + hour] <= RECOVERED * usual)  # the burst's own minute tells nothing yet
        taken.append(float(calm[0] + 1) if calm.size else float(hour))
    return float(np.mean(taken)) if taken else float("nan")


def admission(lab: Lab) -> Rows:
    """Orders of admission; the paper gives neither load nor fleet. One public hour comes nearest, at the load that fits best."""
    for hardware, world in HARDWARE.items():
        claim = f"Llama-2-70B's IW-F on {hardware.upper()}: cannot meet its level, however idle the fleet"
        yield Row(f"admission/unattainable/{hardware}", claim, "%", None, unattainable(lab, world))
    for order in ORDERS:
        run = pressed(lab, order)
        for tier, paper in zip(("IW-F", "IW-N"), VIOLATIONS[order], strict=True):
            claim = f"Azure 2023 conversations x {AZURE_LOAD:g} on 6 H100 VMs, {order}: {tier} outside its level"
            yield Row(f"admission/{order}/{tier}", claim, "%", paper, run.violations(tier))


def pressed(lab: Lab, order: str) -> Run:
    """The public hour on a fixed fleet under an order."""
    return lab.run("static", workload=AZURE, load=AZURE_LOAD, instances=AZURE_INSTANCES, log_requests=False, admission_order=order)


def unattainable(lab: Lab, world: str) -> float:
    """Share of Llama-2-70B's IW-F of the day that no fleet of the world could serve in time, percent."""
    row = lab.run("reactive", world=world).service("IW-F")
    return 100 * row.unattainable / max(row.slo_met + row.slo_missed, 1)


def money(lab: Lab) -> Rows:
    """Dollars in 30 days like this Tuesday, all models, on H100, and what LT-UA saves of them."""
    runs = {"siloed": lab.run("reactive", world="siloed"), **{name: lab.run(name) for name in STRATEGIES}}
    for name, run in runs.items():
        yield Row(f"money/{name}", f"all models, H100, {name}: dollars a month", "M$", None, run.dollars_a_month() / 1e6)
    for base in ("reactive", "siloed"):
        saved = (runs[base].dollars_a_month() - runs["lt-ua"].dollars_a_month()) / 1e6
        paper = SAVED_MUSD if base == "siloed" else None
        yield Row(f"money/saved-{base}", f"all models, H100, lt-ua saves of {base}: dollars a month", "M$", paper, saved, "change")


def week(lab: Lab) -> Rows:
    """Strategies over the whole week, on H100."""
    runs = {name: lab.run(name, workload=WEEK, log_requests=False) for name in STRATEGIES}
    for name, run in runs.items():
        what = f"whole week, H100, {name}"
        yield Row(f"week/{name}/hours-peak", f"Llama-2-70B, {what}: instance-hours, by 15-minute peaks", "h", None, run.peak_h())
        yield Row(f"week/{name}/hours-mean", f"Llama-2-70B, {what}: instance-hours, mean (as paid for)", "h", None, run.mean_h())
        yield Row(f"week/{name}/ttft-p90", f"Llama-2-70B, {what}: IW-F TTFT P90", "s", None, run.service("IW-F").ttft_p90_s)
        yield Row(f"week/{name}/money", f"all models, {what}: dollars a month", "M$", None, run.dollars_a_month() / 1e6)
    yield from savings("week", "whole week, H100", runs, {})
