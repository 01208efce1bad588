"""One control step of many environments: act, simulate to the next control instant, account, observe."""

from __future__ import annotations

from typing import Any

from sageserve_env.compile import entry_point, kernel
from sageserve_env.env.actions import clip_bounds, decode, write_mask
from sageserve_env.env.observation.encode import encode
from sageserve_env.env.state import DONE, HISTORY, READY, RUNNING, Rows
from sageserve_env.sim.instances.scaling import enforce_bounds
from sageserve_env.sim.instances.usage import carbon_kg, energy_kwh, is_paid, priced_s
from sageserve_env.sim.kernel import CHUNK_USED, REACHED, put_in_force, run
from sageserve_env.sim.requests.breaches import book_overdue, book_unfinished
from sageserve_env.sim.state import N_TIERS, PROVISIONING, SPOT, STATE_FIELDS, Sim
from sageserve_env.workload.drawn.kernel import fill

NO_LIMIT = 1 << 62
LEAST_S = 1e-6
"""Least length of an interval that ends early, so that rates stay finite."""

N_ROW_ARRAYS = len(Rows._fields)
FLIGHT = STATE_FIELDS.index("flight")


@entry_point
def step_rows(first: int, end: int, codec: Any, prices: Any, rate_scale: Any, vms: Any, *arrays: Any) -> int:
    """Take every row in ``first <= row < end`` that is not DONE to its next control instant.

    Args:
        first: First row.
        end: One past the last row.
        codec: Shape (1,), dtype ``CODEC``.
        prices: Dollars of a VM-hour by region and VM type, of a breach by tier, of a kg of carbon, shape (R * K + T + 1,).
        rate_scale: Of ``encode.rate_scales``, shape (R, M).
        vms: VMs by region and type, shape (R * K,).
        *arrays: Those of :class:`Rows`, then those of :class:`Sim` but ``requests``; the state with an environment axis.

    Returns:
        Rows left unfinished because their pool of requests in flight is full: grow it and call again.
    """
    return step_span(first, end, codec[0], prices, rate_scale, vms, Rows(*arrays[:N_ROW_ARRAYS]), arrays[N_ROW_ARRAYS:])


@entry_point
def observe_rows(first: int, end: int, codec: Any, prices: Any, rate_scale: Any, vms: Any, *arrays: Any) -> None:
    """Write the observations and masks of rows that have just begun; arguments as of :func:`step_rows`."""
    observe_span(first, end, codec[0], rate_scale, vms, Rows(*arrays[:N_ROW_ARRAYS]), arrays[N_ROW_ARRAYS:])


@entry_point
def adopt(order: int, codec: Any, target: Any, *arrays: Any) -> None:
    """Put knobs that were written into one environment's state into force, within the bounds that actions can reach.

    Args:
        order: Code of the admission order.
        codec: Shape (1,), dtype ``CODEC``.
        target: Set to the floors, shape (N * K,).
        *arrays: Those of :class:`Sim`.
    """
    s = Sim(*arrays)
    clip_bounds(s, codec[0], target)
    put_in_force(s, order)


# An entry point counts references and kernels do not, so arrays never return from a kernel to an entry point.


@kernel
def step_span(first: int, end: int, codec: Any, prices: Any, rate_scale: Any, vms: Any, r: Rows, sims: Any) -> int:
    """The work of :func:`step_rows`."""
    unfinished = 0
    for e in range(first, end):
        row = r.row[e]
        if row.phase == READY:
            act(sim_of(r, sims, e), r, e, codec)
        if row.phase == RUNNING:
            if simulate(r, sims, e) != REACHED:
                if sims[FLIGHT].shape[1] < codec.max_in_flight:
                    unfinished += 1
                    continue
                stop_short(r, sims, e)
            s = sim_of(r, sims, e)
            if row.step == codec.n_steps - 1 or row.is_overfull:
                book_unfinished(s, codec.grace_s if not row.is_overfull else 0.0)
            account(s, r, e, prices)
            for term in range(r.terms.shape[1]):
                r.totals[e, term] += r.terms[e, term]
            observe(s, r, e, codec, rate_scale, vms)
            row.step += 1
            row.phase = DONE
    return unfinished


@kernel
def observe_span(first: int, end: int, codec: Any, rate_scale: Any, vms: Any, r: Rows, sims: Any) -> None:
    """The work of :func:`observe_rows`."""
    for e in range(first, end):
        s = sim_of(r, sims, e)
        remember(s, r, e)
        observe(s, r, e, codec, rate_scale, vms)


@kernel
def act(s: Sim, r: Rows, e: int, codec: Any) -> None:
    """Put an action into force and set the next control instant."""
    row = r.row[e]
    decode(s, codec, row.step, r.action[e], r.target[e])
    for endpoint in range(s.endpoint.shape[0]):
        enforce_bounds(s, endpoint)
    row.until_s += row.interval_s
    row.phase = RUNNING


@kernel
def sim_of(r: Rows, sims: Any, e: int) -> Sim:
    """One environment's simulator: its slices of the state, the shared world, its buffer of requests, the log (empty)."""
    return Sim(
        sims[0][e],
        sims[1][e],
        sims[2][e],
        sims[3][e],
        sims[4][e],
        sims[5][e],
        sims[6][e],
        sims[7][e],
        sims[8][e],
        sims[9][e],
        sims[10][e],
        sims[11][e],
        sims[12][e],
        sims[13][e],
        sims[14][e],
        sims[15][e],
        sims[16][e],
        sims[17][e],
        sims[18][e],
        sims[19][e],
        sims[20][e],
        sims[21][e],
        sims[22][e],
        sims[23],
        sims[24],
        sims[25],
        sims[26],
        sims[27],
        sims[28],
        sims[29],
        sims[30],
        sims[31],
        sims[32],
        sims[33],
        sims[34],
        sims[35],
        sims[36],
        r.requests[e, : r.row[e].rows],
        sims[37],
    )


@kernel
def simulate(r: Rows, sims: Any, e: int) -> int:
    """Simulate to the control instant, generating requests on the way; returns why it stopped."""
    row = r.row[e]
    while True:
        why = run(sim_of(r, sims, e), row.until_s, row.is_last_chunk == 1, NO_LIMIT)
        if why != CHUNK_USED:
            return why
        n, w = row.series, row.bins
        row.rows = fill(r.series[e, :n], r.bins[e, :n, :w], r.edges[e, : w + 1], r.sizes[e], r.labels[e], r.requests[e])
        row.is_last_chunk = row.rows == 0
        sims[0][e, 0].cursor = 0


@kernel
def stop_short(r: Rows, sims: Any, e: int) -> None:
    """End the interval, and with it the episode, at the request that finds no room in a pool that may not grow."""
    clock, row = sims[0][e, 0], r.row[e]
    begun_s = row.until_s - row.interval_s
    clock.now_s = r.requests[e, clock.cursor].arrival_s
    row.interval_s = max(clock.now_s - begun_s, LEAST_S)
    row.is_overfull = 1


@kernel
def account(s: Sim, r: Rows, e: int, prices: Any) -> None:
    """Write the terms of the interval, in the order of ``rewards.TERMS``, and the arrival rates."""
    row, terms, n_prices = r.row[e], r.terms[e], s.settings[0].regions * s.settings[0].vm_types
    book_overdue(s)
    vm_hours, vm_usd, waste_usd = vm_sums(s, prices)
    spot_hours = spot_sum(s)
    # Differences of sums, each taken in another order: where nothing was spent, or all of it was waste, they may round beyond.
    terms[0] = max(vm_usd - row.vm_usd, 0.0)
    terms[1] = min(max(waste_usd - row.waste_usd, 0.0), terms[0])
    terms[3] = max(vm_hours - row.vm_hours, 0.0)
    terms[4] = max(spot_hours - row.spot_hours, 0.0)
    row.vm_usd, row.waste_usd, row.vm_hours, row.spot_hours = vm_usd, waste_usd, vm_hours, spot_hours
    terms[2] = 0.0
    for tier in range(N_TIERS):
        breaches = 0
        attainable = 0
        for origin in range(tier, s.origin.shape[0], N_TIERS):
            breaches += s.origin[origin].breached - r.seen[e, origin, 1]
            attainable += s.origin[origin].arrived - s.origin[origin].unattainable - r.seen[e, origin, 2]
        terms[5 + tier] = breaches
        terms[10 + tier] = attainable
        terms[2] += breaches * prices[n_prices + tier]
    terms[8] = s.clock[0].arrived - row.arrived
    terms[9] = s.clock[0].completed - row.completed
    if s.settings[0].has_power:
        energy, carbon = power_sums(s)
        terms[13] = max(carbon - row.carbon_kg, 0.0)
        terms[14] = max(energy - row.energy_kwh, 0.0)
        terms[16] = terms[13] * prices[n_prices + N_TIERS]
        row.energy_kwh, row.carbon_kg = energy, carbon
    if s.settings[0].has_egress:
        egress_usd = egress_sum(s)
        terms[15] = max(egress_usd - row.egress_usd, 0.0)
        row.egress_usd = egress_usd
    for origin in range(s.origin.shape[0]):
        for age in range(HISTORY - 1, 0, -1):
            r.history[e, age, origin] = r.history[e, age - 1, origin]
        r.history[e, 0, origin] = (s.origin[origin].prompt_tokens - r.seen[e, origin, 0]) / row.interval_s


@kernel
def vm_sums(s: Sim, prices: Any) -> tuple[float, float, float]:
    """VM-hours of all instances so far, what they cost, and what of it was spent on provisioning."""
    n_types, now_s, is_hourly = s.settings[0].vm_types, s.clock[0].now_s, s.settings[0].has_hourly_prices
    hours, usd, waste_usd = 0.0, 0.0, 0.0
    for place in range(s.fleet.shape[0]):
        fleet = s.fleet[place]
        price = prices[s.endpoint[place // n_types].region * n_types + place % n_types]
        waste = fleet.provisioning_s / 3600.0
        used = (fleet.active_s + fleet.draining_s) / 3600.0 + waste
        hours += used
        usd += (fleet.priced_s / 3600.0 if is_hourly else used) * price
        waste_usd += (fleet.waste_priced_s / 3600.0 if is_hourly else waste) * price
    for vm in range(s.instance.shape[0]):
        inst = s.instance[vm]
        if not is_paid(inst.state):
            continue
        since = (now_s - inst.state_since_s) / 3600.0
        since_usd = (priced_s(s, vm) / 3600.0 if is_hourly else since) * prices[inst.region * n_types + inst.vm_type]
        hours += since
        usd += since_usd
        if inst.state == PROVISIONING:
            waste_usd += since_usd
    return hours, usd, waste_usd


@kernel
def power_sums(s: Sim) -> tuple[float, float]:
    """Energy of all instances so far in kWh, and its carbon in kg."""
    energy, carbon = 0.0, 0.0
    for place in range(s.fleet.shape[0]):
        energy += s.fleet[place].energy_kwh
        carbon += s.fleet[place].carbon_kg
    for vm in range(s.instance.shape[0]):
        if is_paid(s.instance[vm].state):
            energy += energy_kwh(s, vm)
            carbon += carbon_kg(s, vm)
    return energy, carbon


@kernel
def egress_sum(s: Sim) -> float:
    """Dollars for traffic between regions so far."""
    usd = 0.0
    for origin in range(s.origin.shape[0]):
        usd += s.origin[origin].egress_usd
    return usd


@kernel
def spot_sum(s: Sim) -> float:
    """VM-hours given to spot customers so far."""
    hours = 0.0
    for place in range(s.spot.shape[0]):
        hours += s.spot[place].spot_s / 3600.0
    for vm in range(s.instance.shape[0]):
        if s.instance[vm].state == SPOT:
            hours += (s.clock[0].now_s - s.instance[vm].state_since_s) / 3600.0
    return hours


@kernel
def remember(s: Sim, r: Rows, e: int) -> None:
    """Keep the sums that the next interval is measured from."""
    row = r.row[e]
    row.arrived, row.completed = s.clock[0].arrived, s.clock[0].completed
    for origin in range(s.origin.shape[0]):
        r.seen[e, origin, 0] = s.origin[origin].prompt_tokens
        r.seen[e, origin, 1] = s.origin[origin].breached
        r.seen[e, origin, 2] = s.origin[origin].arrived - s.origin[origin].unattainable
    for lane in range(s.lane.shape[0]):
        r.served[e, lane, 0] = s.lane[lane].completed
        r.served[e, lane, 1] = s.lane[lane].slo_met
        r.served[e, lane, 2] = s.lane[lane].slo_unattainable


@kernel
def observe(s: Sim, r: Rows, e: int, codec: Any, rate_scale: Any, vms: Any) -> None:
    """Write the observation and the mask, then start the next interval's sums."""
    encode(s, r.row[e], r.target[e], r.history[e], r.served[e], rate_scale, vms, r.observation[e])
    write_mask(s, codec, r.target[e], r.mask[e])
    remember(s, r, e)
