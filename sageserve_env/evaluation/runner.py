"""One episode: a policy on a scenario, from time 0 to the horizon."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import numpy as np

from sageserve_env.errors import InputError
from sageserve_env.evaluation.policy import Policy, check_policy, policy_name, policy_options, prepared
from sageserve_env.evaluation.runs.result import Result
from sageserve_env.evaluation.runs.series import Sampler
from sageserve_env.scenarios.scenario import Scenario, check_intervals
from sageserve_env.sim import Simulator
from sageserve_env.sim.readout.telemetry import Telemetry
from sageserve_env.world.checks import MOST_S, require, require_count, require_span
from sageserve_env.world.schema import World

POLICY_STREAM = 0x706F6C696379  # "policy"
"""Sets the policy's random numbers apart from every other user of the same seed."""

MOST_SAMPLES = 1_000_000
DAY_S = 86_400.0

Progress = Callable[[float, int], None]
"""Called at every instant with the simulated seconds and the requests that have arrived."""


def run_episode(
    scenario: Scenario,
    policy: Policy,
    *,
    seed: int = 0,
    resolution_s: float = 300.0,
    log_requests: bool = False,
    drain: bool = False,
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
        drain: Go on past the horizon to the second in which the workload's last request is done; the policy goes on deciding, and
            what the run cost is counted up to there. A fleet on which what is left never runs is given up after ``patience_s``.
        progress: Called as time advances.

    Raises:
        InputError: ``scenario`` or ``policy`` is none, ``seed`` or ``resolution_s`` is out of range, the workload does not fit the
            world, or what the policy decides is no valid knobs.

    Example:
        >>> from baselines import StaticPolicy
        >>> from sageserve_env.workload.sources.o365 import O365Week
        >>> from sageserve_env.world import load_world
        >>> scenario = Scenario("minute", load_world("published"), O365Week(duration_s=60.0))
        >>> run_episode(scenario, StaticPolicy()).metrics.fleet_total.active_h
        4.0
    """
    require(isinstance(scenario, Scenario), "scenario", f"{scenario!r:.40}", "is no Scenario; give one")
    check_policy(policy)
    require_span("resolution_s", resolution_s)
    check_intervals("resolution_s", resolution_s, scenario.horizon_s, MOST_SAMPLES)
    require_count("seed", seed, least=0)
    scenario = prepared(policy, scenario, seed)
    sim = Simulator(scenario.world, scenario.workload, seed=seed, log_requests=log_requests)
    policy.reset(scenario, policy_rng(seed))
    sim.advance(0.0)  # compiles, so that the wall time is that of the simulation
    start_s = time.perf_counter()
    sampler = Sampler(scenario.world, sim)
    done_from_s = max(scenario.horizon_s, scenario.workload.duration_s) if drain else math.inf
    watch = Watch(patience_s(scenario.world), done_from_s)
    last_s = MOST_S if drain else scenario.horizon_s
    for now_s, is_sample, is_control in instants(last_s, resolution_s, scenario.control_interval_s):
        is_over = advance(sim, now_s, done_from_s)
        telemetry = sim.telemetry()
        is_over = is_over or watch.gives_up(telemetry)
        if is_sample or is_over:
            sampler.sample(sim, telemetry)
        if progress is not None:
            progress(sim.now_s, int(telemetry.arrived.sum()))
        if is_over:
            break
        if is_control:
            decide(policy, telemetry, sim)
    wall_s = time.perf_counter() - start_s
    return Result(
        scenario=scenario.name,
        policy=policy_name(policy),
        policy_options=policy_options(policy),
        seed=int(seed),
        world=scenario.world,
        workload=scenario.workload.name,
        week_start_s=getattr(scenario.workload, "week_start_s", None),
        horizon_s=sim.now_s if drain else scenario.horizon_s,
        control_interval_s=scenario.control_interval_s,
        resolution_s=resolution_s,
        metrics=sim.metrics(),
        series=sampler.columns(),
        requests=sim.request_log() if log_requests else None,
        wall_s=wall_s,
    )


def decide(policy: Policy, telemetry: Telemetry, sim: Simulator) -> None:
    """Put into force what the policy decides."""
    knobs = policy.decide(telemetry)
    try:
        sim.apply(knobs)
    except InputError as error:
        raise InputError(f"policy '{policy_name(policy)}' at {telemetry.now_s:g} s: {error}") from None


def advance(sim: Simulator, until_s: float, done_from_s: float) -> bool:
    """Advance to ``until_s``, or from ``done_from_s`` on to the second in which nothing is in flight; whether nothing is."""
    sim.advance(min(until_s, max(done_from_s, sim.now_s)))
    while sim.now_s < until_s and sim.in_flight > 0:
        sim.advance(min(sim.now_s + 1.0, until_s))
    return sim.now_s >= done_from_s and sim.in_flight == 0


def patience_s(world: World) -> float:
    """How long a run that drains waits while no request runs: a day, and the longest that any mechanism may take."""
    lead = world.lead_times
    old_s = world.niw.promote_after_s
    return DAY_S + max(lead.reclaim_s, lead.redeploy_s, lead.remote_fetch_s) + (old_s if math.isfinite(old_s) else 0.0)


class Watch:
    """Notices that nothing moves any more, once a time has come.

    Args:
        patience_s: Seconds without a running request that are too many.
        from_s: When to begin.
    """

    def __init__(self, patience_s: float, from_s: float) -> None:
        self._patience_s, self._moved_s, self._completed = patience_s, from_s, 0

    def gives_up(self, telemetry: Telemetry) -> bool:
        """Whether to give up now."""
        completed = int(telemetry.completed.sum())
        if telemetry.running.any() or completed != self._completed:
            self._moved_s, self._completed = max(self._moved_s, telemetry.now_s), completed
        return telemetry.now_s - self._moved_s > self._patience_s


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
