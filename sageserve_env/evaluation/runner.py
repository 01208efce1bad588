"""One episode: a policy on a scenario, from time 0 to the horizon."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from sageserve_env.evaluation.policy import Policy, policy_name, policy_options, prepared
from sageserve_env.evaluation.result import Result
from sageserve_env.evaluation.series import Sampler
from sageserve_env.scenarios.scenario import Scenario
from sageserve_env.sim import Simulator
from sageserve_env.world.checks import require_count, require_positive

POLICY_STREAM = 0x706F6C696379  # "policy"
"""Sets the policy's random numbers apart from every other user of the same seed."""

Progress = Callable[[float, int], None]
"""Called at every instant with the simulated seconds and the requests that have arrived."""


def run_episode(
    scenario: Scenario,
    policy: Policy,
    *,
    seed: int = 0,
    resolution_s: float = 300.0,
    log_requests: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Run a policy on a scenario and report what came of it.

    The policy decides at time 0 and every ``scenario.control_interval_s``. At the horizon the run stops; requests that are then in
    flight are counted as such. The same scenario, policy and seed give the same result, bit for bit, save the wall time.

    Args:
        scenario: The problem.
        policy: Who decides.
        seed: Seed of the workload, and, in a stream of its own, of the policy.
        resolution_s: Seconds between two rows of the time series; the last row may span less.
        log_requests: Keep a row for each finished request.
        progress: Called as time advances.

    Raises:
        InputError: ``seed`` or ``resolution_s`` is out of range, the workload does not fit the world, or a knob is not valid.

    Example:
        >>> from baselines import StaticPolicy
        >>> from sageserve_env.workload.sources.o365 import O365Week
        >>> from sageserve_env.world import load_world
        >>> scenario = Scenario("minute", load_world("published"), O365Week(duration_s=60.0))
        >>> run_episode(scenario, StaticPolicy()).metrics.fleet_total.active_h
        4.0
    """
    require_positive("resolution_s", resolution_s, "give seconds, more than 0")
    require_count("seed", seed, least=0)
    scenario = prepared(policy, scenario, seed)
    sim = Simulator(scenario.world, scenario.workload, seed=seed, log_requests=log_requests)
    policy.reset(scenario, policy_rng(seed))
    sim.advance(0.0)  # compiles, so that the wall time is that of the simulation
    start_s = time.perf_counter()
    sampler = Sampler(scenario.world, sim)
    for now_s, is_sample, is_control in instants(scenario.horizon_s, resolution_s, scenario.control_interval_s):
        sim.advance(now_s)
        telemetry = sim.telemetry()
        if is_sample:
            sampler.sample(sim, telemetry)
        if is_control:
            sim.apply(policy.decide(telemetry))
        if progress is not None:
            progress(now_s, int(telemetry.arrived.sum()))
    wall_s = time.perf_counter() - start_s
    return Result(
        scenario=scenario.name,
        policy=policy_name(policy),
        policy_options=policy_options(policy),
        seed=int(seed),
        world=scenario.world,
        workload=scenario.workload.name,
        week_start_s=getattr(scenario.workload, "week_start_s", None),
        horizon_s=scenario.horizon_s,
        control_interval_s=scenario.control_interval_s,
        resolution_s=resolution_s,
        metrics=sim.metrics(),
        series=sampler.columns(),
        requests=sim.request_log() if log_requests else None,
        wall_s=wall_s,
    )


def policy_rng(seed: int) -> np.random.Generator:
    """The policy's generator of a seed."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(POLICY_STREAM,)))


def instants(horizon_s: float, resolution_s: float, control_s: float) -> Iterator[tuple[float, bool, bool]]:
    """The instants at which a run pauses, in order: (time, whether to sample, whether to decide).

    Decisions fall on multiples of ``control_s`` from 0 on, before the horizon; samples on multiples of ``resolution_s`` above 0,
    and on the horizon.

    Example:
        >>> list(instants(5.0, 2.0, 4.0))
        [(0.0, False, True), (2.0, True, False), (4.0, True, True), (5.0, True, False)]
    """
    samples, decisions = 1, 0
    now_s = 0.0
    while now_s < horizon_s:
        sample_s, decision_s = min(samples * resolution_s, horizon_s), decisions * control_s
        now_s = min(sample_s, decision_s)
        is_sample, is_control = now_s == sample_s, now_s == decision_s and now_s < horizon_s
        samples += is_sample
        decisions += is_control
        yield now_s, is_sample, is_control
