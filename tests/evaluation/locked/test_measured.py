"""What was measured beyond the terms is what the simulator's metrics say of the same run."""

import pytest

from sageserve_env.env import FleetEnv
from sageserve_env.evaluation.locked.play.measured import MEASURED, TTFT_P95, measured
from sageserve_env.evaluation.policy import load_policy
from sageserve_env.evaluation.problems.episodes import EPISODE_SEED, play_policy
from sageserve_env.sim import Simulator


def test_it_is_what_the_simulator_measures_in_the_open() -> None:
    """Under the fleet as it starts, held."""
    env = FleetEnv(problem="mini", split="test", horizon_s=3600.0)
    play_policy(env, load_policy("static"), {"day": 0, "variant": 1}, EPISODE_SEED)
    found, episode = measured(env), env.episode
    sim = Simulator(env.setup.world, episode.workload, seed=episode.workload_seed)
    sim.advance(3600.0)
    metrics = sim.metrics()
    fleet, by_tier = metrics.fleet_total, {row.tier: row for row in metrics.service_by("tier")}
    assert list(found) == list(MEASURED)
    assert {name: found[name] for name in TTFT_P95.values()} == {name: by_tier[tier].ttft_p95_s for tier, name in TTFT_P95.items()}
    assert found["niw_e2e_p95_s"] == by_tier["NIW"].e2e_p95_s
    assert found["active_h"] == pytest.approx(fleet.active_h)
    assert found["peak_15min_h"] == pytest.approx(fleet.peak_15min_h)
    terms = env.episode_terms
    hours = found["active_h"] + found["provisioning_h"] + found["draining_h"]
    assert hours == pytest.approx(terms["vm_hours"])
    late = by_tier["NIW"]
    assert found["niw_unfinished"] == late.queued + late.waiting + late.running + late.travelling


def test_before_anything_happened_nothing_is_measured() -> None:
    env = FleetEnv(problem="mini", split="test")
    env.reset(seed=0)
    assert measured(env)["ttft_p95_iw_f_s"] is None
    assert measured(env)["active_h"] == 0.0
