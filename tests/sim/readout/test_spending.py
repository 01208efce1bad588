"""Money by region and hour, egress, energy and carbon, on hours worked out by hand; simulator and environment agree."""

from dataclasses import replace

import numpy as np
import pytest

from sageserve_env.env import FleetEnv, VectorFleetEnv
from sageserve_env.env.rewards import TERMS, Money
from sageserve_env.errors import InputError
from sageserve_env.sim import Knobs, Simulator
from sageserve_env.sim.state import SPOT
from sageserve_env.world.schema import Carbon, LeadTimes, Power, Region, Scaling
from tests.sim import helpers
from tests.sim.helpers import ArrayWorkload, random_rows, random_world, requests, simulate, state_bytes, toy_world

UNTIL_S = 7200.0
GRAMS = {"R0": (100.0, 300.0), "R1": (50.0, 400.0)}
FACTORS = {"r0": (1.0, 0.5), "r1": (1.0, 3.0)}
POWER = Power(idle_w=100.0, base_w=200.0, span_w=300.0, half_batch=2.0, provenance="a toy")
PUE = 1.5

# The first request takes 12.75 s to prefill and 99 tokens of 9/64 s, all of it in r0 and 10 s of it in the first hour. It fills
# nine tenths of r0, so the second goes to r1: 1.25 s to prefill and 8 tokens of 9/64 s.
ROWS = requests((3590.0, 800, 100), (3604.0, 64, 9))
BUSY_S = {"r0": (10.0, 12.75 + 99 * 9 / 64 - 10.0), "r1": (0.0, 1.25 + 8 * 9 / 64)}


def series(path, zones, hours=168, begin="2024-01-01"):
    """A file of hourly values: the first hours' as given, then the last of them."""
    stamps = np.datetime64(f"{begin}T00:00", "m") + np.arange(hours) * np.timedelta64(60, "m")
    columns = [np.append(values, np.full(hours - len(values), values[-1])) for values in zones.values()]
    lines = [
        f"utc,{','.join(zones)}",
        *(f"{s},{','.join(f'{v:g}' for v in row)}" for s, *row in zip(stamps, *columns, strict=True)),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def day_of(factors):
    return (*factors, *(factors[-1],) * (24 - len(factors)))


def costly(file, **parts):
    """Two regions with prices, carbon, power and egress of numbers that are easily told apart."""
    world = toy_world(regions=2, vms=2, scaling=Scaling(min_instances=1), **parts)
    regions = tuple(
        Region(
            f"r{i}",
            {"t0": 2},
            price_usd_per_h={"t0": 2.0 + 2.0 * i},
            price_by_hour=day_of(FACTORS[f"r{i}"]),
            carbon=Carbon(f"R{i}", file),
        )
        for i in range(2)
    )
    models = tuple(replace(model, power={"t0": POWER}) for model in world.models)
    egress = ((0.0, 0.5), (0.25, 0.0))
    return replace(world, regions=regions, models=models, egress_usd_per_gb=egress, egress_bytes_per_token=1e9, pue=PUE)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return series(tmp_path_factory.mktemp("carbon") / "grams.csv", GRAMS)


@pytest.fixture(scope="module")
def world(file):
    return costly(file)


def watt_hours(region):
    """Joules over 3600 of a region's one instance in each of the two hours, without the data centre's share."""
    return [(100.0 * (3600.0 - busy) + 300.0 * busy) / 3600.0 for busy in BUSY_S[region]]


ENERGY_KWH = PUE * sum(sum(watt_hours(region)) for region in BUSY_S) / 1000.0
CARBON_KG = PUE * sum(np.dot(watt_hours(f"r{i}"), GRAMS[f"R{i}"]) for i in range(2)) / 1e6
VM_USD = sum((2.0 + 2.0 * i) * sum(FACTORS[f"r{i}"]) for i in range(2))
EGRESS_USD = 64 * 0.5 + 9 * 0.25


def test_two_hours_by_hand(world):
    metrics = simulate(world, ROWS, UNTIL_S).metrics()
    fleet = metrics.fleet_total
    assert fleet.dollars == pytest.approx(VM_USD, rel=1e-12)
    assert fleet.energy_kwh == pytest.approx(ENERGY_KWH, rel=1e-12)
    assert fleet.carbon_kg == pytest.approx(CARBON_KG, rel=1e-12)
    assert metrics.egress_usd == pytest.approx(EGRESS_USD, rel=1e-12)
    for i, row in enumerate(metrics.fleet_by("region")):
        assert row.dollars == pytest.approx((2.0 + 2.0 * i) * sum(FACTORS[f"r{i}"]))
        assert row.carbon_kg == pytest.approx(PUE * np.dot(watt_hours(f"r{i}"), GRAMS[f"R{i}"]) / 1e6)


def test_the_batch_sets_the_power(world):
    """Two requests at once in r0: 200 + 300 * 2 / 4 W while both decode; tokens of 5/32 s."""
    one_of_two = requests((0.0, 64, 17), (0.0, 64, 17))
    sim = simulate(replace(world, pue=1.0), one_of_two, 100.0)
    # The first is prefilled alone (1.25 s); the second beside it waiting to decode, mixed: 1.1 * (0.25 + 65/64) s.
    log = np.sort(sim.request_log(), order="request")
    end_s = log["completion_s"]
    first_s, both_s = 1.25, end_s.min() - 1.25
    alone_s = end_s.max() - end_s.min()
    joules = 300.0 * (first_s + alone_s) + 350.0 * both_s + 100.0 * (200.0 - end_s.max())
    assert sim.metrics().fleet_total.energy_kwh == pytest.approx(joules / 3.6e6, rel=1e-12)


def test_provisioning_draws_idle_power_and_pays_its_hour(world):
    """An instance added at 3000 s loads for 1200 s across the hour, and is paid for from its start."""
    slow = replace(world, lead_times=LeadTimes(1200.0, 1200.0, 1200.0))
    sim = Simulator(slow, ArrayWorkload(requests()))
    sim.advance(3000.0)
    knobs = Knobs.static(slow)
    knobs.floor[0] = knobs.cap[0] = 2
    sim.apply(knobs)
    before = sim.metrics().fleet_total
    sim.advance(UNTIL_S)
    after = sim.metrics().fleet_by("region")[0]
    own_usd = 2.0 * (600.0 * 1.0 + 3600.0 * 0.5) / 3600.0
    assert after.dollars == pytest.approx(2.0 * 1.5 + own_usd)
    assert after.energy_kwh == pytest.approx(PUE * 100.0 * (7200.0 + 4200.0) / 3.6e6)
    assert before.provisioning_h == 0.0
    assert after.provisioning_h == pytest.approx(1200.0 / 3600.0)


def test_what_is_released_is_no_longer_paid_for(world):
    sim = Simulator(world, ArrayWorkload(requests()))
    sim.advance(1800.0)
    knobs = Knobs.static(world)
    knobs.floor[:] = knobs.cap[:] = 0
    sim.apply(knobs)
    sim.advance(UNTIL_S)
    fleet = sim.metrics().fleet_total
    assert fleet.dollars == pytest.approx((2.0 + 4.0) * 0.5)
    assert fleet.energy_kwh == pytest.approx(PUE * 2 * 0.05)
    assert fleet.carbon_kg == pytest.approx(PUE * 0.05 * (100.0 + 50.0) / 1000.0)


def test_time_of_the_week_chooses_the_hour(world, file):
    """A workload that begins on Monday 01:00 pays the second hour's price and carbon from the start."""

    class Later(ArrayWorkload):
        week_start_s = 3600.0

    sim = Simulator(world, Later(requests()))
    sim.advance(3600.0)
    fleet = sim.metrics().fleet_total
    assert fleet.dollars == pytest.approx(2.0 * 0.5 + 4.0 * 3.0)
    assert fleet.carbon_kg == pytest.approx(PUE * 0.1 * (300.0 + 400.0) / 1000.0)


def test_series_begin_anew_after_their_end(world):
    """The file ends after a week: the next Monday is the first again, and prices go by the week."""

    class NextWeek(ArrayWorkload):
        week_start_s = 7 * 86_400.0

    runs = [Simulator(world, kind(ROWS)) for kind in (ArrayWorkload, NextWeek)]
    for sim in runs:
        sim.advance(UNTIL_S)
    assert runs[0].metrics().fleet == runs[1].metrics().fleet


def test_chunks_instants_and_telemetry_change_nothing(world):
    whole, parts = simulate(world, ROWS, UNTIL_S, check=False), Simulator(world, ArrayWorkload(ROWS, 1), log_requests=True)
    for until_s in np.linspace(0.0, UNTIL_S, 41):
        parts.advance(until_s)
        parts.metrics()
        parts.telemetry()
    assert state_bytes(whole) == state_bytes(parts)


def test_a_snapshot_holds_what_was_spent(world):
    sim = Simulator(world, ArrayWorkload(ROWS))
    sim.advance(3600.0)
    snapshot = sim.snapshot()
    sim.advance(UNTIL_S)
    expected = sim.metrics().to_dict()
    sim.restore(snapshot)
    sim.advance(UNTIL_S)
    assert sim.metrics().to_dict() == expected


def with_power(world, power):
    return replace(world, models=tuple(replace(model, power=dict.fromkeys(model.profiles, power)) for model in world.models))


@pytest.mark.parametrize("seed", range(12))
def test_in_random_worlds_constant_power_and_prices_are_hours_times_them(seed):
    """Scaling, draining and reclaiming at random: every paid second draws the same and costs double its list price."""
    rng = np.random.default_rng(seed)
    world = with_power(random_world(rng), Power(700.0, 700.0, 0.0, 1.0, "constant"))
    world = replace(world, regions=tuple(replace(region, price_by_hour=(2.0,) * 24) for region in world.regions))
    sim = Simulator(world, ArrayWorkload(random_rows(rng, world)))
    helpers.play(sim, rng)
    prices = {kind.name: kind.price_usd_per_h for kind in world.vm_types}
    for row in sim.metrics().fleet_by("model-region-vm_type"):
        hours = row.active_h + row.provisioning_h + row.draining_h
        assert row.energy_kwh == pytest.approx(0.7 * hours, rel=1e-9)
        assert row.dollars == pytest.approx(2.0 * prices[row.vm_type] * hours, rel=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_in_random_worlds_every_instance_draws_what_its_batch_needs(seed):
    rng = np.random.default_rng(seed)
    world = with_power(random_world(rng), POWER)
    sim = Simulator(world, ArrayWorkload(random_rows(rng, world)))
    for until_s in (2.0, 5.0, 20.0, 50.0):
        helpers.play(sim, rng, until_s=max(until_s, sim.now_s), steps=0)
        sim.apply(helpers.random_knobs(rng, world))
        instance = sim._state["instance"]
        batch = instance["prefills"] + instance["decodes"]
        serving = 200.0 + 300.0 * batch / (batch + 2.0)
        expected = np.where(instance["state"] == SPOT, 0.0, np.where(batch > 0, serving, 100.0))
        np.testing.assert_allclose(instance["watts"], expected)


def test_worlds_without_them_count_none():
    sim = simulate(toy_world(regions=2), ROWS, UNTIL_S)
    metrics = sim.metrics()
    assert metrics.egress_usd == metrics.fleet_total.energy_kwh == metrics.fleet_total.carbon_kg == 0.0
    assert metrics.fleet_total.dollars == 2 * 2.0 * 2.0


def test_a_price_by_region_alone_is_hours_times_that_price():
    world = toy_world(regions=2)
    priced = replace(world, regions=(world.regions[0], replace(world.regions[1], price_usd_per_h={"t0": 7.0})))
    assert simulate(priced, ROWS, UNTIL_S).metrics().fleet_total.dollars == 2.0 * (2.0 + 7.0)


class TwoHours(ArrayWorkload):
    duration_s = UNTIL_S


def environment(world, kind=FleetEnv, **arguments):
    return kind(world=world, workload=TwoHours(ROWS), horizon_s=UNTIL_S, control_interval_s=600.0, **arguments)


def play(env, n_steps=12, first=0):
    """Observations, rewards and the terms of steps that hold the fleet."""
    held = np.full(env.action_space.shape, env.setup.settings.max_delta)
    steps = []
    for _ in range(first, n_steps):
        observation, reward, *_, info = env.step(held)
        steps.append((observation.tobytes(), np.asarray(reward).tolist(), [info[name] for name in TERMS]))
    return steps


def test_the_terms_of_an_episode_are_the_metrics_of_the_run(world):
    env = environment(world)
    env.reset(seed=0)
    steps = play(env)
    sums = dict(zip(TERMS, np.sum([terms for *_, terms in steps], axis=0), strict=True))
    expected = {"vm_usd": VM_USD, "carbon_kg": CARBON_KG, "energy_kwh": ENERGY_KWH, "egress_usd": EGRESS_USD}
    for name, value in {**expected, "carbon_usd": CARBON_KG * 0.1, "vm_hours": 4.0}.items():
        assert sums[name] == pytest.approx(value, rel=1e-9), name
    assert sum(reward for _, reward, _ in steps) == pytest.approx(
        -(VM_USD + EGRESS_USD + CARBON_KG * 0.1 + sums["breach_usd"]) / 1000
    )


def test_a_step_has_its_own_hours_price(world):
    env = environment(world)
    env.reset(seed=0)
    vm_usd = [dict(zip(TERMS, terms, strict=True))["vm_usd"] for *_, terms in play(env)]
    np.testing.assert_allclose(vm_usd, [(2.0 + 4.0) / 6] * 6 + [(2.0 * 0.5 + 4.0 * 3.0) / 6] * 6, rtol=1e-9)


def test_single_vector_and_restored_are_the_same_bits(world):
    env = environment(world)
    env.reset(seed=3)
    expected = play(env)
    env.reset(seed=3)
    begun = play(env, 6)
    snapshot = env.snapshot()
    assert begun + play(env, first=6) == expected
    env.restore(snapshot)
    assert play(env, first=6) == expected[6:]
    envs = environment(world, VectorFleetEnv, num_envs=3)
    envs.reset(seed=[1, 3, 2])
    envs.restore(snapshot)
    for observation, reward, terms in expected[6:]:
        observations, rewards, *_, infos = envs.step(np.full(envs.action_space.shape, 2))
        for row in range(3):
            assert observations[row].tobytes() == observation
            assert rewards[row] == reward
            assert [infos[name][row] for name in TERMS] == terms


def test_a_changed_series_is_another_world(tmp_path):
    path = tmp_path / "grams.csv"
    world = costly(series(path, GRAMS))
    snapshot = Simulator(world, ArrayWorkload(ROWS)).snapshot()
    Simulator(world, ArrayWorkload(ROWS)).restore(snapshot)
    series(path, {"R0": (100.0, 300.5), "R1": (50.0, 400.0)})
    with pytest.raises(InputError, match=r"another world\.carbon"):
        Simulator(world, ArrayWorkload(ROWS)).restore(snapshot)


def test_the_price_of_carbon_is_an_argument_of_the_reward(world):
    env = environment(world, reward=Money(carbon_usd_per_t=500.0))
    env.reset(seed=0)
    terms = dict(zip(TERMS, play(env, 1)[0][2], strict=True))
    assert terms["carbon_usd"] == pytest.approx(0.5 * terms["carbon_kg"])
    with pytest.raises(InputError, match="carbon_usd_per_t = -1"):
        environment(world, reward=Money(carbon_usd_per_t=-1))


def test_a_vector_reward_has_the_costs_that_the_world_has(world):
    env = environment(world, reward="vector")
    assert env.reward_space.shape == (5,)
    env.reset(seed=0)
    _, reward, *_, info = env.step(np.full(env.action_space.shape, 2))
    names = ("vm_usd", "breach_usd", "waste_usd", "egress_usd", "carbon_usd")
    np.testing.assert_allclose(reward, [-info[name] / 1000 for name in names])
    assert environment(replace(world, egress_usd_per_gb=None), reward="vector").reward_space.shape == (4,)
    assert environment(toy_world(regions=2), reward="vector").reward_space.shape == (3,)


def test_an_agent_sees_carbon_and_prices_of_now_and_in_an_hour(world):
    env = environment(world)
    observation, _ = env.reset(seed=0)
    names = [feature.name for feature in env.observation_features]
    hours = names.index("r0/carbon[now]")
    assert names[hours:] == [
        f"r{i}/{what}[{when}]" for i in range(2) for what in ("carbon", "price") for when in ("now", "in an hour")
    ]
    np.testing.assert_allclose(observation[hours:], [0.1, 0.3, 1 / 3, 0.5 / 3, 0.05, 0.4, 1 / 3, 1.0], rtol=1e-6)
    play(env, 6)
    np.testing.assert_allclose(env._observer.observation(0)[hours:], [0.3, 0.3, 0.5 / 3, 0.5 / 3, 0.4, 0.4, 1.0, 1.0], rtol=1e-6)
    groups = environment(world, observation="dict").observation_groups
    assert groups["hours"].shape == (2, 4)
    plain = environment(toy_world(regions=2))
    assert not [feature for feature in plain.observation_features if "carbon" in feature.name or "price" in feature.name]
