"""Solving the integer program: a plan, or the nearest one where none meets everything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baselines.program.model import Model, Outcome
from baselines.program.problem import PlanProblem
from baselines.program.solvers import Budget, Search, choose_solver
from sageserve_env.world.checks import require_not_negative, require_positive

EXACT_UP_TO = 20
"""Plans of at most this many counts (I x J x K) are solved to the optimum, the paper's 4 x 3 x 1 among them; larger ones within
``LARGE_GAP``, which takes seconds; for 20 x 20 x 5 a minute does not suffice to prove 0.1 %."""

LARGE_GAP = 0.005
"""Relative optimality gap of large plans."""

GAP_ABS = 1e-9
"""Absolute gap: none, so that the relative one decides."""

SHORTFALL_PART = 0.1
"""The least shortfall is also good enough within this part of the gap, as a share of all that is asked for by regions and over
them: 0.05 % of it for large plans."""

NEAREST_FACTOR = 20.0
"""Where demand cannot be met, the cost is minimised within this multiple of the gap (10 % for large plans): nearly all VMs are
taken then, there is little to save, and the bound is slow to prove it."""

TOLERANCE = 1e-6
"""Part of an instance by which a plan may fall short and meet the demand: the solvers' own."""


@dataclass(frozen=True)
class Plan:
    """A plan, and how good it is.

    Attributes:
        delta: Change of instances, shape (I, J, K).
        instances: Instances after the change, shape (I, J, K).
        cost_usd: The objective: acquisition costs of the change (negative where instances are given up) and start-up costs.
        shortfall: Input tokens/s by which each region misses the share of its own load, shape (I, J).
        global_shortfall: Input tokens/s by which each model misses its load over all regions, shape (I,).
        missing_instances: Instances below the minimum, shape (I, J).
        status: ``"optimal"`` (proven within the gap asked for; the cost of a nearest plan within ``NEAREST_FACTOR`` times it),
            ``"time limit"`` (the best found in time) or ``"held"`` (nothing found in time: no change).
        gap: Relative gap between the cost and the solver's bound; None where the solver does not tell (CBC).
        solver: ``"highs"`` or ``"cbc"``.
        solve_s: Wall-clock seconds.
    """

    delta: NDArray[np.int64]
    instances: NDArray[np.int64]
    cost_usd: float
    shortfall: NDArray[np.float64]
    global_shortfall: NDArray[np.float64]
    missing_instances: NDArray[np.int64]
    status: str
    gap: float | None
    solver: str
    solve_s: float

    @property
    def feasible(self) -> bool:
        """Whether all constraints hold; if not, this is the nearest plan within capacity."""
        return not (self.shortfall.any() or self.global_shortfall.any() or self.missing_instances.any() or self.status == "held")

    def summary(self) -> str:
        """One line for a log."""
        if self.status == "held":
            return f"no plan within {self.solve_s:.1f} s ({self.solver}): fleet held"
        changes = f"+{int(self.delta.clip(0).sum())} -{int((-self.delta).clip(0).sum())} instances, {self.cost_usd:+.2f} $"
        end = f"{self.status} ({self.solver}, {self.solve_s:.2f} s)"
        if self.feasible:
            return f"{changes}; {end}"
        tokens = f"{self.shortfall.sum():.0f} tokens/s in regions, {self.global_shortfall.sum():.0f} overall"
        return f"{changes}; not feasible, nearest plan is short of {tokens}, {int(self.missing_instances.sum())} instances; {end}"


def solve_plan(
    problem: PlanProblem,
    *,
    solver: str | None = None,
    gap: float | None = None,
    time_limit_s: float = 12.0,
) -> Plan:
    """Solve the program; where it cannot be met, find the nearest plan.

    The same problem gives the same plan, as long as the time limit does not stop the search. Of optimal plans it takes the one that
    puts instances where their model's peak is highest, then earlier indices; large plans (gap above 0) may stop at another.

    Args:
        problem: What to plan.
        solver: ``"highs"``, ``"cbc"``, or None: HiGHS where highspy is installed, else CBC.
        gap: Relative optimality gap; None: 0 up to ``EXACT_UP_TO`` counts, ``LARGE_GAP`` beyond.
        time_limit_s: Wall-clock seconds for all solves together; a single one gets 55 % of what is left.

    Raises:
        InputError: An argument is out of range, or the solver is not there.

    Example:
        >>> problem = PlanProblem(
        ...     instances=[[[2], [5]]],
        ...     demand=[[[9_000.0, 10_000.0], [4_000.0, 1_000.0]]],
        ...     throughput=[[2_000.0]],
        ...     acquisition_cost=[98.32],
        ...     startup_cost=[[16.39]],
        ...     capacity=[[10], [10]],
        ... )
        >>> plan = solve_plan(problem, solver="cbc")
        >>> plan.delta.tolist(), round(plan.cost_usd, 2), plan.feasible
        ([[[2], [-2]]], 32.78, True)
    """
    require_positive("time_limit_s", time_limit_s, "give seconds above 0")
    if gap is not None:
        require_not_negative("gap", gap, "give a share of the cost, 0 or more")
    chosen, budget = choose_solver(solver), Budget(time_limit_s)
    wanted = gap if gap is not None else (0.0 if problem.instances.size <= EXACT_UP_TO else LARGE_GAP)
    outcome = Model(problem).minimise_cost(Search(chosen, wanted, GAP_ABS, budget.next_s()))
    if outcome.instances is None:
        outcome = _nearest(problem, chosen, wanted, budget)
    return _plan(problem, outcome, chosen, budget.spent_s())


def _nearest(problem: PlanProblem, solver: str, gap: float, budget: Budget) -> Outcome:
    """The least shortfall, then the least cost at that shortfall."""
    model = Model(problem, elastic=True)
    enough = max(GAP_ABS, SHORTFALL_PART * gap * model.asked())
    least = model.minimise_shortfall(Search(solver, gap, enough, budget.next_s()))
    if least.instances is None:
        return least
    model.limit_shortfall(model.shortfall_of(least.instances))
    cheapest = model.minimise_cost(Search(solver, NEAREST_FACTOR * gap, GAP_ABS, budget.next_s()))
    if cheapest.instances is None:
        return Outcome(least.instances, False, None)
    return Outcome(cheapest.instances, cheapest.proven and least.proven, cheapest.gap)


def _plan(problem: PlanProblem, outcome: Outcome, solver: str, seconds: float) -> Plan:
    """Costs and shortfalls, counted from the whole numbers of the plan."""
    after = problem.instances.copy() if outcome.instances is None else outcome.instances
    delta = after - problem.instances
    supply, least = np.einsum("ijk,ik->ij", after, problem.throughput), TOLERANCE * problem.best_throughput()
    cost = (delta * problem.acquisition_array()).sum() + (delta.clip(0) * problem.startup_array()).sum()
    status = "held" if outcome.instances is None else ("optimal" if outcome.proven else "time limit")
    return Plan(
        delta=delta,
        instances=after,
        cost_usd=float(cost),
        shortfall=_short(problem.local_demand(), supply, least[:, None]),
        global_shortfall=_short(problem.global_demand(), supply.sum(axis=1), least),
        missing_instances=np.maximum(problem.minimum_array() - after.sum(axis=2), 0),
        status=status,
        gap=outcome.gap,
        solver=solver,
        solve_s=seconds,
    )


def _short(demand: NDArray[np.float64], supply: NDArray[np.float64], least: NDArray[np.float64]) -> NDArray[np.float64]:
    """Demand beyond the supply, where it is more than rounding and the least that counts."""
    missing: NDArray[np.float64] = np.where(demand > supply * (1 + 1e-9) + least, demand - supply, 0.0)
    return missing
