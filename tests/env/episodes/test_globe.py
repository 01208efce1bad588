"""The world round the globe as an environment: alone, in a vector and from a snapshot the same bits."""

import numpy as np

from sageserve_env.env import FleetEnv, VectorFleetEnv
from sageserve_env.env.rewards import TERMS
from sageserve_env.workload.sources.globe import globe_week
from sageserve_env.world import globe

CONFIG = {"horizon_s": 1800.0, "control_interval_s": 300.0}


def make(kind: type, **arguments: object) -> FleetEnv | VectorFleetEnv:
    workload = globe_week(86_400.0, 3600.0, scale=0.02)
    return kind(world=globe(off_peak_discount=0.3), workload=workload, **CONFIG, **arguments)


def test_single_vector_and_restored_are_the_same_bits() -> None:
    env, envs = make(FleetEnv), make(VectorFleetEnv, num_envs=2)
    observations, _ = envs.reset(seed=[7, 8])
    observation, _ = env.reset(seed=7)
    assert observation.tobytes() == observations[0].tobytes()
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(6)]
    steps = [env.step(action) for action in actions[:3]]
    snapshot = env.snapshot()
    steps += [env.step(action) for action in actions[3:]]
    for action, (observation, reward, _, _, info) in zip(actions, steps, strict=True):
        observations, rewards, _, _, infos = envs.step(np.stack([action, action]))
        assert observation.tobytes() == observations[0].tobytes()
        assert reward == rewards[0]
        assert all(info[name] == infos[name][0] for name in TERMS)
        assert min(info[name] for name in ("carbon_kg", "energy_kwh", "egress_usd", "carbon_usd", "vm_usd")) >= 0
    env.restore(snapshot)
    for action, (observation, reward, *_) in zip(actions[3:], steps[3:], strict=True):
        again, other, *_ = env.step(action)
        assert (again.tobytes(), other) == (observation.tobytes(), reward)


def test_the_terms_of_its_steps_add_up_to_what_was_spent() -> None:
    env = make(FleetEnv)
    env.reset(seed=1)
    held = np.full(env.action_space.shape, env.setup.settings.max_delta)
    sums = dict.fromkeys(TERMS, 0.0)
    for _ in range(6):
        *_, info = env.step(held)
        sums = {name: value + info[name] for name, value in sums.items()}
    spending = env.spending()
    for name, spent in (("vm_usd", spending.vm_usd), ("energy_kwh", spending.energy_kwh), ("carbon_kg", spending.carbon_kg)):
        np.testing.assert_allclose(sums[name], spent.sum(), rtol=1e-9)
    np.testing.assert_allclose(sums["egress_usd"], spending.egress_usd.sum(), rtol=1e-9)
    assert sums["carbon_kg"] > 0
