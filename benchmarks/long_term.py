"""The O365 Thursday under the paper's controllers: wall seconds, and what each makes of Llama-2-70B's busiest day.

Run: ``OMP_NUM_THREADS=1 python benchmarks/long_term.py [policies]``. The seconds of a day count everything: playing the three days
before it, 24 forecasts of 12 series, 24 integer programs, and the simulation; kernels and capacities are there before. Reactive
starts from 20 instances, the others from 8, as in the paper. Each of the others runs with every capacity that
an instance can be planned to carry (``CAPACITIES``).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from baselines import ReactivePolicy
from baselines.bounds.hindsight import OraclePolicy
from baselines.long_term.lt_i import LtI
from baselines.long_term.lt_u import LtU
from baselines.long_term.lt_ua import LtUa
from baselines.long_term.policy import CAPACITIES, LongTermPolicy
from sageserve_env.evaluation.policy import Policy
from sageserve_env.evaluation.runner import run_episode
from sageserve_env.evaluation.runs.result import Result
from sageserve_env.scenarios import Scenario
from sageserve_env.workload import load_workload
from sageserve_env.world import load_world

MODEL = "llama-2-70b"
TARGET_S = 60.0
SEED = 0
START = 8

POLICIES: dict[str, Any] = {
    "reactive": ReactivePolicy(),
    "lt-i": LtI(initial_instances=START),
    "lt-u": LtU(initial_instances=START),
    "lt-ua": LtUa(initial_instances=START),
    "oracle": OraclePolicy(initial_instances=START),
}


def run(policy: Policy, hours: float = 24.0) -> tuple[Result, float]:
    """A day under a policy, and its wall seconds."""
    scenario = Scenario("thursday", load_world("published"), load_workload("o365-thursday"), duration_s=hours * 3600.0)
    begin = time.perf_counter()
    return run_episode(scenario, policy, seed=SEED), time.perf_counter() - begin


def line(name: str, result: Result, seconds: float) -> str:
    """What a policy made of the day."""
    fleet = next(row for row in result.metrics.fleet if row.scope == "model" and row.model == MODEL)
    tiers = [row for row in result.metrics.service if row.scope == "model-tier" and row.model == MODEL]
    shares = " ".join(f"{row.tier} {row.slo_attainment_of_attainable:.2%}" for row in tiers)
    slowest = max(row.ttft_p95_s for row in tiers[:2])
    return (
        f"{name:<18}{MODEL} {fleet.active_h:6.1f} instance-h, {fleet.provisioning_h:5.1f} provisioning-h, interactive P95 TTFT "
        f"{slowest:6.2f} s, attainable levels met {shares}; all models {result.metrics.fleet_total.dollars:,.0f} $; {seconds:.1f} s"
    )


def cases(names: list[str]) -> Iterator[tuple[str, Any]]:
    """Label and policy of each run."""
    for name in names:
        if name == "reactive":
            yield name, POLICIES[name]
            continue
        for capacity in CAPACITIES:
            yield f"{name} {capacity}", replace(POLICIES[name], capacity=capacity)


def main() -> None:
    """Print a line for each run, and one for where a controller's time goes."""
    for label, policy in cases(sys.argv[1:] or list(POLICIES)):
        run(replace(policy), hours=0.5)  # compiles, imports
        result, seconds = run(policy)
        print(line(label, result, seconds), flush=True)
        if isinstance(policy, LongTermPolicy):
            solves = [hour.plan.solve_s for hour in policy.plans]
            mean = np.mean([hour.target.sum() for hour in policy.plans])
            print(
                f"    {seconds:.1f} s (target {TARGET_S:.0f} s), of it {len(solves)} programs {sum(solves):.2f} s, worst "
                f"{max(solves):.3f} s; mean target of all models {mean:.1f} instances",
                flush=True,
            )


if __name__ == "__main__":
    main()
