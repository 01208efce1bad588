"""The paper's experiments (sections 5 to 8), each a function from a laboratory to rows of the report.

The paper's figures stand here beside what measures ours. [P] is its text, [C] the authors' code and notebooks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from baselines.forecast import Arima, ExponentialSmoothing, Forecaster, SeasonalNaive, token_rates
from baselines.forecast.rolling import backtest
from baselines.program import PlanProblem, solve_plan
from baselines.reproduction.lab import FIRST_DAY, HOUR_S, LEVEL, LONG_TERM, MODEL, PEAK_DAY, STRATEGIES, WEEK, Lab, Run
from baselines.reproduction.rows import Row, percent
from sageserve_env.world import load_world

Rows = Iterator[Row]

LOADS = (1.0, 2.0, 3.0)
"""Factors on the published volume; see :func:`load`."""

MATCHED_LOAD = 2.0
"""The load of these at which reactive scaling on the peak day takes most nearly the paper's instance-hours."""

OUT_FACTORS = (2.0, 5.0, 10.0)
LEAST_WASTE_H = 1.0
"""Less waste than this is not compared: nothing was there to lower."""

COOL_DOWNS_S = (15.0, 60.0, 300.0, 900.0)
ORDERS = ("FCFS", "EDF", "PF", "DPA")
WINDOW_S = 900.0

PRESSURE_INSTANCES = 4
PRESSURE_IW_N_PCT = 25.0
PRESSURE_STEPS = 8
"""The admission experiment: instances of each endpoint, the IW-N violations under FCFS at which the load is fixed, bisections."""

BURST_RESOLUTION_S = 60.0
BEFORE_MIN = 10
RECOVERED = 1.5
"""A burst is over when the TTFT P95 of a minute is at most this many times the median of the ten minutes before it."""

SOLVER_SIZES = ((4, 3, 1, 1.4), (20, 20, 5, 33.0))
SOLVER_PROBLEMS = 5

PAPER_CHANGE = {"lt-i": -24.2, "lt-u": -19.7, "lt-ua": -23.4}
PAPER_DAY1_HOURS = {"reactive": 302.25, "lt-i": 227.25, "lt-u": 247.5, "lt-ua": 233.25}
PAPER_DAY1_TTFT_S = {"reactive": 18.7, "lt-i": 119.3, "lt-u": 14.6, "lt-ua": 16.9}
PAPER_DAY1_WASTE_H = {"reactive": 81.0, "lt-i": 24.8, "lt-u": 16.6, "lt-ua": 20.6}
PAPER_PEAK_HOURS = {"reactive": 362.25, "lt-ua": 277.5}
PAPER_VIOLATIONS = {"FCFS": (45.0, 25.0), "EDF": (31.0, 34.0), "PF": (24.0, 60.0), "DPA": (28.0, 38.0)}
PAPER_SWEEP = {2.0: (267.5, 10.5), 10.0: (223.25, 20.9)}


def strategies(lab: Lab) -> Rows:
    """Strategies on Llama-2-70B's busiest day and on the first day of the week."""
    for workload, day in ((PEAK_DAY, "peak day"), (FIRST_DAY, "first day")):
        peak = workload == PEAK_DAY
        runs = {name: lab.run(name, workload=workload) for name in STRATEGIES}
        for name, run in runs.items():
            key, what = f"strategies/{workload}/{name}", f"Llama-2-70B, {day}, {name}"
            hours = (PAPER_PEAK_HOURS if peak else PAPER_DAY1_HOURS).get(name)
            yield Row(f"{key}/hours", f"{what}: instance-hours", "h", hours, run.instance_h())
            yield Row(
                f"{key}/ttft-p90",
                f"{what}: interactive TTFT P90",
                "s",
                None if peak else PAPER_DAY1_TTFT_S[name],
                run.ttft(0.90),
            )
            yield Row(
                f"{key}/waste",
                f"{what}: VM-hours provisioning",
                "h",
                None if peak else PAPER_DAY1_WASTE_H[name],
                run.fleet().provisioning_h,
            )
        for name in LONG_TERM:
            hours = PAPER_CHANGE[name] if peak else percent(PAPER_DAY1_HOURS[name], PAPER_DAY1_HOURS["reactive"])
            waste = None if peak else percent(PAPER_DAY1_WASTE_H[name], PAPER_DAY1_WASTE_H["reactive"])
            key, what = f"strategies/{workload}/{name}", f"Llama-2-70B, {day}, {name}"
            yield from against_reactive(key, what, runs[name], runs["reactive"], hours, waste)


def against_reactive(key: str, what: str, run: Run, reactive: Run, paper_hours: float | None, paper_waste: float | None) -> Rows:
    """Instance-hours and waste of a long-term strategy as changes against reactive scaling, in percent."""
    yield change(f"{key}/hours-change", f"{what}: instance-hours against reactive", paper_hours, run, reactive)
    wasted_h = reactive.fleet().provisioning_h
    waste = percent(run.fleet().provisioning_h, wasted_h) if wasted_h >= LEAST_WASTE_H else None
    yield Row(f"{key}/waste-change", f"{what}: VM-hours provisioning against reactive", "%", paper_waste, waste, "change")


def change(row: str, claim: str, paper: float | None, run: Run, base: Run, model: str = MODEL) -> Row:
    """Instance-hours of a run as a change against another."""
    return Row(row, claim, "%", paper, percent(run.instance_h(model), base.instance_h(model)), "change")


def load(lab: Lab) -> Rows:
    """More of the same traffic, since near the least fleet little can be saved; the load nearest the paper's is compared."""
    for factor in lab.setting.sweep(LOADS):
        runs = {name: lab.run(name, load=factor) for name in STRATEGIES}
        reactive, matched = runs["reactive"], factor == MATCHED_LOAD
        key, what = f"load/x{factor:g}", f"Llama-2-70B, peak day, {factor:g} x the volume"
        least_h = 2 * len(reactive.result.world.regions) * lab.setting.hours
        bound = percent(least_h, reactive.instance_h())
        yield Row(f"{key}/bound", f"{what}: the least fleet (2 a region) against reactive", "%", None, bound, "change")
        for name, run in runs.items():
            hours, ttft_s = PAPER_PEAK_HOURS.get(name) if matched else None, PAPER_DAY1_TTFT_S[name] if matched else None
            yield Row(f"{key}/{name}/hours", f"{what}, {name}: instance-hours", "h", hours, run.instance_h())
            yield Row(f"{key}/{name}/ttft", f"{what}, {name}: interactive TTFT P90", "s", ttft_s, run.ttft(0.90))
        for name in LONG_TERM:
            hours = PAPER_CHANGE[name] if matched else None
            waste = percent(PAPER_DAY1_WASTE_H[name], PAPER_DAY1_WASTE_H["reactive"]) if matched else None
            yield from against_reactive(f"{key}/{name}", f"{what}, {name}", runs[name], reactive, hours, waste)


def theta(lab: Lab) -> Rows:
    """The long-term strategies where theta keeps IW-F within its level; elsewhere it is an instance's saturation."""
    for factor in (1.0, MATCHED_LOAD):
        reactive = lab.run("reactive", load=factor)
        for name in LONG_TERM:
            run = lab.run(name, load=factor, theta=LEVEL)
            key, what = f"theta/x{factor:g}/{name}", f"Llama-2-70B, peak day, {factor:g} x the volume, theta of the level, {name}"
            yield change(f"{key}/hours", f"{what}: instance-hours against reactive", None, run, reactive)
            yield Row(f"{key}/ttft", f"{what}: interactive TTFT P90", "s", None, run.ttft(0.9))
            yield Row(f"{key}/iw-f", f"{what}: IW-F outside its level", "%", None, run.violations("IW-F"))
            planned = lab.run(name, load=factor)
            what = what.replace("of the level", "of saturation")
            yield Row(f"{key}/iw-f-saturated", f"{what}: IW-F outside its level", "%", None, planned.violations("IW-F"))


def unified(lab: Lab) -> Rows:
    """One pool for all tiers against separate pools, both reactive."""
    one, siloed = lab.run("reactive"), lab.run("reactive", world="siloed")
    yield change("unified/instance-hours", "all models, unified against siloed: instance-hours", -34.5, one, siloed, "all")
    yield change("unified/llama", "Llama-2-70B, unified against siloed: instance-hours", -34.5, one, siloed)
    slower = percent(one.ttft(0.95), siloed.ttft(0.95))
    yield Row("unified/ttft", "Llama-2-70B, unified against siloed: interactive TTFT P95", "%", 12.0, slower, "limit")
    donated = one.result.metrics.spot_donated_h - siloed.result.metrics.spot_donated_h
    yield Row("unified/donated", "unified less siloed: VM-hours donated to spot", "h", 52.0, donated, "change")


def mix(lab: Lab) -> Rows:
    """LT-UA against reactive under other shares of interactive requests, and on A100 VMs."""
    for name, paper in (("mix 9:1", -26.3), ("mix 1:1", -22.0)):
        run, base = (lab.run(policy, change=name) for policy in ("lt-ua", "reactive"))
        label = name.removeprefix("mix ")
        yield change(f"mix/{label}", f"Llama-2-70B, IW:NIW {label}, lt-ua against reactive: instance-hours", paper, run, base)
    run, base = (lab.run(policy, world="published-a100") for policy in ("lt-ua", "reactive"))
    yield change("mix/a100", "Llama-2-70B, A100 VMs, lt-ua against reactive: instance-hours", -28.2, run, base)


def bursts(lab: Lab) -> Rows:
    """The first minute of every hour comes eight more times."""
    minutes = {name: recovery_min(lab.run(name, change="burst", resolution_s=BURST_RESOLUTION_S)) for name in STRATEGIES}
    for name, value in minutes.items():
        yield Row(f"bursts/{name}", f"8x bursts, {name}: IW-F TTFT P95 back to normal after", "min", None, value)
    others = min(value for name, value in minutes.items() if name in ("lt-i", "lt-u"))
    yield Row(
        "bursts/lt-ua-first",
        "8x bursts: lt-ua recovers no later than lt-i and lt-u: minutes after the sooner of them",
        "min",
        None,
        minutes["lt-ua"] - others,
        "no more",
    )


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
    """Orders of admission on a fleet that is too small at its busiest.

    The paper does not give the load. A fixed fleet gets the load at which FCFS misses as many IW-N levels as the paper's FCFS does;
    that one figure is set, the other seven are measured.
    """
    factor = pressure(lab)
    yield Row("admission/load", f"load at which FCFS misses {PRESSURE_IW_N_PCT:g} % of IW-N, found", "x", None, factor)
    for order in ORDERS:
        run = pressed(lab, factor, order)
        for tier, paper in zip(("IW-F", "IW-N"), PAPER_VIOLATIONS[order], strict=True):
            yield Row(
                f"admission/{order}/{tier}",
                f"Llama-2-70B, {order}: {tier} outside its level",
                "%",
                paper,
                run.violations(tier),
            )


def pressed(lab: Lab, factor: float, order: str) -> Run:
    """A fixed fleet at a load under an order."""
    return lab.run("static", load=factor, instances=PRESSURE_INSTANCES, log_requests=False, admission_order=order)


def pressure(lab: Lab) -> float:
    """The load at which FCFS misses ``PRESSURE_IW_N_PCT`` of IW-N, by bisection of its logarithm."""
    low, high = 1.0 / lab.setting.scale, 16.0 / lab.setting.scale
    for _ in range(2 if lab.setting.quick else PRESSURE_STEPS):
        middle = float(np.sqrt(low * high))
        if pressed(lab, middle, "FCFS").violations("IW-N") < PRESSURE_IW_N_PCT:
            low = middle
        else:
            high = middle
    return middle


def thresholds(lab: Lab) -> Rows:
    """LT-UA's out_factor: how far above its forecast traffic must be before it scales past its target."""
    day = f"Llama-2-70B, peak day, {MATCHED_LOAD:g} x the volume, lt-ua"
    for factor in lab.setting.sweep(OUT_FACTORS):
        run = threshold(lab, factor)
        hours, ttft_s = PAPER_SWEEP.get(factor, (None, None))
        what = f"{day}, threshold {factor:g}"
        yield Row(f"thresholds/{factor:g}/hours", f"{what}: instance-hours", "h", hours, run.instance_h())
        yield Row(f"thresholds/{factor:g}/ttft", f"{what}: interactive TTFT P90", "s", ttft_s, run.ttft(0.90))
    low, high = OUT_FACTORS[0], OUT_FACTORS[-1]
    paper = percent(PAPER_SWEEP[high][0], PAPER_SWEEP[low][0])
    what = f"{day}: instance-hours, threshold {high:g} against {low:g}"
    yield change("thresholds/change", what, paper, threshold(lab, high), threshold(lab, low))


def threshold(lab: Lab, factor: float) -> Run:
    """LT-UA with a threshold, on the load of the sweep."""
    return lab.run("lt-ua", load=MATCHED_LOAD, out_factor=factor)


def cool_downs(lab: Lab) -> Rows:
    """The pause of reactive scaling."""
    for seconds in lab.setting.sweep(COOL_DOWNS_S):
        run = lab.run("reactive", cool_down_s=seconds)
        what = f"Llama-2-70B, peak day, reactive, cool-down {seconds:g} s"
        yield Row(f"cool-downs/{seconds:g}/hours", f"{what}: instance-hours", "h", None, run.instance_h())
        yield Row(f"cool-downs/{seconds:g}/ttft", f"{what}: interactive TTFT P90", "s", None, run.ttft(0.90))
        yield Row(f"cool-downs/{seconds:g}/waste", f"{what}: VM-hours provisioning", "h", None, run.fleet().provisioning_h)


def forecasts(lab: Lab) -> Rows:
    """Next-hour error of the forecasters on the week, and the time that a forecast of all series takes."""
    made: list[Forecaster] = [SeasonalNaive()] if lab.setting.quick else [SeasonalNaive(), ExponentialSmoothing(), Arima()]
    world = load_world("published")
    week = lab.workload(WEEK)
    lab.note(f"forecasts of {', '.join(forecaster.name for forecaster in made)} on {week.name}")
    rates = token_rates(week, world, lab.setting.seed, WINDOW_S)
    names = [region.name for region in world.regions], [model.name for model in world.models]
    for row in backtest(rates, WINDOW_S, *names, made).rows():
        if row["region"] == row["horizon_min"] == "all":
            what = f"{row['model']}, {row['forecaster']}: next-hour"
            key = f"forecasts/{row['model']}/{row['forecaster']}"
            yield Row(f"{key}/mape", f"{what} MAPE", "%", None, float(row["mape_pct"]))
            yield Row(f"{key}/wape", f"{what} WAPE", "%", None, float(row["wape_pct"]))
    series = rates.reshape(-1, rates.shape[-1])
    for forecaster in made:
        forecaster.forecast(series, WINDOW_S)
        start = time.perf_counter()
        forecaster.forecast(series, WINDOW_S)
        paper = 0.7 if isinstance(forecaster, Arima) else None
        spent = time.perf_counter() - start
        yield Row(
            f"forecasts/{forecaster.name}/seconds",
            f"{forecaster.name}, 12 series: one forecast",
            "s",
            paper,
            spent,
            "limit",
        )


def solver(lab: Lab) -> Rows:
    """Seconds to solve the integer program at the paper's two sizes: the median of random fleets whose demand can be met."""
    solve_plan(fleet_problem(2, 2, 1, 0))  # starts the solver
    for models, regions, types, paper_s in SOLVER_SIZES:
        size = f"{models} x {regions} x {types}"
        lab.note(f"integer program {size}")
        plans = [
            solve_plan(fleet_problem(models, regions, types, seed)) for seed in range(1 if lab.setting.quick else SOLVER_PROBLEMS)
        ]
        median_s = float(np.median([plan.solve_s for plan in plans]))
        claim = f"integer program, {size} models, regions, VM types ({plans[0].solver})"
        yield Row(f"solver/{models}x{regions}x{types}", claim, "s", paper_s, median_s, "limit")


def fleet_problem(models: int, regions: int, types: int, seed: int, load: float = 1.0) -> PlanProblem:
    """A random fleet, demand of four windows of about ``load`` times what it serves, and VMs for a quarter more instances."""
    rng = np.random.default_rng(seed)
    throughput = rng.uniform(1_500, 9_000, (models, 1)) * np.linspace(0.4, 1.0, types)[::-1]
    price = 98.32 * np.linspace(0.33, 1.0, types)[::-1]
    instances = rng.integers(1, 1 + 24 // types, (models, regions, types))
    served = np.einsum("ijk,ik->ij", instances, throughput)
    demand = load * served[:, :, None] * rng.uniform(0.5, 1.2, (models, regions, 1)) * rng.uniform(0.7, 1.0, (models, regions, 4))
    capacity = np.ceil(1.25 * instances.sum(axis=0))
    return PlanProblem(instances, demand, throughput, price, np.outer(np.ones(models), price / 6), capacity)


def money(lab: Lab) -> Rows:
    """Dollars in 30 days like the peak day, all models, and what LT-UA saves of them."""
    runs = {"siloed": lab.run("reactive", world="siloed"), **{name: lab.run(name) for name in STRATEGIES}}
    for name, run in runs.items():
        yield Row(f"money/{name}", f"all models, {name}: dollars a month", "M$", None, run.dollars_a_month() / 1e6)
    for base in ("reactive", "siloed"):
        saved = (runs[base].dollars_a_month() - runs["lt-ua"].dollars_a_month()) / 1e6
        paper = 2.5 if base == "siloed" else None
        yield Row(f"money/saved-{base}", f"all models, lt-ua saves of {base}: dollars a month", "M$", paper, saved, "change")


def week(lab: Lab) -> Rows:
    """Strategies over the whole week, all models."""
    runs = {name: lab.run(name, workload=WEEK, log_requests=False) for name in STRATEGIES}
    for name, run in runs.items():
        yield Row(f"week/{name}/hours", f"Llama-2-70B, whole week, {name}: instance-hours", "h", None, run.instance_h())
        yield Row(
            f"week/{name}/ttft",
            f"Llama-2-70B, whole week, {name}: IW-F TTFT P90",
            "s",
            None,
            run.service("IW-F").ttft_p90_s,
        )
        yield Row(
            f"week/{name}/money",
            f"all models, whole week, {name}: dollars a month",
            "M$",
            None,
            run.dollars_a_month() / 1e6,
        )
    for name in LONG_TERM:
        what = f"Llama-2-70B, whole week, {name}: instance-hours against reactive"
        yield change(f"week/{name}/hours-change", what, None, runs[name], runs["reactive"])


EXPERIMENTS: dict[str, Callable[[Lab], Rows]] = {
    "strategies": strategies,
    "load": load,
    "theta": theta,
    "unified": unified,
    "mix": mix,
    "bursts": bursts,
    "admission": admission,
    "thresholds": thresholds,
    "cool-downs": cool_downs,
    "forecasts": forecasts,
    "solver": solver,
    "money": money,
}
"""What a reproduction runs, by name."""

EXTRA: dict[str, Callable[[Lab], Rows]] = {"week": week}
"""What it runs when asked."""
