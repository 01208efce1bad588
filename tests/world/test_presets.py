import pytest

from sageserve_env.errors import InputError
from sageserve_env.world import PRESETS, TIERS, LeadTimes, golden_world, load_world, physical, published, validate
from sageserve_env.world.presets.published import NIW_AUTHORS


def kv_tokens(world):
    memory = world.vm_types[0].gpu_memory_bytes
    return {model.name: (memory - model.weights_bytes) / model.kv_bytes_per_token for model in world.models}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid_and_carry_their_name(name):
    world = load_world(name)
    assert world.name == name
    assert tuple(tier.name for tier in world.tiers) == TIERS


def test_published_kv_capacities():
    assert kv_tokens(published()) == {
        "llama-2-70b": pytest.approx(210e3, rel=0.005),
        "bloom-176b": pytest.approx(89e3, rel=0.005),
        "llama-3.1-8b": pytest.approx(303e3, rel=0.005),
        "llama-3.2-3b": pytest.approx(1.27e6, rel=0.005),
    }


def test_published_latency_prices_and_service_levels():
    world = published()
    at = {(a.name, b.name): world.latency_s[i][j] for i, a in enumerate(world.regions) for j, b in enumerate(world.regions)}
    assert at["eastus", "eastus"] == 0.003
    assert at["westus", "westus"] == 0.006
    assert at["eastus", "centralus"] == at["centralus", "eastus"] == 0.031
    assert at["westus", "centralus"] == at["centralus", "westus"] == 0.043
    assert at["eastus", "westus"] == 0.069
    assert at["westus", "eastus"] == 0.072
    assert at["centralus", "centralus"] == 0.004
    assert [(vm_type.name, vm_type.price_usd_per_h) for vm_type in world.vm_types] == [("h100-80gb-x8", 98.32)]
    assert [tier.slo_s for tier in world.tiers] == [1.0, 60.0, 86_400.0]


def test_physical_kv_bytes():
    kv_bytes = {model.name: model.kv_bytes_per_token for model in physical().models}
    assert kv_bytes == {"llama-2-70b": 327_680, "bloom-176b": 4_014_080, "llama-3.1-8b": 131_072, "llama-3.2-3b": 114_688}
    weights = {model.name: model.weights_bytes for model in physical().models}
    assert weights["llama-2-70b"] == pytest.approx(138e9, rel=0.01)
    assert weights["llama-3.2-3b"] == pytest.approx(6.4e9, rel=0.01)


def test_pools():
    assert [(pool.name, pool.instances["bloom-176b"]) for pool in load_world("published").pools] == [("unified", 20)]
    assert {pool.name: pool.instances["bloom-176b"] for pool in load_world("siloed").pools} == {
        "interactive": 16,
        "non-interactive": 4,
    }
    chiron = {pool.name: pool for pool in load_world("chiron").pools}
    assert {name: pool.instances["llama-2-70b"] for name, pool in chiron.items()} == {"interactive": 20, "batch": 10, "mixed": 10}
    assert (chiron["interactive"].spill_to, chiron["interactive"].spill_utilization) == ("mixed", 0.7)
    first_pool = {tier: next(pool.name for pool in load_world("chiron").pools if tier in pool.tiers) for tier in TIERS}
    assert first_pool == {"IW-F": "interactive", "IW-N": "interactive", "NIW": "batch"}


def test_a100_preset_has_its_price():
    assert load_world("published-a100").vm_types[0].price_usd_per_h == 32.77


def test_golden_world_follows_the_authors_rules():
    world = validate(golden_world({"llama-2-70b": 4, "bloom-176b": 4}, niw=NIW_AUTHORS, lead_times=LeadTimes(0, 0, 0)))
    assert [region.vm_capacity for region in world.regions] == [{"a100-80gb-x8": 8}] * 3
    assert world.latency_s == ((0.0,) * 3,) * 3
    assert world.routing.delay_s == 1.0
    assert world.tiers[2].fcfs_offset_s == 69_120.0
    assert kv_tokens(world)["llama-2-70b"] == (8 * 85_899_345_920 - 135e9) / 2_621_440
    assert world.niw.release_count == (2, 1)
    assert world.lead_times.reclaim_s == 0
    assert golden_world({"bloom-176b": 1}).niw.managed is False


def test_golden_world_knows_only_the_two_large_models():
    with pytest.raises(InputError, match=r"'llama-3\.1-70b'"):
        golden_world({"llama-3.1-70b": 1})


def test_smaller_starts_leave_the_capacity():
    assert published(instances=8).pools[0].instances["llama-2-70b"] == 8
    assert published(instances=8).regions[0].vm_capacity == {"h100-80gb-x8": 100}
