"""How large the fleets of an episode must be, hour by hour, and what a breach must cost for honest service to pay."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sageserve_env.env import FleetEnv
from sageserve_env.errors import InputError
from sageserve_env.evaluation.problems.episodes import LEVELS, EpisodeScore, episode_score
from sageserve_env.scenarios import Problem
from sageserve_env.sim.knobs import Knobs
from sageserve_env.sim.requests.routing import MOST_LOAD
from sageserve_env.sim.state import IW_F, IW_N
from sageserve_env.world.checks import require_count
from sageserve_env.world.schema import TIERS, World

HOUR_S = 3600.0
MOST_INSTANCES = 12
"""Up to which every size of an endpoint is tried; larger ones in steps of a tenth."""
MOST_TRIED = 100
WANTED = 0.95
"""Share of the IW-F of an endpoint and hour that the fleet needed serves in time."""

TRIED = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.99)
"""Shares of IW-F for which fleets are made ready, and their bills compared."""


@dataclass(frozen=True)
class Needs:
    """What an episode asks of its fleets.

    Attributes:
        met: Share of its attainable IW-F that each hour, region and model meets with each size of an endpoint, on the first VM type
            on which the model runs and without help from other regions, shape (sizes, hours, R, M); NaN where no IW-F came.
        attainable: Share of IW-F that the largest fleet tried serves in time.
        requests: That arrive.
        sizes: Instances of the fleets tried, from small to large.
    """

    met: NDArray[np.float64]
    attainable: float
    requests: int
    sizes: tuple[int, ...] = tuple(range(1, MOST_INSTANCES + 1))

    def instances(self, level: float = WANTED) -> NDArray[np.int64]:
        """Least instances that meet a level, shape (hours, R, M); one more than were tried where none does, 0 without IW-F."""
        is_enough = self.met >= level
        least = np.where(is_enough.any(axis=0), np.array(self.sizes)[is_enough.argmax(axis=0)], self.sizes[-1] + 1)
        return np.where(np.isnan(self.met).any(axis=0) | (level == 0.0), 0, least)

    @property
    def endpoint_swing(self) -> NDArray[np.float64]:
        """The same of the endpoint of each model with the largest swing, shape (M,)."""
        return _swing(self.instances()).max(axis=0)

    @property
    def swing(self) -> NDArray[np.float64]:
        """The largest hour's fleet of each model over its smallest, regions together, shape (M,)."""
        return _swing(self.instances().sum(axis=1))


def _swing(fleets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Most over least along the first axis; a fleet of none counts as one."""
    swing: NDArray[np.float64] = fleets.max(axis=0) / np.maximum(fleets.min(axis=0), 1)
    return swing


def sizes(most: int) -> tuple[int, ...]:
    """Instances of an endpoint to try, up to the most: one more each time, then a tenth more."""
    tried = list(range(1, min(most, MOST_INSTANCES) + 1))
    while tried[-1] < most:
        tried.append(min(math.ceil(1.1 * tried[-1]), most))
    return tuple(tried)


def needs(problem: Problem, options: dict[str, Any], seed: int = 0, split: str = "test", most: int = MOST_INSTANCES) -> Needs:
    """Play fleets of 1, 2, ... instances of every endpoint on as many VMs as they want, and see how they serve each hour.

    Args:
        problem: What is played; its VMs do not limit the fleets.
        options: Of ``reset``.
        seed: Of ``reset``.
        split: Of the problem.
        most: Instances of an endpoint in the largest fleet, at least 1.

    Raises:
        InputError: ``most`` is out of its range.
    """
    require_count("most", most, 1, MOST_TRIED)
    tried = sizes(most)
    env = FleetEnv(problem=replace(problem, fleet=_roomy(problem.world(), most)), split=split)
    world, hours = env.setup.world, math.ceil(problem.horizon_s / HOUR_S)
    met = np.zeros((len(tried), hours, len(world.regions), len(world.models)))
    for k, size in enumerate(tried):
        env.reset(seed=seed, options=options | {"initial_instances": size})
        met[k] = _met_by_hour(env, _alone(world, size), hours)
    score = episode_score(env)
    return Needs(met, score.attainment["IW-F"], int(score.terms["arrived"]), tried)


def play_needed(problem: Problem, instances: NDArray[np.int64], options: dict[str, Any], seed: int = 0) -> EpisodeScore:
    """Play fleets of each hour, region and model, asked for an hour before: VMs that others still hold take their time."""
    env = FleetEnv(problem=problem, split="test")
    world, interval_s = env.setup.world, problem.control_interval_s
    ahead = round(HOUR_S / interval_s)
    steps = round(problem.horizon_s / interval_s)
    hour = np.minimum(np.arange(steps + ahead) * interval_s // HOUR_S, len(instances) - 1).astype(int)
    env.reset(seed=seed, options=options)
    for step in range(steps):
        if env.follow(_held(world, instances[hour[step : step + ahead + 1]].max(axis=0).ravel()))[3]:
            break
    return episode_score(env)


def break_even_usd(
    problem: Problem, options: dict[str, Any], needed: Needs, seed: int = 0
) -> tuple[float, list[tuple[float, EpisodeScore]]]:
    """The price of a breach, the same for all tiers, above which leaving interactive requests late is dearer than serving them.

    Fleets that serve 0 to 99 % of IW-F in time are compared. At a price above the one returned, each that misses a level of IW-F or
    IW-N costs more than some that holds both.

    Args:
        problem: The problem.
        options: Of ``reset``.
        needed: What :func:`needs` found for them.
        seed: Of ``reset``.

    Returns:
        The price in dollars, and the levels with their scores.

    Raises:
        InputError: No fleet holds the levels, or every one does: then there is nothing to compare.
    """
    played = [(level, play_needed(problem, needed.instances(level), options, seed)) for level in TRIED]
    honest = [score for _, score in played if _holds(score)]
    late = [score for _, score in played if not _holds(score)]
    if not honest or not late:
        which = "every" if honest else "no"
        raise InputError(
            f"{problem.name}: {which} fleet holds the levels on {options}, so no price tells them apart; take another day"
        )
    return max(min(_price(score, other) for other in honest) for score in late), played


def _holds(score: EpisodeScore) -> bool:
    """Whether the interactive tiers hold their levels. Batch work waits for what they leave."""
    return all(score.attainment[TIERS[tier]] >= LEVELS[tier] for tier in (IW_F, IW_N))


def _price(late: EpisodeScore, honest: EpisodeScore) -> float:
    """What a breach must cost for a fleet that is late to be no cheaper than an honest one."""
    more = late.breaches - honest.breaches
    return max(honest.terms["vm_usd"] - late.terms["vm_usd"], 0.0) / more if more > 0 else math.inf


def _roomy(world: World, most: int) -> World:
    """A world in which every endpoint can have the most instances at once."""
    vms = len(world.models) * most
    return replace(
        world, regions=tuple(replace(region, vm_capacity=dict.fromkeys(region.vm_capacity, vms)) for region in world.regions)
    )


def _held(world: World, instances: NDArray[np.int64]) -> Knobs:
    """Knobs that hold so many instances of each endpoint, shape (N,), on the first VM type that its model runs on."""
    knobs = Knobs.static(world)
    names = [vm_type.name for vm_type in world.vm_types]
    homes = [next(k for k, name in enumerate(names) if name in model.profiles) for model in world.models]
    knobs.floor[...] = 0
    for endpoint, count in enumerate(instances):
        knobs.floor[endpoint, homes[endpoint // len(world.pools) % len(world.models)]] = count
    knobs.cap[...] = knobs.floor
    return knobs


def _alone(world: World, count: int) -> Knobs:
    """The same number everywhere, and no region helps another."""
    knobs = _held(world, np.full(world.n_endpoints, count))
    knobs.routing_threshold[...] = MOST_LOAD
    return knobs


def _met_by_hour(env: FleetEnv, knobs: Knobs, hours: int) -> NDArray[np.float64]:
    """Share of the IW-F of each hour, region and model that was not late in it, shape (hours, R, M); NaN where none came.

    Once too many requests are in the system, nothing is met any more.
    """
    hour = np.arange(env.setup.n_steps) * env.setup.problem.control_interval_s // HOUR_S
    before, is_over = _iw_f(env), False
    met = np.zeros((hours, *before.shape[1:]))
    for number in range(hours):
        for _ in range(np.count_nonzero(hour == number)):
            is_over = is_over or env.follow(knobs)[3]
        if is_over and number < hours - 1:
            break
        now = _iw_f(env)
        late, came = now - before
        met[number] = np.where(came > 0, 1.0 - late / np.maximum(came, 1), np.nan)
        before = now
    return met


def _iw_f(env: FleetEnv) -> NDArray[np.int64]:
    """Avoidable breaches and arrivals of IW-F so far by region and model, shape (2, R, M)."""
    telemetry = env.telemetry()
    return np.array([telemetry.breached[..., IW_F], telemetry.arrived[..., IW_F]])
