"""The paper's integer program as a PuLP model: variables, rows and costs, in units that keep its numbers near 1.

Solvers check rows within an absolute 1e-6 and lose track of numbers beyond 1e9. So tokens/s are counted in instances: a model's
rows are divided by the throughput of its best VM type, dollars by the dearest one; and demand beyond all that a region's VMs could
serve is cut, out of reach as it stays: a thousand times as much makes the same plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines.program.problem import PlanProblem
from baselines.program.solvers import Search, pulp, solve

Cell = tuple[int, int, int]
"""Model, region and VM type."""

TIE = 1e-5
"""Largest tie-breaking cost of an instance, as a share of the dearest acquisition cost: a tenth of a cent an hour for 98.32 $."""

DEAREST = 100.0
"""The largest cost of an instance in the model's objective."""

SLACK = 1e-6
"""Relative and absolute room above the least shortfall when cost is minimised after it: the solvers' own tolerance."""

ROUNDING = 1e-9
"""Relative; demand that needs a whole number of instances and this more needs no further one."""


@dataclass(frozen=True)
class Row:
    """A constraint that may have to give: the coefficients' sum over instances is at least ``bound``.

    Attributes:
        coefficients: Of the instances (current and change together), 0 to 1: a share of the model's best VM type.
        bound: In instances of that type, 0 or more.
        weight: What one missing unit of the bound counts, 0 to 1: the type's throughput as a share of the highest of all models.
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
    local, total, best = problem.local_demand(), problem.global_demand(), problem.best_throughput()
    for i in range(n_models):
        share, weight = problem.throughput[i] / best[i], float(best[i] / best.max())
        for j in regions:
            yield _row(problem, {(i, j, k): float(share[k]) for k in types}, float(local[i, j] / best[i]), weight)
            yield _row(problem, {(i, j, k): 1.0 for k in types}, float(problem.minimum_array()[i, j]), weight)
        yield _row(problem, {(i, j, k): float(share[k]) for j in regions for k in types}, float(total[i] / best[i]), weight)


def _row(problem: PlanProblem, coefficients: dict[Cell, float], bound: float, weight: float) -> Row:
    """A row whose bound is out of reach, but not far out, where all VMs together do not reach it."""
    reach = sum(factor * float(problem.capacity[j, k]) for (_, j, k), factor in coefficients.items())
    return Row(coefficients, min(bound, 2 * reach + 1), weight)


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


class Model:
    """One PuLP problem: strict, or elastic with a shortfall on every soft row.

    Args:
        problem: What to plan.
        elastic: Give each soft row a shortfall variable.
    """

    def __init__(self, problem: PlanProblem, *, elastic: bool = False) -> None:
        self.problem = problem
        self.rows = [row for row in soft_rows(problem) if row.bound > 0]
        self.lp = pulp.LpProblem("plan", pulp.LpMinimize)
        self.x: dict[Cell, Any] = {}
        self.started: dict[Cell, Any] = {}
        self.shortfall: list[tuple[Any, float]] = []
        self._add_instances()
        for number, row in enumerate(self.rows):
            self._add_elastic(number, row) if elastic else self._add_strict(row)

    def asked(self) -> float:
        """All that the soft rows ask for, weighted."""
        return sum(row.weight * row.bound for row in self.rows)

    def shortfall_of(self, instances: NDArray[np.int64]) -> float:
        """The weighted shortfall of a fleet, shape (I, J, K)."""
        return sum(row.weight * max(0.0, row.bound - _supply(row, instances)) for row in self.rows)

    def limit_shortfall(self, most: float) -> None:
        """The weighted shortfall may not exceed this."""
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

    def _add_strict(self, row: Row) -> None:
        """The row, and what it implies for whole instances: exact where the solvers' tolerance would let a little pass."""
        useful = {cell: factor for cell, factor in row.coefficients.items() if factor > 0}
        self.lp += pulp.LpAffineExpression([(self.x[cell], 1.0) for cell in useful]) >= ceil(row.bound * (1 - ROUNDING))
        if any(factor < 1 for factor in useful.values()):
            self.lp += self._sum(row) >= row.bound

    def _add_elastic(self, number: int, row: Row) -> None:
        missing = self.lp.add_variable(f"missing_{number}", 0)
        self.shortfall.append((missing, row.weight))
        self.lp += self._sum(row) + missing >= row.bound

    def _sum(self, row: Row) -> Any:
        return pulp.LpAffineExpression([(self.x[cell], factor) for cell, factor in row.coefficients.items()])

    def minimise_cost(self, search: Search) -> Outcome:
        """Minimise acquisition and start-up costs."""
        alpha, sigma, tie = self.problem.acquisition_array(), self.problem.startup_array(), tie_costs(self.problem)
        scale = DEAREST / (max(float(alpha.max()), float(sigma.max())) or 1.0)
        terms = [(x, scale * float(alpha[cell[1:]] + tie[cell])) for cell, x in self.x.items()]
        terms += [(started, scale * float(sigma[cell])) for cell, started in self.started.items()]
        return self._solve(terms, search)

    def minimise_shortfall(self, search: Search) -> Outcome:
        """Minimise the weighted shortfall."""
        return self._solve(self.shortfall, search)

    def _solve(self, terms: list[tuple[Any, float]], search: Search) -> Outcome:
        """Solve, from the values of an earlier solve where there was one."""
        again = next(iter(self.x.values())).varValue is not None
        self.lp.setObjective(pulp.LpAffineExpression(terms))
        gap = solve(self.lp, search, again)
        if self.lp.status != pulp.LpStatusOptimal:
            return Outcome(None, False, None)
        plan = np.zeros(self.problem.instances.shape, np.int64)
        for cell, x in self.x.items():
            plan[cell] = round(x.varValue)
        return Outcome(plan, self.lp.sol_status == pulp.LpSolutionOptimal, gap)


def _supply(row: Row, instances: NDArray[np.int64]) -> float:
    return sum(factor * float(instances[cell]) for cell, factor in row.coefficients.items())
