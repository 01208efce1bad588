"""The simulator's state: one flat structured array for each kind of thing, the environment on the first axis.

Sizes: R regions, M models, P pools, K VM types, T = 3 tiers, N = R * M * P endpoints, V VMs, Q distinct network delays,
F requests in flight. An endpoint is (region, model, pool) with index ``(region * M + model) * P + pool``; a lane is
(endpoint, tier) with index ``endpoint * T + tier``; an origin is (region, model, tier), ``(region * M + model) * T + tier``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

N_TIERS = 3
IW_F, IW_N, NIW = 0, 1, 2

SPOT, PROVISIONING, ACTIVE, DRAINING, FAILED = 0, 1, 2, 3, 4
"""States of a VM: serving nobody and free; loading a model; serving; finishing what it has before it becomes spot; not there."""

FCFS, EDF, PF, DPA = 0, 1, 2, 3

QUARTER_S = 900.0
"""Of each quarter of an hour the most active instances are kept: the authors' measure of instance-hours."""

BATCH_LIMIT = 512
N_QUEUES = 2 * N_TIERS + 1
DECODE_QUEUE = 2 * N_TIERS
"""Waiting lists of an instance: one for each tier, one for each tier's expired requests (DPA only), and the requests that are
prefilled and wait for KV memory to decode."""

NONE = -1
FREE_SLOT = 255
"""Tier of a slot of the flight pool that holds no request."""

CLOCK = np.dtype(
    [
        ("now_s", "f8"),
        ("cursor", "i8"),  # next request of the current chunk
        ("ticks", "i8"),  # scaling ticks so far
        ("events", "i8"),
        ("arrived", "i8"),
        ("rejected", "i8"),
        ("completed", "i8"),
        ("preempted", "i8"),
        ("blocked_scale_outs", "i8"),  # no spot VM was left
        ("log_rows", "i8"),
        ("failures", "i8"),
        ("evictions", "i8"),
        ("fault_seed", "u8"),
        ("order", "i4"),  # FCFS, EDF, PF or DPA
        ("flight_free", "i4"),  # head of the list of freed slots
        ("flight_used", "i4"),  # slots ever used
        ("niw_queued", "i4"),  # in the central queues
        ("week_start_s", "f8"),  # seconds from the world's Monday 00:00 to time 0
    ],
    align=True,
)

EVENT = np.dtype([("time_s", "f8"), ("source", "i4")], align=True)
"""A node of the tournament tree over event sources: transit queues, then the tick, then VMs, then faults."""

ENDPOINT = np.dtype(
    [
        ("region", "i4"),
        ("model", "i4"),
        ("pool", "i4"),
        ("active", "i4"),
        ("provisioning", "i4"),
        ("draining", "i4"),
        ("created", "i4"),  # instances ever started here
        ("largest_kv", "i4"),  # KV tokens of the largest active instance
        ("kv_used", "i8"),  # tokens, over active instances
        ("kv_capacity", "i8"),
        ("kv_token_bytes", "f8"),
        ("kv_bytes", "f8"),  # memory beside the weights, not rounded to tokens: what utilization is a share of
        ("kv_used_integral", "f8"),  # token-seconds
        ("kv_capacity_integral", "f8"),
        ("kv_since_s", "f8"),  # both integrals hold up to here
        ("cool_until_s", "f8"),
        ("scale_out_utilization", "f8"),  # knobs
        ("scale_in_utilization", "f8"),
        ("cool_down_s", "f8"),
        ("emergency_utilization", "f8"),
        ("seen_utilization", "f8"),  # what the global router sees, where that is not the present
    ],
    align=True,
)

LANE = np.dtype(
    [
        ("waiting", "i8"),  # at the endpoint, not admitted
        ("waiting_tokens", "i8"),  # their prompt tokens
        ("running", "i8"),  # admitted, not completed
        ("routed", "i8"),  # ever reached the endpoint
        ("routed_tokens", "i8"),
        ("completed", "i8"),
        ("lost", "i8"),  # to a fault, after they reached the endpoint; the router sent them anew
        ("prompt_tokens", "i8"),  # of the completed
        ("output_tokens", "i8"),
        ("slo_met", "i8"),
        ("slo_unattainable", "i8"),  # missed, and no fleet could have met it
        ("ttft_sum_s", "f8"),
        ("e2e_sum_s", "f8"),
        ("tpot_sum_s", "f8"),  # over those of two output tokens or more
    ],
    align=True,
)

FLEET = np.dtype(
    [
        ("floor", "i4"),  # knobs
        ("cap", "i4"),
        ("active", "i4"),
        ("provisioning", "i4"),
        ("draining", "i4"),
        ("active_s", "f8"),  # VM-seconds up to each VM's last change of state
        ("provisioning_s", "f8"),
        ("draining_s", "f8"),
        ("scale_outs", "i8"),
        ("scale_ins", "i8"),
        ("changed_s", "f8"),  # when ``active`` last changed
        ("quarter", "i8"),  # quarter of an hour of that change
        ("quarter_peak", "i8"),  # most that were active for a time in it, before the change
        ("peaks", "i8"),  # sum of that over the quarters before
        ("priced_s", "f8"),  # VM-seconds, each times its hour's factor on the price; 0 where prices do not vary
        ("waste_priced_s", "f8"),  # those of them spent provisioning
        ("energy_kwh", "f8"),  # up to each VM's last change of power; 0 where it is not counted
        ("carbon_kg", "f8"),
    ],
    align=True,
)
"""One (endpoint, VM type)."""

SPOT_VMS = np.dtype([("vms", "i4"), ("failed", "i4"), ("spot_s", "f8"), ("failed_s", "f8")], align=True)
"""One (region, VM type): VMs that are spot, and VMs that are not there."""

ORIGIN = np.dtype(
    [
        ("arrived", "i8"),
        ("prompt_tokens", "i8"),
        ("output_tokens", "i8"),
        ("rejected", "i8"),
        ("unattainable", "i8"),
        ("breached", "i8"),  # past their service level, though some fleet could have met it; each once, when it is known
        ("promoted", "i8"),  # NIW that grew so old that it was routed as interactive
        ("retried", "i8"),  # times that a request was lost to a fault and sent anew
        ("queued", "i8"),  # NIW in the central queue
        ("queued_tokens", "i8"),
        ("egress_usd", "f8"),  # of prompts sent to other regions and outputs sent back
    ],
    align=True,
)

INSTANCE = np.dtype(
    [
        ("pending_tokens", "i8"),  # prompt tokens to prefill + requests not completed
        ("kv_capacity", "i8"),
        ("kv_used", "i8"),
        ("prefill_tokens", "i8"),  # that members have yet to prefill, the running iteration included
        ("context_tokens", "i8"),  # of the decoding members, at the start of the run
        ("iteration", "i8"),  # iterations done that decoded
        ("run_iterations", "i8"),
        ("run_start_s", "f8"),
        ("iteration_s", "f8"),  # the first of the run
        ("growth_s", "f8"),  # of each iteration over the one before
        ("state_since_s", "f8"),
        ("released_s", "f8"),  # when it last began to drain
        ("state", "i4"),
        ("waiting", "i4"),
        ("prefills", "i4"),  # members of the running batch
        ("decodes", "i4"),
        ("is_cut", "i4"),  # an arrival has shortened the run
        ("prefill_head", "i4"),
        ("prefill_tail", "i4"),
        ("prefilled", "i4"),  # tokens of the first to prefill that earlier iterations prefilled
        ("endpoint", "i4"),
        ("profile", "i4"),
        ("region", "i4"),
        ("vm_type", "i4"),
        ("model", "i4"),  # whose weights it holds
        ("serial", "i4"),  # creation counter within the endpoint
        ("fetched", "i4"),  # provisioning from another region
        ("watts", "f8"),  # drawn since ``watts_since_s``; 0 where energy is not counted
        ("watts_since_s", "f8"),
        ("causes", "i4"),  # faults that keep it down now
        ("noticed", "i4"),  # about to be evicted
        ("taken", "i4"),  # times that it was taken from spot
    ],
    align=True,
)

QUEUE = np.dtype([("head", "i4"), ("tail", "i4"), ("put", "i4")], align=True)
"""A doubly linked list of requests, through FLIGHT's ``next`` and ``prev``; ``put``: what was last put in its place, if there."""

FLIGHT = np.dtype(
    [
        ("arrival_s", "f8"),
        ("key_s", "f8"),  # place among waiting requests of its tier
        ("deadline_s", "f8"),
        ("routed_s", "f8"),
        ("prefill_start_s", "f8"),
        ("first_token_s", "f8"),
        ("decode_start_s", "f8"),
        ("reach_s", "f8"),  # when it gets to the region
        ("request", "i8"),  # count of arrivals before it
        ("prompt", "i4"),
        ("output", "i4"),
        ("next", "i4"),
        ("prev", "i4"),
        ("endpoint", "i4"),
        ("vm", "i4"),
        ("model", "u1"),
        ("origin", "u1"),
        ("tier", "u1"),
        ("preference", "u1"),
        ("unattainable", "u1"),
        ("breached", "u1"),
    ],
    align=True,
)
"""One request in the system."""

OUTAGE = np.dtype([("causes", "i4"), ("outages", "i8"), ("since_s", "f8"), ("out_s", "f8")], align=True)
"""One region: the faults that keep it out now, and, up to the last change, how often and how long it was."""

FAULT = np.dtype(
    [
        ("kind", "i4"),
        ("phase", "i4"),
        ("region", "i4"),
        ("vm_type", "i4"),
        ("vm", "i4"),  # NONE: a region's, or a planned failure that has not chosen yet
        ("drawn", "i4"),  # intervals drawn so far
        ("start_s", "f8"),  # when it takes its VM or region down, or did, and until when
        ("end_s", "f8"),
        ("up_s", "f8"),  # since when it is up
    ],
    align=True,
)
"""One source of faults: a VM or a region that goes down and comes back, again and again or, where it is planned, once."""

FAILURE, EVICTION, OUTAGE_DRAWN, FAILURE_PLANNED, OUTAGE_PLANNED, REFRESH = range(6)
"""Kinds of sources of faults; the last one renews what the global router sees."""

UP, NOTICE, DOWN = 0, 1, 2
"""Phases of a source of faults; only evictions give notice."""

FAULT_LAW = np.dtype([("rate", "f8"), ("up_mu", "f8"), ("up_sigma", "f8"), ("down_mu", "f8"), ("down_sigma", "f8")], align=True)
"""One kind of drawn fault: times up are exponential of ``rate`` a second, log-normal where that is 0; times down are log-normal."""

MODEL_KNOBS = np.dtype(
    [
        ("routing_threshold", "f8"),
        ("release_high", "f8"),  # NIW release levels
        ("release_low", "f8"),
    ],
    align=True,
)

SETTINGS = np.dtype(
    [
        ("tick_s", "f8"),
        ("scale_in_cool_down_s", "f8"),  # negative: as the knob
        ("overhead_s", "f8"),
        ("mixed_factor", "f8"),
        ("promote_after_s", "f8"),
        ("urgent_s", "f8"),
        ("severe_s", "f8"),
        ("reclaim_s", "f8"),
        ("redeploy_s", "f8"),
        ("remote_fetch_s", "f8"),
        ("lead_time_sigma", "f8"),
        ("spot_leave_mu", "f8"),  # minus infinity: customers leave at once
        ("spot_leave_sigma", "f8"),
        ("eviction_notice_s", "f8"),
        ("router_telemetry_s", "f8"),
        ("budget_tokens", "i8"),  # of an iteration
        ("max_batch", "i4"),
        ("two_step", "i4"),
        ("niw_managed", "i4"),
        ("release_on_tick", "i4"),
        ("release_high_count", "i4"),
        ("release_low_count", "i4"),
        ("models", "i4"),
        ("pools", "i4"),
        ("vm_types", "i4"),
        ("regions", "i4"),
        ("niw_pool", "i4"),
        ("group_size", "i4"),
        ("scale_on_arrival", "i4"),
        ("lead_time_pauses", "i4"),
        ("drain_last", "i4"),
        ("reclaim_draining", "i4"),
        ("top_price_factor", "f8"),  # the largest of all regions and hours
        ("has_power", "i4"),
        ("has_carbon", "i4"),
        ("has_egress", "i4"),
        ("has_hourly_prices", "i4"),
    ],
    align=True,
)

TIER = np.dtype([("slo_s", "f8"), ("tpot_s", "f8"), ("fcfs_offset_s", "f8"), ("pool", "i4")], align=True)
"""``tpot_s`` is infinite where a tier has no such level."""

POOL = np.dtype([("spill_utilization", "f8"), ("spill_to", "i4")], align=True)

PROFILE = np.dtype(
    [
        ("kind", "i4"),
        ("knots", "i4"),  # of the prefill table
        ("first_knot", "i4"),
        ("kv_tokens", "i8"),
        ("kv_token_bytes", "f8"),
        ("kv_bytes", "f8"),
        ("context_token_s", "f8"),  # of an iteration model, as are those below; 0 for tables
        ("prefill_token_s", "f8"),
        ("prefill_context_s", "f8"),
        ("idle_w", "f8"),  # power with the data centre's share, as are those below; 0 where energy is not counted
        ("base_w", "f8"),
        ("span_w", "f8"),
        ("half_batch", "f8"),
    ],
    align=True,
)
"""One (model, VM type): its KV capacity, iteration times and power; decode times without context are in ``decode_s``."""

ABSENT, TABLES, MODELLED = 0, 1, 2
"""Kinds of profiles: the model does not run on that type; tables; an iteration model."""

KNOT = np.dtype([("tokens", "f8"), ("seconds", "f8")], align=True)

REGION = np.dtype([("first_vm", "i4"), ("vms", "i4"), ("nearest_s", "f8")], align=True)
"""``nearest_s``: the shortest delay from this region's router to any region."""

LOG = np.dtype(
    [
        ("request", "i8"),
        ("arrival_s", "f8"),
        ("routed_s", "f8"),
        ("prefill_start_s", "f8"),
        ("first_token_s", "f8"),
        ("decode_start_s", "f8"),
        ("completion_s", "f8"),
        ("tpot_s", "f8"),  # seconds for each output token after the first
        ("prompt_tokens", "i4"),
        ("output_tokens", "i4"),
        ("instance", "i4"),  # creation counter within the endpoint; -1 where rejected
        ("vm", "i4"),
        ("model", "i2"),
        ("origin", "i2"),
        ("tier", "i2"),
        ("region", "i2"),
        ("pool", "i2"),
        ("rejected", "u1"),
    ],
    align=True,
)
"""One finished request, in order of completion; times that did not happen are infinite."""

SUB_BINS = 64
FIRST_OCTAVE = -10
OCTAVES = 31
N_BINS = SUB_BINS * OCTAVES
"""Latency histograms: 64 equal bins in each power of two from 2**-10 s to 2**21 s, so a bin's middle is within 0.8 % of its
contents."""

TTFT, E2E, TPOT = 0, 1, 2
N_LATENCIES = 3
"""Time to first token, end to end, and for each output token after the first."""


class Sim(NamedTuple):
    """One environment's arrays, state first, then the world, then what a call brings. Built inside kernels, at no cost."""

    clock: Any  # (1,)
    event: Any  # (2 * leaves,)
    transit: Any  # (Q,) requests on their way: one queue for each distinct network delay, so each is first in, first out
    endpoint: Any  # (N,)
    held: Any  # (N,) requests that no active instance of the endpoint can take
    member: Any  # (N, most VMs of a region) active VMs of each endpoint
    lane: Any  # (N * T,)
    fleet: Any  # (N * K,)
    spot: Any  # (R * K,)
    origin: Any  # (R * M * T,)
    central: Any  # (R * M * T,) NIW that the queue manager holds
    instance: Any  # (V,)
    queue: Any  # (V, N_QUEUES)
    batch: Any  # (V, max_batch) heap of (last iteration, flight slot)
    flight: Any  # (F,)
    hist: Any  # (N * T, N_LATENCIES, N_BINS)
    stored: Any  # (R * M,) whether a region holds a model's weights
    model_knobs: Any  # (M,)
    region_weight: Any  # (M, R)
    outage: Any  # (R,)
    lost: Any  # (1,) requests that a fault has just taken, in order; empty between events
    fault: Any  # (sources of faults,)
    fault_event: Any  # (2 * leaves,) when each of them acts next; its winner is one event of ``event``
    settings: Any  # (1,)
    tier: Any  # (T,)
    pool: Any  # (P,)
    region: Any  # (R,)
    profile: Any  # (M * K,)
    knot: Any
    decode_s: Any  # (M * K, BATCH_LIMIT + 1) seconds of a decode-only iteration by batch size, without its context
    delay_s: Any  # (Q,)
    delay_class: Any  # (R, R) origin, destination -> Q
    preference: Any  # (R, orders, R)
    egress_usd: Any  # (R, R) dollars of a token from a region to another
    carbon: Any  # (R, H) g/kWh by hour from the world's Monday on, round and round
    price_factor: Any  # (R, 168) by hour of the week
    fault_law: Any  # (3,) by kind
    requests: Any  # the current chunk
    log: Any


STATE_FIELDS = Sim._fields[: Sim._fields.index("settings")]
WORLD_FIELDS = Sim._fields[Sim._fields.index("settings") : Sim._fields.index("requests")]
