"""The world round the globe: its numbers are those of its files, and what is assumed says so."""

import csv
from dataclasses import replace

import pytest

from sageserve_env.world import dump_world, load_world, parse_world
from sageserve_env.world.costs.prices import list_prices, price_factors
from sageserve_env.world.presets.globe import DATA, PLACES, globe, night_prices
from sageserve_env.world.silicon.power import read_power_fits

WORLD = load_world("globe")


def table(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_six_regions_on_five_continents_with_the_models_and_vms_of_modern() -> None:
    modern = load_world("modern")
    assert [region.name for region in WORLD.regions] == list(PLACES)
    assert len(WORLD.regions) == 6
    assert WORLD.vm_types == modern.vm_types
    assert [replace(model, power={}) for model in WORLD.models] == list(modern.models)
    assert {kind for kind in WORLD.vm_types if sum(kind.name in model.profiles for model in WORLD.models) >= 2} == set(
        WORLD.vm_types
    )


def test_latencies_are_halved_round_trips() -> None:
    trips = {row["from"]: row for row in table("azure_round_trip_ms.csv")}
    for origin, row in zip(PLACES, WORLD.latency_s, strict=True):
        for to, seconds in zip(PLACES, row, strict=True):
            assert seconds == (0.003 if origin == to else pytest.approx(float(trips[origin][to]) / 2000))


def test_prices_are_those_listed_or_in_the_listed_ratio() -> None:
    listed = {(row["region"], row["vm"]): float(row["usd_per_h"]) for row in table("azure_vm_prices.csv")}
    for region, prices in zip(PLACES, list_prices(WORLD), strict=True):
        h100, h200 = (listed.get((region, f"ND96isr_{gpu}_v5")) for gpu in ("H100", "H200"))
        ratio = h100 / 98.32 if h200 is None else h200 / 84.80
        assert prices == pytest.approx([(h100 or 98.32 * ratio) / 8, (h100 or 98.32 * ratio) / 2, h200 or 84.80 * ratio], rel=1e-6)


def test_egress_is_listed_and_free_within_a_region() -> None:
    listed = {row["from"]: row for row in table("azure_egress_usd_per_gb.csv")}
    for origin, row in zip(PLACES, WORLD.egress_usd_per_gb, strict=True):
        assert list(row) == [0.0 if origin == to else float(listed[origin][to]) for to in PLACES]


def test_power_is_that_of_the_fits_by_gpu() -> None:
    fits = {fit.label: fit for fit in read_power_fits()}
    gpus = {kind.name: kind.gpus for kind in WORLD.vm_types}
    for model in WORLD.models:
        for kind, power in model.power.items():
            fit = next(fit for label, fit in fits.items() if f"{label}," in power.provenance)
            share = gpus[kind] / int(fit.labels[4])
            for batch in (1, 100):
                watts = power.base_w + power.span_w * share * batch / (share * batch + power.half_batch)
                assert watts == pytest.approx(share * float(fit.watts(batch)))
            assert 0 < power.idle_w < power.base_w


def test_list_prices_do_not_vary_by_the_hour_unless_asked() -> None:
    assert (price_factors(WORLD) == 1.0).all()
    discounted = globe(off_peak_discount=0.25)
    assert parse_world(dump_world(discounted)) == discounted
    factors = price_factors(discounted)
    assert factors.sum(axis=1) == pytest.approx([7 * (24 - 8 * 0.25)] * 6)
    # Nights are from 22 to 6: in California (UTC - 8) from 6 to 14 UTC, in Korea (UTC + 9) from 13 to 21.
    assert [hour for hour in range(24) if factors[0, hour] < 1] == list(range(6, 14))
    assert [hour for hour in range(24) if factors[4, hour] < 1] == list(range(13, 21))
    assert night_prices(0.0, 0.5, 1.0, 3.0)[:4] == (1.0, 0.5, 0.5, 1.0)


def test_a_globe_written_and_read_is_the_same() -> None:
    text = dump_world(WORLD)
    assert parse_world(text) == WORLD
    assert len(text) < 20_000  # series are named, not written out
