import pytest

from sageserve_env.sim import Simulator
from sageserve_env.workload import load_workload
from sageserve_env.world import IterationModel, load_world
from sageserve_env.world.silicon import read_fits


@pytest.fixture(scope="module")
def world():
    return load_world("modern")


def test_every_time_is_a_shipped_fit_that_is_good(world):
    fits = {fit.profile: fit for fit in read_fits()}
    profiles = [profile for model in world.models for profile in model.profiles.values()]
    assert all(isinstance(profile, IterationModel) for profile in profiles)
    assert all(fits[profile].tpot_error_held_out < 0.05 for profile in profiles)
    assert all(fits[profile].ttft_error_held_out < 0.25 for profile in profiles)


def test_at_least_two_models_compete_for_each_vm_type(world):
    for vm_type in world.vm_types:
        assert sum(vm_type.name in model.profiles for model in world.models) >= 2


def test_list_prices_by_gpu(world):
    prices = {vm_type.name: vm_type.price_usd_per_h for vm_type in world.vm_types}
    assert prices == {"h100-x1": pytest.approx(98.32 / 8), "h100-x4": pytest.approx(98.32 / 2), "h200-x8": pytest.approx(84.80)}


def test_a_level_of_time_between_tokens(world):
    assert [tier.tpot_s for tier in world.tiers] == [0.05, None, None]


def test_its_fleet_serves_its_hour(world):
    sim = Simulator(world, load_workload("modern-hour", scale=0.2))
    sim.advance(3600.0)
    telemetry = sim.telemetry()
    assert telemetry.arrived.sum() > 15_000
    assert sim.in_flight < 0.05 * telemetry.arrived.sum()
