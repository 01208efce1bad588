"""What instances use while time passes, booked when it changes: money where prices vary by the hour, energy, carbon."""

from __future__ import annotations

import math
from typing import Any

from sageserve_env.compile import entry_point, kernel
from sageserve_env.sim.state import DRAINING, PROVISIONING, Sim

HOUR_S = 3600.0
JOULES_PER_KWH = 3.6e6
G_PER_KG = 1000.0

PRICED_S, WASTE_PRICED_S, ENERGY_KWH, CARBON_KG = 0, 1, 2, 3
N_USES = 4
"""Columns of what :func:`open_use` gives, by the names of ``FLEET``'s fields."""


@kernel
def over_hours(hourly: Any, region: int, begin_s: float, end_s: float) -> float:
    """The integral of a region's hourly values over [begin, end), in their unit times seconds; the values go round."""
    total, hour = 0.0, math.floor(begin_s / HOUR_S)
    while begin_s < end_s:
        until_s = min(end_s, (hour + 1) * HOUR_S)
        total += hourly[region, hour % hourly.shape[1]] * (until_s - begin_s)
        begin_s = until_s
        hour += 1
    return total


@kernel
def is_paid(state: int) -> bool:
    """Whether a VM in this state is the fleet's: loading, serving or draining. Others are their customers', or not there."""
    return PROVISIONING <= state <= DRAINING


@kernel
def watts(s: Sim, vm: int) -> float:
    """What an instance draws now, the data centre's share included."""
    inst = s.instance[vm]
    if not is_paid(inst.state):
        return 0.0
    power, batch = s.profile[inst.profile], inst.prefills + inst.decodes
    return power.base_w + power.span_w * batch / (batch + power.half_batch) if batch > 0 else power.idle_w


@kernel
def draw(s: Sim, vm: int) -> None:
    """Book what an instance has drawn since it last changed, and draw from now on what its state and batch need."""
    inst, now_s = s.instance[vm], s.clock[0].now_s
    if inst.watts > 0.0 and now_s > inst.watts_since_s:
        fleet = s.fleet[inst.endpoint * s.settings[0].vm_types + inst.vm_type]
        fleet.energy_kwh += energy_kwh(s, vm)
        fleet.carbon_kg += carbon_kg(s, vm)
    inst.watts = watts(s, vm)
    inst.watts_since_s = now_s


@kernel
def energy_kwh(s: Sim, vm: int) -> float:
    """Energy of an instance that is not booked yet."""
    inst = s.instance[vm]
    return inst.watts * (s.clock[0].now_s - inst.watts_since_s) / JOULES_PER_KWH


@kernel
def carbon_kg(s: Sim, vm: int) -> float:
    """Carbon of an instance's energy that is not booked yet."""
    inst, clock = s.instance[vm], s.clock[0]
    grams_s = over_hours(s.carbon, inst.region, clock.week_start_s + inst.watts_since_s, clock.week_start_s + clock.now_s)
    return inst.watts * grams_s / JOULES_PER_KWH / G_PER_KG


@kernel
def priced_s(s: Sim, vm: int) -> float:
    """Seconds of a VM in its present state, each times its hour's factor on the price."""
    inst, clock = s.instance[vm], s.clock[0]
    return over_hours(s.price_factor, inst.region, clock.week_start_s + inst.state_since_s, clock.week_start_s + clock.now_s)


@kernel
def book_price(s: Sim, vm: int) -> None:
    """Book what a VM owes for the state that it is about to leave."""
    inst = s.instance[vm]
    if is_paid(inst.state):
        fleet, seconds = s.fleet[inst.endpoint * s.settings[0].vm_types + inst.vm_type], priced_s(s, vm)
        fleet.priced_s += seconds
        if inst.state == PROVISIONING:
            fleet.waste_priced_s += seconds


@entry_point
def open_use(uses: Any, *arrays: Any) -> None:
    """Write what is not booked yet, by (endpoint, VM type), into ``uses``, zeros of shape (N * K, N_USES).

    ``arrays`` are those of :class:`Sim`, of which nothing is changed.
    """
    s = Sim(*arrays)
    settings = s.settings[0]
    for vm in range(s.instance.shape[0]):
        inst = s.instance[vm]
        if not is_paid(inst.state):
            continue
        use = uses[inst.endpoint * settings.vm_types + inst.vm_type]
        if settings.has_hourly_prices:
            seconds = priced_s(s, vm)
            use[PRICED_S] += seconds
            use[WASTE_PRICED_S] += seconds if inst.state == PROVISIONING else 0.0
        if settings.has_power:
            use[ENERGY_KWH] += energy_kwh(s, vm)
            use[CARBON_KG] += carbon_kg(s, vm)
