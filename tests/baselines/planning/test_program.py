"""The integer program: against brute force, its constraints, and what it does when they cannot be met."""

import subprocess
import sys
import warnings
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from baselines.program import Plan, PlanProblem, solve_plan
from sageserve_env.errors import InputError

SOLVERS = ("highs", "cbc")


def random_problem(seed, load=1.0):
    """Small enough to enumerate; whole-dollar costs, so that no two plans differ by less than a dollar."""
    rng = np.random.default_rng(seed)
    n_models, n_regions, n_types = ((2, 2, 1), (1, 2, 2), (3, 1, 1), (1, 3, 1), (2, 1, 2))[seed % 5]
    capacity = rng.integers(0 if seed % 7 == 0 else 2, 5, (n_regions, n_types))
    return PlanProblem(
        instances=rng.integers(0, 3, (n_models, n_regions, n_types)),
        demand=load * rng.integers(0, 4_000, (n_models, n_regions, 3)),
        throughput=rng.integers(500, 2_500, (n_models, n_types)),
        acquisition_cost=rng.integers(20, 100, n_types),
        startup_cost=rng.integers(0, 40, (n_models, n_types)),
        capacity=capacity,
        minimum=rng.integers(0, 2, (n_models, n_regions)),
        epsilon=float(rng.choice([0.0, 0.5, 0.8, 1.0])),
    )


def judge(problem, after):
    """Weighted shortfall in tokens/s and cost in dollars of a fleet, straight from the formulas, every window apart."""
    supply = np.einsum("ijk,ik->ij", after, problem.throughput)
    local = np.maximum(problem.epsilon * problem.demand - supply[:, :, None], 0).max(axis=2).sum()
    overall = np.maximum(problem.demand.sum(axis=1) - supply.sum(axis=1)[:, None], 0).max(axis=1).sum()
    missing = np.maximum(problem.minimum_array() - after.sum(axis=2), 0) * problem.throughput.max(axis=1)[:, None]
    delta = after - problem.instances
    cost = (problem.acquisition_cost * delta).sum() + (problem.startup_cost[:, None, :] * np.maximum(0, delta)).sum()
    return local + overall + missing.sum(), cost


def brute_force(problem):
    """The least (shortfall, cost) over all fleets within capacity."""
    shape = problem.instances.shape
    counts = [range(problem.capacity[j, k] + 1) for _, j, k in np.ndindex(shape)]
    fleets = (np.array(flat).reshape(shape) for flat in product(*counts))
    return min(judge(problem, fleet) for fleet in fleets if (fleet.sum(axis=0) <= problem.capacity).all())


def simple(**changes):
    """One model, two regions, one VM type: 1,000 tokens/s for each instance."""
    values = {
        "instances": [[[2], [2]]],
        "demand": [[[3_000.0], [1_000.0]]],
        "throughput": [[1_000.0]],
        "acquisition_cost": [98.32],
        "startup_cost": [[16.0]],
        "capacity": [[10], [10]],
        "minimum": 0,
    }
    return PlanProblem(**(values | changes))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("load", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("seed", range(40))
def test_equals_brute_force(seed, load, solver):
    problem = random_problem(seed, load)
    least, cost = brute_force(problem)
    plan = solve_plan(problem, solver=solver, gap=0.0)
    found, paid = judge(problem, plan.instances)
    assert found == pytest.approx(least, rel=1e-5, abs=1e-3)
    assert paid == pytest.approx(cost)
    assert plan.cost_usd == pytest.approx(paid)
    assert plan.feasible == (least == 0)
    assert plan.status == "optimal"
    assert plan.solver == solver


MAGNITUDES = 10.0 ** np.arange(-6, 13)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("seed", range(3))
def test_more_demand_over_eighteen_orders_of_magnitude(seed, solver):
    problem = random_problem(seed)
    shape = problem.demand / problem.demand.max()
    asked = [replace(problem, demand=shape * size) for size in MAGNITUDES]
    plans = [solve_plan(one, solver=solver) for one in asked]
    feasible = [plan.feasible for plan in plans]
    assert feasible == sorted(feasible, reverse=True)
    costs = [plan.cost_usd for plan in plans if plan.feasible]
    assert costs == sorted(costs)
    short = [judge(one, plan.instances)[0] for one, plan in zip(asked, plans, strict=True)]
    assert short == sorted(short)
    for one, plan in zip(asked, plans, strict=True):
        least, cost = brute_force(one)
        assert judge(one, plan.instances)[0] == pytest.approx(least, rel=1e-5, abs=2e-3)
        assert plan.cost_usd == pytest.approx(cost) or not plan.feasible
    beyond = [plan.instances.tolist() for size, plan in zip(MAGNITUDES, plans, strict=True) if size >= 1e5]
    assert beyond == [beyond[0]] * len(beyond)  # out of reach is out of reach


@pytest.mark.parametrize("theta", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize("price", [1e-6, 98.32, 1e9])
def test_units_do_not_matter(theta, price):
    changes = {"demand": [[[3.3 * theta], [1.0 * theta]]], "throughput": [[theta]], "minimum": 1}
    problem = simple(**changes, acquisition_cost=[price], startup_cost=[[price / 6]])
    for solver in SOLVERS:
        plan = solve_plan(problem, solver=solver)
        assert (plan.instances.tolist(), plan.feasible, plan.status) == ([[[3], [2]]], True, "optimal")
        assert plan.cost_usd == pytest.approx(price * (1 + 1 / 6))


def test_large_demands_of_a_large_fleet_are_met():
    fleet = {"capacity": [[10**6], [10**6]], "throughput": [[1e6]], "instances": [[[0], [0]]]}
    for solver in SOLVERS:
        plan = solve_plan(simple(**fleet, demand=[[[7.5e11], [2.5e11]]]), solver=solver)
        assert plan.feasible
        assert plan.instances.sum() == 10**6


def test_a_little_more_than_whole_instances_needs_another():
    for solver in SOLVERS:
        assert solve_plan(simple(demand=[[[3_000.0], [0.0]]]), solver=solver).instances.sum() == 3
        assert solve_plan(simple(demand=[[[3_000.001], [0.0]]]), solver=solver).instances.sum() == 4
        assert solve_plan(simple(demand=[[[1e-6], [0.0]]]), solver=solver).instances.sum() == 1


@pytest.mark.parametrize("solver", SOLVERS)
def test_solvers_print_nothing(solver):
    script = f"from tests.baselines.planning.test_program import simple, solve_plan; solve_plan(simple(), solver={solver!r})"
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, check=True)
    assert (ran.stdout, ran.stderr) == (b"", b"")


def test_the_random_problems_are_feasible_and_not():
    feasible = [brute_force(random_problem(seed, load))[0] == 0 for seed in range(40) for load in (0.5, 1.0, 3.0)]
    assert 20 < sum(feasible) < 100


@pytest.mark.parametrize("solver", SOLVERS)
def test_same_problem_same_plan(solver):
    for seed in range(5):
        first, second = (solve_plan(random_problem(seed), solver=solver) for _ in range(2))
        np.testing.assert_array_equal(first.instances, second.instances)


def test_keeps_what_serves_and_gives_up_the_rest():
    plan = solve_plan(simple(instances=[[[3], [5]]]))
    assert plan.instances.tolist() == [[[3], [1]]]
    assert plan.delta.tolist() == [[[0], [-4]]]
    assert plan.cost_usd == pytest.approx(-4 * 98.32)  # giving up costs no start


def test_local_constraint_holds_a_share_in_the_region():
    far = simple(demand=[[[4_000.0], [0.0]]], instances=[[[0], [4]]], startup_cost=[[50.0]])
    assert solve_plan(replace(far, epsilon=0.0)).instances.tolist() == [[[0], [4]]]  # no start needed
    assert solve_plan(replace(far, epsilon=0.8)).instances.tolist() == [[[4], [0]]]  # 3.2 instances, and the fourth for the total
    assert solve_plan(replace(far, epsilon=0.5)).instances.tolist() == [[[2], [2]]]


def test_windows_bind_at_their_own_peaks():
    # The regions peak in different windows: 3 + 1 and 1 + 3 thousand. Local needs 2.4 each, the total only 4 in either window.
    plan = solve_plan(simple(demand=[[[3_000.0, 1_000.0], [1_000.0, 3_000.0]]]))
    assert plan.instances.sum() == 6  # three in each region for the local peaks
    relaxed = solve_plan(simple(demand=[[[3_000.0, 1_000.0], [1_000.0, 3_000.0]]], epsilon=0.3))
    assert relaxed.instances.sum() == 4


def test_minimum_holds_without_demand():
    plan = solve_plan(simple(demand=[[[0.0], [0.0]]], minimum=[[2, 1]], instances=[[[0], [5]]]))
    assert plan.instances.tolist() == [[[2], [1]]]
    assert plan.feasible


def test_capacity_is_shared_by_models():
    problem = PlanProblem(
        instances=np.zeros((2, 1, 1)),
        demand=[[[3_000.0]], [[3_000.0]]],
        throughput=[[1_000.0], [1_000.0]],
        acquisition_cost=[10.0],
        startup_cost=[[1.0], [1.0]],
        capacity=[[5]],
        minimum=0,
    )
    plan = solve_plan(problem)
    assert plan.instances.sum() == 5
    assert plan.global_shortfall.sum() == pytest.approx(1_000)
    assert plan.shortfall.sum() == pytest.approx(400)  # local asks for 2.4 of 3
    assert not plan.feasible
    assert solve_plan(replace(problem, capacity=np.array([[6]]))).feasible


def test_takes_the_cheaper_vm_type_for_its_throughput_and_the_other_when_it_runs_out():
    problem = PlanProblem(
        instances=np.zeros((1, 1, 2)),
        demand=[[[4_000.0]]],
        throughput=[[1_000.0, 2_000.0]],
        acquisition_cost=[30.0, 98.32],
        startup_cost=[[0.0, 0.0]],
        capacity=[[10, 10]],
        minimum=0,
    )
    assert solve_plan(problem).instances.tolist() == [[[4, 0]]]
    assert solve_plan(replace(problem, capacity=np.array([[2, 10]]))).instances.tolist() == [[[2, 1]]]


def test_takes_the_cheaper_region_and_a_start_where_it_costs_least():
    problem = PlanProblem(
        instances=np.zeros((1, 2, 1)),
        demand=[[[2_000.0], [2_000.0]]],
        throughput=[[1_000.0]],
        acquisition_cost=[[30.0], [20.0]],
        startup_cost=[[[0.0], [0.0]]],
        capacity=[[10], [10]],
        minimum=0,
        epsilon=0.5,
    )
    assert solve_plan(problem).instances.tolist() == [[[1], [3]]]
    assert solve_plan(replace(problem, startup_cost=np.array([[[0.0], [25.0]]]))).instances.tolist() == [[[3], [1]]]


def test_start_up_cost_keeps_the_dearer_instance_that_runs():
    problem = PlanProblem(
        instances=[[[0, 1]]],
        demand=[[[1_000.0]]],
        throughput=[[1_000.0, 1_000.0]],
        acquisition_cost=[90.0, 100.0],
        startup_cost=[[5.0, 5.0]],
        capacity=[[1, 1]],
        minimum=0,
    )
    assert solve_plan(problem).instances.tolist() == [[[1, 0]]]
    assert solve_plan(replace(problem, startup_cost=np.array([[15.0, 15.0]]))).instances.tolist() == [[[0, 1]]]


def test_a_type_that_does_not_run_the_model_is_not_used():
    problem = PlanProblem(
        instances=[[[0, 3]]],
        demand=[[[1_500.0]]],
        throughput=[[1_000.0, 0.0]],
        acquisition_cost=[90.0, 1.0],
        startup_cost=[[5.0, 5.0]],
        capacity=[[5, 5]],
    )
    assert solve_plan(problem).instances.tolist() == [[[2, 0]]]


@pytest.mark.parametrize("solver", SOLVERS)
def test_minimum_beyond_capacity_is_reported(solver):
    plan = solve_plan(simple(capacity=[[1], [10]], minimum=2, demand=[[[0.0], [0.0]]]), solver=solver)
    assert plan.missing_instances.tolist() == [[1, 0]]
    assert plan.instances.tolist() == [[[1], [2]]]
    assert "nearest plan is short of 0 tokens/s in regions, 0 overall, 1 instances" in plan.summary()


@pytest.mark.parametrize("solver", SOLVERS)
def test_no_capacity_at_all(solver):
    plan = solve_plan(simple(capacity=[[0], [0]]), solver=solver)
    assert plan.instances.sum() == 0
    assert plan.global_shortfall.tolist() == [4_000]
    np.testing.assert_allclose(plan.shortfall, [[2_400, 800]])


def test_fleet_above_a_shrunken_capacity_comes_down():
    plan = solve_plan(simple(instances=[[[9], [9]]], capacity=[[3], [3]], demand=[[[9_000.0], [9_000.0]]]))
    assert plan.instances.tolist() == [[[3], [3]]]


def test_shortfall_first_then_cost():
    # Region 0 is short whatever happens; region 1 has room, and must not be filled beyond need for it.
    plan = solve_plan(simple(capacity=[[1], [50]], demand=[[[9_000.0], [1_000.0]]], epsilon=1.0))
    assert plan.instances.tolist() == [[[1], [9]]]  # the total can still be met from region 1, and no more than met
    assert plan.shortfall.tolist() == [[8_000, 0]]
    assert plan.global_shortfall.tolist() == [0]


def test_ties_go_to_the_region_of_the_highest_peak():
    demand = [[[500.0], [900.0], [600.0]]]
    problem = simple(instances=np.zeros((1, 3, 1)), demand=demand, capacity=[[9], [9], [9]], epsilon=0.0)
    assert solve_plan(problem).instances.tolist() == [[[0], [2], [0]]]


def test_out_of_time_holds_the_fleet():
    rng = np.random.default_rng(0)
    problem = PlanProblem(
        instances=rng.integers(0, 9, (20, 20, 5)),
        demand=rng.uniform(0, 50_000, (20, 20, 4)),
        throughput=rng.uniform(500, 5_000, (20, 5)),
        acquisition_cost=rng.uniform(30, 100, 5),
        startup_cost=rng.uniform(1, 20, (20, 5)),
        capacity=rng.integers(50, 200, (20, 5)),
    )
    plan = solve_plan(problem, time_limit_s=1e-6)
    assert plan.status == "held"
    assert not plan.feasible
    assert not plan.delta.any()
    assert "fleet held" in plan.summary()


def test_falls_back_to_cbc_without_highspy(monkeypatch):
    monkeypatch.setattr("baselines.program.solvers.find_spec", lambda name: None)
    assert solve_plan(simple()).solver == "cbc"
    with pytest.raises(InputError, match=r"solver = 'highs' is not installed; run: pip install 'sageserve-env\[solver\]'"):
        solve_plan(simple(), solver="highs")


def test_highs_is_the_default_and_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plan = solve_plan(simple())
    assert isinstance(plan, Plan)
    assert plan.solver == "highs"
    assert plan.gap == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"demand": [[[np.nan], [1.0]]]}, r"demand\[0, 0, 0\] = nan is not valid; give a number, 0 to 1e.18"),
        ({"demand": [[[1.0], [-1.0]]]}, r"demand\[0, 1, 0\] = -1.0 is not valid"),
        ({"demand": [[1.0, 1.0]]}, r"demand = shape \(1, 2\) does not fit; give \(models, regions, windows\)"),
        ({"demand": np.zeros((1, 2, 0))}, "demand = shape"),
        ({"demand": np.zeros((2, 2, 1))}, r"demand = shape \(2, 2, 1\) does not fit; give \(1, 2, 1\)"),
        ({"demand": [[[1e19], [1.0]]]}, r"demand\[0, 0, 0\] = 1e.19 is not valid; give a number, 0 to 1e.18"),
        ({"capacity": [[10], [10**10]]}, r"capacity\[1, 0\] = 1e.10|10000000000.0"),
        ({"capacity": [[10], [10**400]]}, "capacity = .* is no array of numbers"),
        ({"instances": [[2, 2]]}, r"instances has shape \(1, 2\)"),
        ({"instances": np.zeros((1, 0, 1))}, r"instances has shape \(1, 0, 1\)"),
        ({"instances": [[[1.5], [2]]]}, r"instances\[0, 0, 0\] = 1.5 is not valid; give a whole number, 0 to 1e.09"),
        ({"throughput": [[np.inf]]}, r"throughput\[0, 0\] = inf"),
        ({"throughput": [1_000.0]}, r"throughput = shape \(1,\) does not fit; give \(1, 1\)"),
        ({"acquisition_cost": [-1.0]}, r"acquisition_cost\[0\] = -1.0"),
        ({"startup_cost": [["dear"]]}, "startup_cost = .* is no array of numbers"),
        ({"capacity": [[10]]}, "capacity = shape"),
        ({"capacity": [[10], [0.5]]}, r"capacity\[1, 0\] = 0.5"),
        ({"minimum": -1}, "minimum = -1.0 is not valid; give a whole number, 0 to 1e.09"),
        ({"minimum": [[1]]}, "minimum = shape"),
        ({"epsilon": 1.5}, "epsilon = 1.5 is not a share"),
        ({"epsilon": float("nan")}, "epsilon = nan is not a share"),
    ],
)
def test_bad_problems_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        simple(**changes)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"solver": "gurobi"}, "solver = 'gurobi'"), ({"gap": -1.0}, "gap = -1.0"), ({"time_limit_s": 0.0}, "time_limit_s = 0.0")],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        solve_plan(simple(), **options)


def test_the_problem_keeps_its_own_copy():
    demand = np.array([[[3_000.0], [1_000.0]]])
    problem = simple(demand=demand)
    demand[:] = 0
    assert problem.demand.sum() == 4_000
    with pytest.raises(ValueError, match="read-only"):
        problem.demand[:] = 0
