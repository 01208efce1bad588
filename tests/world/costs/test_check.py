"""Prices, egress and power that no world can have: one line that names them."""

import pytest

from sageserve_env.errors import InputError
from sageserve_env.world import load_world, parse_world
from sageserve_env.world.costs.prices import egress_usd_per_token, list_prices, price_factors

ROW = "[0, 0.1, 0.1]"
POWER = "extends: globe\nmodels: [llama-3.1-8b, {name: qwen3-32b, power: {h100-x1: %s}}, llama-3.1-70b, kimi-k2.5]"
NUMBERS = "idle_w: 1, base_w: 2, span_w: 3, half_batch: 4, provenance: x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("egress_usd_per_gb: [[0, 0], [0, 0]]", "egress_usd_per_gb = 2 rows do not fit; give 3x3 dollars a GB"),
        (f"egress_usd_per_gb: [{ROW}, [0, 0], {ROW}]", "egress_usd_per_gb from 'centralus' = 2 numbers do not fit"),
        (
            f"egress_usd_per_gb: [{ROW}, {ROW}, [0, .nan, 0]]",
            "egress_usd_per_gb from 'eastus' to 'centralus' = nan is out of range",
        ),
        (f"egress_usd_per_gb: [{ROW}, {ROW}, [0, null, 0]]", r"egress_usd_per_gb\[2\]\[1\] = None is not a number"),
        (f"egress_usd_per_gb: [{ROW}, {ROW}, [0, -1, 0]]", "egress_usd_per_gb from 'eastus' to 'centralus' = -1.0 is out of range"),
        (f"latency_s: [{ROW}, [0, 0], {ROW}]", "latency_s from 'centralus' = 2 numbers do not fit; give 3x3 seconds, origin by"),
        (f"latency_s: [{ROW}, , {ROW}]", "line 2 is not YAML"),
        (f"latency_s: [{ROW}, null, {ROW}]", r"latency_s\[1\] = None is not a list; give one"),
        (f"latency_s: [{ROW}, {ROW}, [0, .nan, 0]]", "latency_s from 'eastus' to 'centralus' = nan is out of range"),
        (f"latency_s: [{ROW}, {ROW}, [0, , 0]]", "line 2 is not YAML"),
        (f"latency_s: [{ROW}, {ROW}, [0, null, 0]]", r"latency_s\[2\]\[1\] = None is not a number"),
        ("egress_bytes_per_token: -4", "egress_bytes_per_token = -4.0 is out of range"),
        ("pue: 0.9", "pue = 0.9 is out of range; give a factor, 1 to 10"),
        ("pue: .inf", "pue = inf is out of range"),
        ("week_of: '2024-01-02'", "week_of = 2024-01-02 is a Tuesday; give a Monday"),
        ("week_of: soon", "week_of = 'soon' is no date"),
        ("regions: [{name: westus, price_usd_per_h: {h100: 1}}, centralus, eastus]", "'h100' is not a VM type of this world"),
        (
            "regions: [{name: westus, price_usd_per_h: {h100-x1: -1}}, centralus, eastus]",
            r"price_usd_per_h\['h100-x1'\] = -1.0 is not valid",
        ),
        ("regions: [{name: westus, price_usd_per_h: {h100-x1: .nan}}, centralus, eastus]", r"price_usd_per_h\['h100-x1'\] = nan"),
        (
            "regions: [{name: westus, price_by_hour: [1, 2]}, centralus, eastus]",
            "price_by_hour = 2 factors are not a day or a week; give 24 or 168",
        ),
        (
            f"regions: [{{name: westus, price_by_hour: [{'1, ' * 23}.nan]}}, centralus, eastus]",
            r"price_by_hour\[23\] = nan is out of range",
        ),
        (
            f"regions: [{{name: westus, price_by_hour: [{'1, ' * 23}null]}}, centralus, eastus]",
            r"price_by_hour\[23\] = None is not a number",
        ),
    ],
)
def test_prices_that_no_world_has(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse_world(f"extends: modern\n{text}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("power", "message"),
    [
        (f"{{{NUMBERS}}}", r"models\['qwen3-32b'\].power\['h100-x4'\] = None is missing; energy counts where every model has it"),
        (f"{{{NUMBERS}}}, h200-x8: {{{NUMBERS}}}", "'h200-x8' is not a VM type with a profile of this model"),
        (f"{{{NUMBERS.replace('base_w: 2', 'base_w: -2')}}}", r"power\['h100-x1'\].base_w = -2.0 is out of range"),
        (f"{{{NUMBERS.replace('idle_w: 1', 'idle_w: .nan')}}}", r"power\['h100-x1'\].idle_w = nan is out of range"),
        (f"{{{NUMBERS.replace('half_batch: 4', 'half_batch: 0')}}}", "half_batch = 0.0 is out of range"),
        (f"{{{NUMBERS.replace('provenance: x', 'provenance: ')}}}", "provenance = None is not text"),
        ("{idle_w: 1}", "base_w is missing"),
    ],
)
def test_power_that_no_instance_draws(power: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_world(POWER % power)


def test_prices_of_a_region_go_before_those_of_a_type() -> None:
    world = parse_world("extends: modern\nregions: [westus, {name: eastus, price_usd_per_h: {h100-x4: 7}}]")
    own = [kind.price_usd_per_h for kind in world.vm_types]
    assert list_prices(world).tolist() == [own, [own[0], 7.0, own[2]]]
    assert price_factors(world).tolist() == [[1.0] * 168] * 2
    assert not egress_usd_per_token(world).any()


def test_factors_of_a_day_repeat_and_those_of_a_week_stand() -> None:
    day, week = list(range(24)), list(range(168))
    world = parse_world(
        f"extends: modern\nregions: [{{name: westus, price_by_hour: {day}}}, {{name: eastus, price_by_hour: {week}}}]"
    )
    assert price_factors(world).tolist() == [day * 7, week]


def test_regions_of_the_globe_may_be_chosen_with_their_matrices() -> None:
    globe = load_world("globe")
    chosen = parse_world("extends: globe\nregions: [koreacentral, westus]")
    assert chosen.egress_usd_per_gb == ((0.0, globe.egress_usd_per_gb[4][0]), (globe.egress_usd_per_gb[0][4], 0.0))
    assert chosen.latency_s[0][1] == globe.latency_s[4][0]
    with pytest.raises(InputError, match="latency_s is missing, and preset 'globe' has no region 'mars'"):
        parse_world("extends: globe\nregions: [westus, {name: mars, vm_capacity: {}}]")
