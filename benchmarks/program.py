"""Seconds to solve the integer program at the paper's two sizes, beside the paper's own times.

Run: ``python benchmarks/program.py [problems]``. Random fleets: instances that nearly meet the demand, VM capacity a quarter above
them; the last case of each size has demand that no plan can meet. Times include building the model; solver start-up is paid before.
"""

from __future__ import annotations

import sys

import numpy as np

from baselines.program import solve_plan
from baselines.reproduction.experiments import fleet_problem

PAPER_S = {(4, 3, 1): 1.4, (20, 20, 5): 33.0}
TARGET_S = {(4, 3, 1): 0.2, (20, 20, 5): 10.0}


def main() -> None:
    """Print one line for each size, load and solver."""
    problems = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    solve_plan(fleet_problem(2, 2, 1, 0))
    for size, paper_s in PAPER_S.items():
        for load in (1.0, 2.0):
            for solver in ("highs", "cbc") if size == (4, 3, 1) else ("highs",):
                plans = [solve_plan(fleet_problem(*size, seed, load), solver=solver) for seed in range(problems)]
                seconds = [plan.solve_s for plan in plans]
                proven, met = (sum(test) for test in zip(*((p.status == "optimal", p.feasible) for p in plans), strict=True))
                gap = max((plan.gap for plan in plans if plan.gap is not None), default=float("nan"))
                print(
                    f"{' x '.join(map(str, size)):<12} load {load:.1f} {solver:<6} median {np.median(seconds):6.3f} s, "
                    f"worst {max(seconds):6.3f} s (paper {paper_s} s, target {TARGET_S[size]} s); "
                    f"{met}/{problems} feasible, {proven}/{problems} within the gap, largest gap {gap:.2%}"
                )


if __name__ == "__main__":
    main()
