"""The forecasts and the integer program: errors and times."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from baselines.forecast import Arima, ExponentialSmoothing, Forecaster, SeasonalNaive, token_rates
from baselines.forecast.rolling import backtest
from baselines.program import PlanProblem, solve_plan
from baselines.reproduction.lab import WEEK, Lab
from baselines.reproduction.rows import Row
from sageserve_env.world import load_world

Rows = Iterator[Row]

WINDOW_S = 900.0
SOLVER_SIZES = ((4, 3, 1, 1.4), (20, 20, 5, 33.0))
SOLVER_PROBLEMS = 5


def forecasts(lab: Lab) -> Rows:
    """Next-hour error of the forecasters on the week, and the time that a forecast of all series takes."""
    made: list[Forecaster] = [SeasonalNaive()] if lab.setting.quick else [SeasonalNaive(), ExponentialSmoothing(), Arima()]
    world = load_world("published")
    week = lab.workload(WEEK, gaps_cv=1.0)
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
