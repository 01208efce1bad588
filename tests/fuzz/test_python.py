"""The Python interface: arguments, knobs, snapshots, policies, workloads and environments by everything that they are not."""

from dataclasses import fields, replace

import gymnasium as gym
import numpy as np
import pytest

from baselines.program import PlanProblem, solve_plan
from sageserve_env.env import FleetEnv, VectorFleetEnv
from sageserve_env.errors import InputError
from sageserve_env.evaluation.policy import load_policy
from sageserve_env.evaluation.runner import run_episode
from sageserve_env.scenarios.scenario import Scenario
from sageserve_env.sim import Knobs, Simulator
from sageserve_env.workload import load_workload
from sageserve_env.workload.request import REQUEST_DTYPE
from sageserve_env.world import load_world, validate
from tests.fuzz.strategies import VALUES, Trial, sample, short

REFUSED = (InputError, TypeError)
"""What a wrong argument may raise: our line, or Python's own word for a wrong kind."""


@pytest.fixture(scope="module")
def world():
    """The paper's; kernels and packages are there before the clock runs."""
    published = load_world("published")
    run_episode(
        Scenario("warm", published, load_workload("o365-hour").slice(0, 1)), load_policy("lt-i", forecaster="seasonal-naive")
    )
    return published


@pytest.fixture(scope="module")
def warm_env():
    """Kernels are there before the clock runs."""
    env = FleetEnv()
    env.reset(seed=0)
    env.step(env.action_space.sample())
    env.close()


@pytest.fixture(scope="module")
def traffic():
    return load_workload("o365-hour").slice(0, 20).scale(0.01)


def test_a_simulator(world, traffic):
    trial = Trial(allowed=REFUSED)
    sim = Simulator(world, traffic)
    sim.advance(1.0)
    snapshot = sim.snapshot()
    for value in VALUES:
        what = short(value)
        if not is_small_number(value):
            trial.attempt(f"advance({what})", lambda value=value: sim.advance(value))
        trial.attempt(f"apply({what})", lambda value=value: sim.apply(value))
        trial.attempt(f"restore({what})", lambda value=value: sim.restore(value))
        trial.attempt(f"Simulator(world, {what})", lambda value=value: Simulator(world, value))
        trial.attempt(f"Simulator({what}, traffic)", lambda value=value: Simulator(value, traffic))
        trial.attempt(f"seed={what}", lambda value=value: Simulator(world, traffic, seed=value))
        trial.attempt(f"Scenario(interval {what})", lambda value=value: Scenario("x", world, traffic, value))
    trial.conclude(300)
    sim.restore(snapshot)


def is_small_number(value):
    """Advancing to a time that is far away takes as long as it does."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1e300


def test_knobs(world, traffic):
    trial = Trial(allowed=REFUSED)
    sim = Simulator(world, traffic)
    sim.advance(0.0)
    good = Knobs.static(world)
    cases = [(field.name, value) for field in fields(good) for value in VALUES]
    for name, value in sample(1, cases, 250):
        trial.attempt(f"{name} = {short(value)}", lambda name=name, value=value: sim.apply(replace(good, **{name: value})))
        array = getattr(good, name)
        if isinstance(array, np.ndarray) and array.dtype.kind == "f" and isinstance(value, int | float) and abs(value) <= 1e308:
            trial.attempt(
                f"{name}[0] = {short(value)}", lambda n=name, v=value: sim.apply(replace(good, **{n: first_set(good, n, v)}))
            )
    trial.conclude(250)


def first_set(knobs, name, value):
    array = getattr(knobs, name).copy()
    array.flat[0] = value
    return array


class Chunks:
    """A workload of the user's own, of one chunk."""

    name = "own"
    duration_s = 10.0

    def __init__(self, chunk):
        self.chunk = chunk

    def stream(self, world, seed):
        return self

    def next_chunk(self):
        chunk, self.chunk = self.chunk, np.zeros(0, REQUEST_DTYPE)
        return chunk


def test_workloads_of_the_users_own(world):
    trial = Trial(allowed=REFUSED)
    good = np.zeros(3, REQUEST_DTYPE)
    good["arrival_s"], good["prompt_tokens"], good["output_tokens"] = [1, 2, 3], 5, 5
    for name in REQUEST_DTYPE.names:
        kind = REQUEST_DTYPE[name]
        extremes = [np.nan, np.inf, -1.0, 1e300] if kind.kind == "f" else [np.iinfo(kind).max, np.iinfo(kind).min]
        for value in extremes:
            bad = good.copy()
            bad[name][1] = value
            trial.attempt(f"{name} = {value}", lambda bad=bad: Simulator(world, Chunks(bad)).advance(5.0))
    for value in VALUES:
        trial.attempt(f"a chunk {short(value)}", lambda value=value: Simulator(world, Chunks(value)).advance(5.0))
    trial.conclude(50)


class Answers:
    """A policy that answers the same, whatever it is."""

    def __init__(self, answer):
        self.answer = answer

    def reset(self, scenario, rng):
        pass

    def decide(self, telemetry):
        return self.answer


def test_policies(world, traffic):
    trial = Trial(allowed=REFUSED)
    scenario = Scenario("x", world, traffic)
    cases = [(policy, option, value) for policy, options in OPTIONS.items() for option in options for value in VALUES]
    for policy, option, value in sample(2, cases, 150):
        what = f"{policy}({option}={short(value)})"
        options = {"forecaster": "seasonal-naive", option: value} if policy == "lt-i" else {option: value}
        trial.attempt(what, lambda policy=policy, options=options: run_episode(scenario, load_policy(policy, **options)))
    for value in VALUES:
        trial.attempt(f"decide -> {short(value)}", lambda value=value: run_episode(scenario, Answers(value)))
        trial.attempt(f"load_policy({short(value)})", lambda value=value: load_policy(value))
        trial.attempt(f"run_episode(policy={short(value)})", lambda value=value: run_episode(scenario, value))
    trial.conclude(250)


OPTIONS = {
    "static": ("instances", "admission_order"),
    "reactive": ("cool_down_s", "min_instances", "scale_out_utilization"),
    "siloed": ("interactive", "non_interactive"),
    "chiron": ("interactive", "mixed", "batch"),
    "lt-i": ("epsilon", "niw_share", "capacity", "throughput", "window_s", "initial_instances", "forecaster"),
}

KEYWORDS = (
    "problem",
    "split",
    "world",
    "workload",
    "control_interval_s",
    "horizon_s",
    "action_mode",
    "max_delta",
    "reward",
    "admission_order",
    "lead_times",
    "observation",
    "mask_in_observation",
    "hide_queues",
    "telemetry_delay",
    "telemetry_noise",
    "forecaster",
    "max_in_flight",
    "render_mode",
)


def test_arguments_of_environments(warm_env):
    trial = Trial(allowed=REFUSED)
    cases = [(name, value) for name in KEYWORDS for value in VALUES]
    for name, value in sample(3, cases, 250):
        trial.attempt(f"FleetEnv({name}={short(value)})", lambda name=name, value=value: FleetEnv(**{name: value}).close())
    for value in VALUES:
        trial.attempt(f"VectorFleetEnv({short(value)})", lambda value=value: VectorFleetEnv(value).close())
        mode = {"autoreset_mode": value}
        trial.attempt(f"VectorFleetEnv(2, {short(mode)})", lambda mode=mode: VectorFleetEnv(2, **mode).close())
    trial.conclude(300)


def test_environments(warm_env):
    trial = Trial(allowed=(*REFUSED, gym.error.Error))  # Gymnasium's own word for a seed
    single, vector = FleetEnv(), VectorFleetEnv(2)
    single.reset(seed=0)
    vector.reset(seed=0)
    for value in VALUES:
        what = short(value)
        for name in ("day", "start_s", "seed", "instances", "scale", value):
            if name.__hash__ is not None:
                trial.attempt(
                    f"options {{{short(name)}: {what}}}", lambda name=name, value=value: single.reset(options={name: value})
                )
        trial.attempt(f"reset(seed={what})", lambda value=value: single.reset(seed=value))
        trial.attempt(f"reset(options={what})", lambda value=value: single.reset(options=value))
        single.reset(seed=0)
        trial.attempt(f"step({what})", lambda value=value: single.step(value))
        trial.attempt(f"restore({what})", lambda value=value: single.restore(value))
        trial.attempt(f"vector.reset(seed={what})", lambda value=value: vector.reset(seed=value))
        trial.attempt(f"vector.step({what})", lambda value=value: vector.step(value))
        trial.attempt(f"vector.restore({what})", lambda value=value: vector.restore(value))
        trial.attempt(f"vector.snapshot({what})", lambda value=value: vector.snapshot(value))
    trial.conclude(500)
    single.close()
    vector.close()


def test_the_integer_program():
    trial = Trial(allowed=REFUSED)
    good = {
        "instances": [[[2], [2]]],
        "demand": [[[3e3], [1e3]]],
        "throughput": [[1e3]],
        "acquisition_cost": [98.32],
        "startup_cost": [[16.0]],
        "capacity": [[10], [10]],
        "minimum": 0,
        "epsilon": 0.8,
    }
    for name in good:
        for value in VALUES:
            trial.attempt(f"{name} = {short(value)}", lambda name=name, value=value: PlanProblem(**{**good, name: value}))
    for value in VALUES:
        plan = {"solver": "highs", "gap": 0.0, "time_limit_s": 1.0}
        for changed in ({**plan, name: value} for name in plan):
            trial.attempt(short(changed), lambda changed=changed: solve_plan(PlanProblem(**good), **changed))
    trial.conclude(400)


def test_worlds_in_python(world):
    trial = Trial(allowed=REFUSED)
    cases = [(field.name, value) for field in fields(world) for value in VALUES]
    parts = ("lead_times", "serving", "routing", "niw", "scaling", "dpa")
    cases += [((part, field.name), value) for part in parts for field in fields(getattr(world, part)) for value in VALUES]
    for name, value in sample(5, cases, 300):
        trial.attempt(f"{name} = {short(value)}", lambda name=name, value=value: validate(changed(world, name, value)))
    trial.conclude(300)


def changed(world, name, value):
    if isinstance(name, str):
        return replace(world, **{name: value})
    part, inner = name
    return replace(world, **{part: replace(getattr(world, part), **{inner: value})})
