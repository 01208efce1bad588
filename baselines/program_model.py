"""The paper's integer program as a PuLP model: rows, costs, and one call of the solver."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.errors import InputError
from sageserve_env.extras import need

if TYPE_CHECKING:
    from baselines.program import PlanProblem

pulp = need("pulp", "solver", "the integer program (and the policies that plan with it)")

Cell = tuple[int, int, int]
"""Model, region and VM type."""

TIE = 1e-5
"""Largest tie-breaking cost of an instance, as a share of the dearest acquisition cost: a tenth of a cent an hour for 98.32 $."""

SLACK = 1e-6
"""Relative and absolute room above the least shortfall when cost is minimised after it: the solvers' own tolerance."""


@dataclass(frozen=True)
class Row:
    """A constraint that may have to give: the coefficients' sum over instances is at least ``bound``.

    Attributes:
        coefficients: Of the instances (current and change together).
        bound: Tokens/s, or instances.
        weight: Tokens/s that one missing unit of the bound stands for.
    """

    coefficients: dict[Cell, float]
    bound: float
    weight: float


@dataclass(frozen=True)
class Outcome:
    """What the solver found.

    Attributes:
        instances: Shape (I, J, K), or None where there is no plan: none exists, or none was found in time.
        proven: The solver proved it within the gap.
        gap: Relative gap; None where the solver does not tell (CBC).
    """

    instances: NDArray[np.int64] | None
    proven: bool
    gap: float | None


def soft_rows(problem: PlanProblem) -> Iterator[Row]:
    """Local, global and minimum constraints of section 6; only the busiest window of each can bind, so only that is kept."""
    n_models, n_regions, n_types = problem.instances.shape
    regions, types = range(n_regions), range(n_types)
    theta = problem.throughput
    local, total = problem.local_demand(), problem.global_demand()
    for i in range(n_models):
        best = float(theta[i].max()) or 1.0
        for j in regions:
            yield Row({(i, j, k): float(theta[i, k]) for k in types}, float(local[i, j]), 1.0)
            yield Row({(i, j, k): 1.0 for k in types}, float(problem.minimum_array()[i, j]), best)
        yield Row({(i, j, k): float(theta[i, k]) for j in regions for k in types}, float(total[i]), 1.0)


def tie_costs(problem: PlanProblem) -> NDArray[np.float64]:
    """Cost of an instance beyond the program's, shape (I, J, K): none to speak of where its model is busiest, then by index.

    Among plans of one cost it prefers the region with the model's highest peak, then earlier models, regions and types.
    """
    shape = problem.instances.shape
    peak = problem.demand.max(axis=2)
    busy = peak / np.maximum(peak.max(axis=1, keepdims=True), 1e-300)
    rank = np.arange(np.prod(shape)).reshape(shape) / np.prod(shape)
    scale = TIE * float(problem.acquisition_cost.max())
    return scale * (0.5 * (1 - busy)[:, :, None] + 0.5 * rank)


@dataclass(frozen=True)
class Search:
    """How a solver searches.

    Attributes:
        solver: ``"highs"`` or ``"cbc"``.
        gap: Relative gap at which it may stop.
        gap_abs: Absolute gap at which it may stop.
        time_limit_s: Seconds after which it must.
    """

    solver: str
    gap: float
    gap_abs: float
    time_limit_s: float


class Model:
    """One PuLP problem: strict, or elastic with a shortfall on every soft row.

    Args:
        problem: What to plan.
        elastic: Give each soft row a shortfall variable.
    """

    def __init__(self, problem: PlanProblem, *, elastic: bool = False) -> None:
        self.problem = problem
        self.lp = pulp.LpProblem("plan", pulp.LpMinimize)
        self.x: dict[Cell, Any] = {}
        self.started: dict[Cell, Any] = {}
        self.shortfall: list[tuple[Any, float]] = []
        self._add_instances()
        self._add_rows(elastic)

    def limit_shortfall(self, most: float) -> None:
        """The weighted shortfall may not exceed this (tokens/s)."""
        self.lp += pulp.LpAffineExpression(self.shortfall) <= most + SLACK * max(1.0, most)

    def _add_instances(self) -> None:
        """Variables: instances x = n + delta, and starts >= max(0, delta); VMs of a region and type within its capacity."""
        n, capacity = self.problem.instances, self.problem.capacity
        for cell in np.ndindex(*n.shape):
            i, j, k = cell
            name = f"{i}_{j}_{k}"
            most = int(capacity[j, k]) if self.problem.throughput[i, k] > 0 else 0
            self.x[cell] = self.lp.add_variable(f"x_{name}", 0, most, "Integer")
            self.started[cell] = self.lp.add_variable(f"start_{name}", 0)
            self.lp += self.started[cell] - self.x[cell] >= -int(n[cell])
        n_models, n_regions, n_types = n.shape
        for j, k in np.ndindex(n_regions, n_types):
            self.lp += pulp.LpAffineExpression([(self.x[i, j, k], 1.0) for i in range(n_models)]) <= int(capacity[j, k])

    def _add_rows(self, elastic: bool) -> None:
        for number, row in enumerate(soft_rows(self.problem)):
            if row.bound <= 0:
                continue
            terms = [(self.x[cell], factor) for cell, factor in row.coefficients.items()]
            if elastic:
                missing = self.lp.add_variable(f"missing_{number}", 0)
                self.shortfall.append((missing, row.weight))
                terms.append((missing, 1.0))
            self.lp += pulp.LpAffineExpression(terms) >= row.bound

    def minimise_cost(self, search: Search) -> Outcome:
        """Minimise acquisition and start-up costs."""
        alpha, sigma, tie = self.problem.acquisition_cost, self.problem.startup_cost, tie_costs(self.problem)
        terms = [(x, float(alpha[cell[2]] + tie[cell])) for cell, x in self.x.items()]
        terms += [(started, float(sigma[cell[0], cell[2]])) for cell, started in self.started.items()]
        return self._solve(terms, search)

    def minimise_shortfall(self, search: Search) -> Outcome:
        """Minimise the weighted shortfall, in tokens/s."""
        return self._solve(self.shortfall, search)

    def _solve(self, terms: list[tuple[Any, float]], search: Search) -> Outcome:
        """Solve, from the values of an earlier solve where there was one."""
        again = next(iter(self.x.values())).varValue is not None
        self.lp.setObjective(pulp.LpAffineExpression(terms))
        self.lp.solve(_solver(search, again))
        if self.lp.status != pulp.LpStatusOptimal:
            return Outcome(None, False, None)
        plan = np.zeros(self.problem.instances.shape, np.int64)
        for cell, x in self.x.items():
            plan[cell] = round(x.varValue)
        told = float(self.lp.solverModel.getInfo().mip_gap) if search.solver == "highs" else None
        return Outcome(plan, self.lp.sol_status == pulp.LpSolutionOptimal, told)


class StartedHiGHS(pulp.HiGHS):  # type: ignore[name-defined]
    """PuLP's HiGHS, which begins from the variables' values where they have any, as PuLP's CBC can."""

    def callSolver(self, lp: Any) -> None:
        """Hand over the start, then solve."""
        known = [variable for variable in lp.variables() if variable.varValue is not None]
        if known:
            index = np.array([variable.index for variable in known], np.int32)
            lp.solverModel.setSolution(len(known), index, np.array([variable.varValue for variable in known], np.float64))
        lp.solverModel.run()


def choose_solver(name: str | None) -> str:
    """``"highs"`` where highspy is installed, else ``"cbc"``, which PuLP ships; or the one that is asked for.

    Raises:
        InputError: The solver asked for is unknown or not there.
    """
    if name not in (None, "highs", "cbc"):
        raise InputError(f"solver = {name!r} is not known; give 'highs', 'cbc' or None")
    installed = find_spec("highspy") is not None
    if name == "highs" and not installed:
        raise InputError("solver = 'highs' is not installed; run: pip install 'sageserve-env[solver]', or use 'cbc'")
    chosen = name or ("highs" if installed else "cbc")
    if chosen == "cbc" and not _solver(Search("cbc", 0.0, 0.0, 1.0)).available():
        raise InputError("solver = 'cbc' does not run on this machine; run: pip install 'sageserve-env[solver]' for HiGHS")
    return chosen


def _solver(search: Search, again: bool = False) -> Any:
    """One thread and a fixed seed: the same problem gives the same plan."""
    common = {"msg": False, "threads": 1, "gapRel": search.gap, "gapAbs": search.gap_abs, "timeLimit": search.time_limit_s}
    if search.solver == "highs":
        return StartedHiGHS(**common, random_seed=0)
    return pulp.PULP_CBC_CMD(**common, warmStart=again)


class Budget:
    """A time limit that several solves share; each may take a part of what is left, so that the next has some too."""

    PART = 0.55

    def __init__(self, seconds: float) -> None:
        self.start = time.perf_counter()
        self.end = self.start + seconds

    def next_s(self) -> float:
        """Seconds for the next solve: at least a millisecond, so that a solver always gets a legal limit."""
        return max(self.PART * (self.end - time.perf_counter()), 1e-3)

    def spent_s(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.start
