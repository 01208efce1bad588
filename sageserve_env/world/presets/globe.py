"""A fleet round the globe: the models and VMs of ``modern`` in six regions on five continents, with what differs between them.

Sources of the numbers as in ``presets``: [A] an assumption of this package, [F] ``data/power_fits.csv``; the others are the files
of ``data/globe`` and, for carbon, ``data/electricity_maps``, each with its source and licence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from sageserve_env.files.csv_rows import read_rows
from sageserve_env.world.presets.modern import VM_CAPACITY, VM_TYPES, modern
from sageserve_env.world.schema import Carbon, Model, Power, Region, World
from sageserve_env.world.silicon.power import PowerFit, read_power_fits

DATA = Path(__file__).parents[1] / "data" / "globe"


@dataclass(frozen=True)
class Place:
    """Where a region is.

    Attributes:
        zone: Of Electricity Maps.
        utc_offset_h: Hours that its clock is ahead of UTC: standard time of its IANA zone; summer time is left out [A].
    """

    zone: str
    utc_offset_h: float


PLACES = {
    "westus": Place("US-CAL-CISO", -8.0),  # California, America/Los_Angeles
    "eastus2": Place("US-MIDA-PJM", -5.0),  # Virginia, America/New_York
    "brazilsouth": Place("BR-SP", -3.0),  # São Paulo, America/Sao_Paulo
    "germanywestcentral": Place("DE-LU", 1.0),  # Frankfurt, Europe/Berlin
    "koreacentral": Place("KR", 9.0),  # Seoul, Asia/Seoul
    "australiaeast": Place("AU-NSW", 10.0),  # New South Wales, Australia/Sydney
}
"""Azure regions by name. Chosen among those with round trips, egress prices, an hourly measured zone and a price of one GPU VM."""

UTC_OFFSETS_H = {region: place.utc_offset_h for region, place in PLACES.items()}
"""Hours that each region's clock is ahead of UTC."""

H100_VM, H200_VM = "ND96isr_H100_v5", "ND96isr_H200_v5"
GPUS_OF_VM = 8
VM_OF_TYPE = {"h100-x1": H100_VM, "h100-x4": H100_VM, "h200-x8": H200_VM}
REFERENCE = "eastus2"
"""Where a region lists one of the two VMs, the other costs there what it costs here times the ratio of the listed one [A]:
brazilsouth and germanywestcentral list no H100, koreacentral no H200. In westus and australiaeast, which list both, the ratios are
equal."""

WITHIN_S = 0.003
"""One way within a region [A]: as the least of the paper's three."""

PUE = 1.2
"""[A]: a new site of a large operator; older ones need more."""

IDLE_W_PER_GPU = 100.0
"""[A]: the measurements have no idle GPU; the least that one of their H100s draws, eight requests in the batch, is 231 W."""


@dataclass(frozen=True)
class Draws:
    """What stands for the power of a model.

    Attributes:
        measured: Label of the fit.
        note: How what is measured differs from what is served here; empty if it does not.
    """

    measured: str
    note: str = ""


DRAWS = {
    "llama-3.1-8b": Draws("Llama-3.1-8B-Instruct lm-arena-chat bfloat16 1 x H100"),
    "qwen3-32b": Draws("Qwen3-32B lm-arena-chat bfloat16 2 x H100", "at bfloat16, not fp8"),
    "llama-3.1-70b": Draws("Llama-3.1-70B-Instruct lm-arena-chat bfloat16 4 x H100", "at bfloat16, not fp8; on H100"),
    "kimi-k2.5": Draws(
        "Qwen3-235B-A22B-Instruct-2507-FP8 lm-arena-chat fp8 8 x H100",
        "of another mixture of experts, on H100; nobody measured this one",
    ),
}
"""[F] by GPU: an instance on g GPUs draws g times what one of them draws with its share of the batch [A]."""


def globe(off_peak_discount: float = 0.0, *, from_h: float = 22.0, to_h: float = 6.0) -> World:
    """Today's engines round the globe: six regions on five continents with their prices, carbon by the hour, egress and power.

    Args:
        off_peak_discount: Share, 0 to 1, that prices fall by at night, from ``from_h`` to ``to_h`` of each region's clock [A]. List
            prices of clouds do not vary by the hour: 0.
        from_h: Hour of the day at which nights begin, a whole number, 0 to 24.
        to_h: Hour of the day at which they end.
    """
    base, prices, names = modern(), _prices(), list(PLACES)
    egress = _matrix("azure_egress_usd_per_gb.csv")
    discounted = None if off_peak_discount == 0 else off_peak_discount
    fits = {fit.label: fit for fit in read_power_fits()}
    return replace(
        base,
        name="globe",
        regions=tuple(
            Region(
                name,
                dict(VM_CAPACITY),
                price_usd_per_h=prices[name],
                price_by_hour=None if discounted is None else night_prices(place.utc_offset_h, discounted, from_h, to_h),
                carbon=Carbon(place.zone),
            )
            for name, place in PLACES.items()
        ),
        latency_s=_one_way_s(names),
        models=tuple(_with_power(model, fits) for model in base.models),
        egress_usd_per_gb=tuple(tuple(0.0 if origin == to else egress[origin, to] for to in names) for origin in names),
        pue=PUE,
    )


def night_prices(utc_offset_h: float, discount: float, from_h: float = 22.0, to_h: float = 6.0) -> tuple[float, ...]:
    """Factors on a price by hour of the day in UTC: lower by ``discount`` at night of a clock ahead of UTC. Shape (24,)."""
    local = [(hour + utc_offset_h) % 24 for hour in range(24)]
    is_night = [from_h <= hour < to_h if from_h < to_h else hour >= from_h or hour < to_h for hour in local]
    return tuple(1.0 - discount if night else 1.0 for night in is_night)


def _prices() -> dict[str, dict[str, float]]:
    """Dollars of an hour by region and VM type."""
    rows = read_rows(DATA / "azure_vm_prices.csv", ("region", "vm", "usd_per_h"))
    listed = {(row.fields["region"], row.fields["vm"]): float(row.fields["usd_per_h"]) for row in rows}

    def price(region: str, vm: str) -> float:
        if (region, vm) in listed:
            return listed[region, vm]
        other = H200_VM if vm == H100_VM else H100_VM
        return listed[REFERENCE, vm] * listed[region, other] / listed[REFERENCE, other]

    gpus = {vm_type.name: vm_type.gpus for vm_type in VM_TYPES}
    return {
        region: {kind: round(price(region, vm) * gpus[kind] / GPUS_OF_VM, 6) for kind, vm in VM_OF_TYPE.items()}
        for region in PLACES
    }


def _matrix(file: str) -> dict[tuple[str, str], float]:
    """A file's numbers by pair of regions; pairs that were not measured are left out."""
    rows = read_rows(DATA / file, ("from",))
    return {(row.fields["from"], to): float(text) for row in rows for to, text in row.fields.items() if to != "from" and text}


def _one_way_s(names: list[str]) -> tuple[tuple[float, ...], ...]:
    """Half of the median round trip from each region to each, seconds."""
    trip_ms = _matrix("azure_round_trip_ms.csv")
    return tuple(tuple(WITHIN_S if origin == to else trip_ms[origin, to] / 2000.0 for to in names) for origin in names)


def _with_power(model: Model, fits: dict[str, PowerFit]) -> Model:
    draws = DRAWS[model.name]
    gpus = {vm_type.name: vm_type.gpus for vm_type in VM_TYPES}
    return replace(model, power={kind: _power(fits[draws.measured], gpus[kind], draws.note) for kind in model.profiles})


def _power(fit: PowerFit, gpus: int, note: str) -> Power:
    """Power of an instance on so many GPUs, after a fit to some."""
    share = gpus / int(fit.labels[4])
    source = f"power_fits.csv: {fit.label}, held-out error {100 * fit.error_held_out:.1f} %{f', {note}' if note else ''}"
    return Power(
        idle_w=IDLE_W_PER_GPU * gpus,
        base_w=share * fit.base_w,
        span_w=share * fit.span_w,
        half_batch=share * fit.half_batch,
        provenance=source if share == 1 else f"{source}, {share:g} times as many GPUs",
    )
