"""The integer program that sets instance counts (paper section 6): how many instances of each model, where, on which VMs.

Indices: model i (I), region j (J), VM type k (K), window w (W). With n current instances and an integer change delta::

    minimise    sum alpha_k delta_ijk + sum sigma_ik max(0, delta_ijk)
    subject to  local     sum_k theta_ik (n + delta)_ijk >= epsilon rho_ij(w)           for every i, j, w
                global    sum_jk theta_ik (n + delta)_ijk >= sum_j rho_ij(w)            for every i, w
                minimum   sum_k (n + delta)_ijk >= minimum_ij                           for every i, j
                capacity  sum_i (n + delta)_ijk <= capacity_jk                          for every j, k

The supply does not depend on w: the local constraint binds only at a region's busiest window and the global one only at the
busiest window of the regions' sum, so those alone are kept, with no loss.

Where no plan meets all of it, capacity holds and the other constraints may give: first the least shortfall in tokens/s, local and
global summed (a missing minimum instance counts as the tokens/s that one instance of its model serves on its best type), then,
among the plans of that shortfall, the least cost. Each is a solve of its own: in effect shortfall has a price above any cost.
``Plan`` reports what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from baselines.program_model import Budget, Model, Outcome, Search, choose_solver, soft_rows
from sageserve_env.errors import InputError
from sageserve_env.world.checks import require, require_not_negative, require_positive

EXACT_UP_TO = 20
"""Plans of at most this many counts (I x J x K) are solved to the optimum, the paper's 4 x 3 x 1 among them; larger ones within
``LARGE_GAP``, which takes seconds; for 20 x 20 x 5 a minute does not suffice to prove 0.1 %."""

LARGE_GAP = 0.005
"""Relative optimality gap of large plans."""

GAP_ABS = 1e-9
"""Absolute gap: none, so that the relative one decides."""

SHORTFALL_PART = 0.2
"""The least shortfall is also good enough within this part of the gap, as a share of all demand: 0.1 % of it for large plans."""

NEAREST_FACTOR = 20.0
"""Where demand cannot be met, the cost is minimised within this multiple of the gap (10 % for large plans): nearly all VMs are
taken then, there is little to save, and the bound is slow to prove it."""


@dataclass(frozen=True)
class PlanProblem:
    """What to plan. Arrays are copied, checked and kept in the types below.

    Attributes:
        instances: Current instances n, active or on their way, shape (I, J, K), whole numbers >= 0.
        demand: Forecast rho, input tokens/s in each window of the coming hour, shape (I, J, W), W >= 1.
        throughput: Sustainable input tokens/s of one instance, theta, shape (I, K); 0 where the model does not run on the type:
            such instances, if there are any, are given up.
        acquisition_cost: alpha, dollars that one instance of each type costs for the coming hour: the VM's price, shape (K,).
        startup_cost: sigma, dollars wasted by one start: the VM's price times the hours of provisioning, shape (I, K).
        capacity: VMs of each region and type, shape (J, K), whole numbers >= 0.
        minimum: Least instances of a model in a region, over all types: one number or shape (I, J); the paper: 2.
        epsilon: Share of its own load that a region must serve, 0 to 1. An assumption; the paper does not give it.

    Raises:
        InputError: A shape does not fit, or a value is negative, not finite or not whole.
    """

    instances: NDArray[np.int64]
    demand: NDArray[np.float64]
    throughput: NDArray[np.float64]
    acquisition_cost: NDArray[np.float64]
    startup_cost: NDArray[np.float64]
    capacity: NDArray[np.int64]
    minimum: int | NDArray[np.int64] = 2
    epsilon: float = 0.8

    def __post_init__(self) -> None:
        """Check and convert."""
        shape = np.shape(self.instances)
        if len(shape) != 3 or 0 in shape:
            raise InputError(f"instances has shape {shape}; give (models, regions, VM types), none of them 0")
        n_models, n_regions, n_types = shape
        windows = np.shape(self.demand)[2] if np.ndim(self.demand) == 3 else 0
        require(windows > 0, "demand", f"shape {np.shape(self.demand)}", "does not fit; give (models, regions, windows)")
        require(0 <= self.epsilon <= 1, "epsilon", self.epsilon, "is not a share; give 0 to 1")
        self._keep("instances", shape, whole=True)
        self._keep("demand", (n_models, n_regions, windows))
        self._keep("throughput", (n_models, n_types))
        self._keep("acquisition_cost", (n_types,))
        self._keep("startup_cost", (n_models, n_types))
        self._keep("capacity", (n_regions, n_types), whole=True)
        self._keep("minimum", () if np.ndim(self.minimum) == 0 else (n_models, n_regions), whole=True)

    def _keep(self, name: str, shape: tuple[int, ...], *, whole: bool = False) -> None:
        array = _checked(name, getattr(self, name), shape, whole)
        array.flags.writeable = False
        object.__setattr__(self, name, array if shape else int(array))

    def local_demand(self) -> NDArray[np.float64]:
        """Right side of the local constraint, tokens/s, shape (I, J)."""
        peak: NDArray[np.float64] = self.epsilon * self.demand.max(axis=2)
        return peak

    def global_demand(self) -> NDArray[np.float64]:
        """Right side of the global constraint, tokens/s, shape (I,)."""
        peak: NDArray[np.float64] = self.demand.sum(axis=1).max(axis=1)
        return peak

    def minimum_array(self) -> NDArray[np.int64]:
        """The minimum for each model and region, shape (I, J)."""
        return np.broadcast_to(np.asarray(self.minimum, np.int64), self.instances.shape[:2])


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
    enough = max(GAP_ABS, SHORTFALL_PART * gap * float(problem.global_demand().sum()))
    least = model.minimise_shortfall(Search(solver, gap, enough, budget.next_s()))
    if least.instances is None:
        return least
    supplies = ((row, _supply(row.coefficients, least.instances)) for row in soft_rows(problem))
    model.limit_shortfall(sum(row.weight * max(0.0, row.bound - supply) for row, supply in supplies))
    cheapest = model.minimise_cost(Search(solver, NEAREST_FACTOR * gap, GAP_ABS, budget.next_s()))
    if cheapest.instances is None:
        return Outcome(least.instances, False, None)
    return Outcome(cheapest.instances, cheapest.proven and least.proven, cheapest.gap)


def _supply(coefficients: dict[tuple[int, int, int], float], instances: NDArray[np.int64]) -> float:
    return sum(factor * float(instances[cell]) for cell, factor in coefficients.items())


def _plan(problem: PlanProblem, outcome: Outcome, solver: str, seconds: float) -> Plan:
    """Costs and shortfalls, counted from the whole numbers of the plan."""
    after = problem.instances.copy() if outcome.instances is None else outcome.instances
    delta = after - problem.instances
    supply = np.einsum("ijk,ik->ij", after, problem.throughput)
    cost = (delta * problem.acquisition_cost).sum() + (delta.clip(0) * problem.startup_cost[:, None, :]).sum()
    status = "held" if outcome.instances is None else ("optimal" if outcome.proven else "time limit")
    return Plan(
        delta=delta,
        instances=after,
        cost_usd=float(cost),
        shortfall=_short(problem.local_demand(), supply),
        global_shortfall=_short(problem.global_demand(), supply.sum(axis=1)),
        missing_instances=np.maximum(problem.minimum_array() - after.sum(axis=2), 0),
        status=status,
        gap=outcome.gap,
        solver=solver,
        solve_s=seconds,
    )


def _short(demand: NDArray[np.float64], supply: NDArray[np.float64]) -> NDArray[np.float64]:
    """Demand beyond the supply; rounding in the last digits is none."""
    missing: NDArray[np.float64] = np.where(demand > supply * (1 + 1e-9) + 1e-6, demand - supply, 0.0)
    return missing


def _checked(name: str, values: ArrayLike, shape: tuple[int, ...], whole: bool) -> NDArray[np.float64] | NDArray[np.int64]:
    """A copy of an input array, of the right shape, finite, not negative, and whole where it counts things."""
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} = {values!r} is no array of numbers; give shape {shape}") from None
    require(array.shape == shape, name, f"shape {array.shape}", f"does not fit; give {shape}")
    bad = ~np.isfinite(array) | (array < 0)
    if whole:
        bad |= array != np.floor(array)
    if bad.any():
        where = tuple(int(index) for index in np.argwhere(bad)[0])
        kind = "a whole number" if whole else "a finite number"
        raise InputError(f"{name}{list(where) or ''} = {array[where]} is not valid; give {kind}, 0 or more")
    return array.astype(np.int64) if whole else array
