"""Episodes of policies in environments: the accounts of an agent, attainment by tier, and which of them are feasible."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from baselines import ReactivePolicy, StaticPolicy
from baselines.siloed import SiloedPolicy
from sageserve_env.env import FleetEnv
from sageserve_env.env.rewards import TERMS
from sageserve_env.errors import InputError
from sageserve_env.evaluation.problems.episodes import LEVELS, EpisodeScore, play_policy
from sageserve_env.sim import Knobs

HOUR = {"horizon_s": 3600.0}
HELD = {"day": 0, "start_s": 36_000.0}


def scored(
    late: tuple[int, int, int], attainable: tuple[int, int, int] = (100, 100, 100), is_overfull: bool = False
) -> EpisodeScore:
    """The score of so many late requests among the attainable ones, by tier."""
    terms = dict.fromkeys(TERMS, 0.0) | {"vm_usd": 70.0, "breach_usd": 5.0}
    names = ("iw_f", "iw_n", "niw")
    terms |= {f"breaches_{name}": float(count) for name, count in zip(names, late, strict=True)}
    terms |= {f"attainable_{name}": float(count) for name, count in zip(names, attainable, strict=True)}
    return EpisodeScore(terms, is_overfull)


def test_levels_are_those_of_the_documentation() -> None:
    assert LEVELS == (0.95, 0.95, 0.99)


def test_attainment_is_by_tier_of_what_can_be_in_time() -> None:
    episode = scored((10, 0, 1), (40, 0, 200))
    assert episode.attainment == {"IW-F": 0.75, "IW-N": 1.0, "NIW": 0.995}
    assert episode.usd == 75.0


@pytest.mark.parametrize(
    ("late", "shortfall"),
    [
        ((0, 0, 0), 0.0),
        ((5, 5, 1), 0.0),  # at its level is held
        ((6, 0, 0), 0.01),
        ((0, 6, 0), 0.01),
        ((0, 0, 2), 0.01),
        ((10, 20, 5), 0.15),  # the worst tier
        ((100, 0, 0), 0.95),
    ],
)
def test_shortfall_is_the_worst_tiers(late: tuple[int, int, int], shortfall: float) -> None:
    episode = scored(late)
    assert episode.shortfall == pytest.approx(shortfall)
    assert episode.is_feasible == (shortfall == 0.0)


def test_a_level_is_held_to_the_last_request() -> None:
    """Shares of a twentieth and of a hundredth are exact at any number of requests."""
    for many in (20, 140, 300, 12_340, 999_980):
        assert scored((many // 20, many // 20, 0), (many, many, 0)).is_feasible
        assert not scored((many // 20 + 1, 0, 0), (many, many, many)).is_feasible
    for many in (100, 700, 12_300, 999_900):
        assert scored((0, 0, many // 100), (many, many, many)).is_feasible
        assert not scored((0, 0, many // 100 + 1), (many, many, many)).is_feasible


def test_an_overfull_episode_is_infeasible_whatever_it_cost() -> None:
    episode = scored((0, 0, 0), is_overfull=True)
    assert (episode.shortfall, episode.is_feasible) == (1.0, False)


def test_a_policys_episode_is_the_sum_of_its_steps() -> None:
    env, other = FleetEnv(**HOUR), FleetEnv(**HOUR)
    played = play_policy(env, StaticPolicy(instances=2), HELD, seed=3)
    other.reset(seed=3, options=HELD)
    knobs, sums, is_over = Knobs.static(other.setup.world), dict.fromkeys(TERMS, 0.0), False
    knobs.floor[:], knobs.cap[:] = 2, 2
    while not is_over:
        *_, is_over, info = other.follow(knobs)
        sums = {name: sums[name] + info[name] for name in sums}
    assert dict(played.terms) == pytest.approx(sums)
    assert played.usd == pytest.approx(sums["vm_usd"] + sums["breach_usd"])
    assert env.telemetry().now_s == 3600.0


def test_the_same_seed_gives_the_same_score_and_options_are_those_of_reset() -> None:
    env = FleetEnv(split="test", **HOUR)
    first, again, other = (play_policy(env, ReactivePolicy(), {"variant": k}, seed=1) for k in (0, 0, 2))
    assert first == again != other
    empty = play_policy(env, StaticPolicy(instances=0), {**HELD, "variant": 0, "initial_instances": 0}, seed=1)
    assert empty.terms["vm_usd"] == 0.0
    assert empty.attainment["IW-F"] < 0.05
    assert not empty.is_feasible


def test_a_full_pool_makes_the_score_infeasible() -> None:
    env = FleetEnv(max_in_flight=50, **HOUR)
    played = play_policy(env, StaticPolicy(instances=0), {**HELD, "initial_instances": 0})
    assert env.telemetry().now_s < 3600.0
    assert played.is_overfull
    assert played.shortfall == 1.0


@dataclass
class Clairvoyant(StaticPolicy):
    """Writes down what it is shown."""

    shown: ClassVar[list] = []

    def foresee(self, workload: object, seed: int) -> None:
        self.shown.append((workload, seed))


def test_bounds_are_shown_the_traffic_of_the_episode() -> None:
    env = FleetEnv(**HOUR)
    play_policy(env, Clairvoyant(instances=2), seed=4)
    ((workload, seed),) = Clairvoyant.shown
    assert (workload, seed) == (env.episode.workload, env.episode.workload_seed)
    requests = workload.stream(env.setup.world, seed).next_chunk()
    assert env.telemetry().arrived.sum() == np.sum(requests["arrival_s"] <= 3600.0)


class Stubborn(StaticPolicy):
    """Decides what no knobs are."""

    def decide(self, telemetry: object) -> Knobs:
        knobs = super().decide(telemetry)
        knobs.floor = knobs.floor[:-1]
        return knobs


def test_what_cannot_be_played_is_named() -> None:
    env = FleetEnv(**HOUR)
    with pytest.raises(InputError, match=r"policy 'static' at 0 s: knob floor has shape"):
        play_policy(env, Stubborn(instances=2))
    with pytest.raises(InputError, match="is a class"):
        play_policy(env, ReactivePolicy)
    with pytest.raises(InputError, match=r"policy 'siloed' asks for a fleet of its own"):
        play_policy(env, SiloedPolicy(interactive=2, non_interactive=1))
