"""What exists: regions, VM types, models, tiers, pools and the constants of serving. Frozen data, no behaviour.

Every constant that the paper or the authors' code gives is a default here; section numbers refer to the SageServe paper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

TIERS = ("IW-F", "IW-N", "NIW")
"""Names of the three request tiers, in the order of their integer codes (interactive fast, interactive normal, non-interactive)."""

GIB = 1024**3


@dataclass(frozen=True)
class Carbon:
    """An hourly series of grams of CO₂ equivalent for each kWh of electricity.

    Attributes:
        zone: Column of the series, e.g. ``"DE-LU"``.
        file: Path of a CSV file, plain or gzip, with a column ``utc`` (the beginning of each hour, such as ``2024-01-01T00:00``,
            hour after hour) and one for each zone; in a world file relative to it. ``None``: the series that come with the
            package, 2023 and 2024, of Electricity Maps (ODbL; see ``world/data/electricity_maps/README.md``).
    """

    zone: str
    file: str | None = None


@dataclass(frozen=True)
class Region:
    """A data-centre region.

    Attributes:
        name: Unique name, e.g. ``"westus"``.
        vm_capacity: Number of VMs of each type that exist here, by VM type name. VMs that serve no model are spot VMs.
        stored_models: Models whose weights are in this region's local storage at the start; ``None`` means all of them. A model
            that is not stored is fetched from another region once (``LeadTimes.remote_fetch_s``) and stays stored.
        price_usd_per_h: List prices here by VM type name, US dollars per VM-hour; types not named, or ``None``: the VM type's.
        price_by_hour: Factors on these prices by hour of the day, 24 of them, or of the week from Monday 00:00 on, 168; UTC.
            ``None``: prices do not vary.
        carbon: Carbon intensity of the electricity here. ``None``: not counted.
    """

    name: str
    vm_capacity: dict[str, int]
    stored_models: tuple[str, ...] | None = None
    price_usd_per_h: dict[str, float] | None = None
    price_by_hour: tuple[float, ...] | None = None
    carbon: Carbon | None = None


@dataclass(frozen=True)
class VMType:
    """A kind of virtual machine: one instance of a model occupies one whole VM, tensor-parallel over its GPUs."""

    name: str
    gpus: int
    gpu_memory_bytes: int
    price_usd_per_h: float


@dataclass(frozen=True)
class TimeTable:
    """A piecewise-linear iteration time: seconds against tokens, first and last segments extended both ways.

    Attributes:
        tokens: Strictly increasing abscissae. Shape (n,), n >= 2.
        seconds: Iteration time at each abscissa. Shape (n,).
    """

    tokens: tuple[float, ...]
    seconds: tuple[float, ...]


@dataclass(frozen=True)
class Profile:
    """Iteration times of one model on one VM type.

    ``prefill`` is read at the prompt tokens of an iteration (plus the number of decoding requests when mixed), ``decode`` at the
    number of decoding requests.
    """

    prefill: TimeTable
    decode: TimeTable


@dataclass(frozen=True)
class IterationModel:
    """Iteration times of one model on one VM type as a sum of what an iteration does, fitted to measurements.

    An iteration that decodes n sequences with C context tokens between them, and prefills p tokens, takes ``base_s +
    sequence_s * n + context_token_s * C + prefill_token_s * p + prefill_context_s * Q`` seconds. A sequence that decodes its j-th
    token after the first has prompt + j context tokens. Q counts for each prefilled token those before it in its prompt: a chunk of
    p tokens behind q earlier ones adds ``p * q + p * (p - 1) / 2``, so a prompt has the same Q in one piece as in chunks.

    Attributes:
        base_s: Seconds of every iteration.
        sequence_s: For each decoding sequence.
        context_token_s: For each context token of the decoding sequences.
        prefill_token_s: For each prompt token.
        prefill_context_s: For each prompt token and each token before it in its prompt.
        provenance: Where the numbers come from, in a line: source, engine and its version, rows, error, range they hold for.
    """

    base_s: float
    sequence_s: float
    context_token_s: float
    prefill_token_s: float
    prefill_context_s: float
    provenance: str


@dataclass(frozen=True)
class Power:
    """Electric power of one instance of a model on one VM type, without the data centre's own (``World.pue``).

    With n > 0 requests in its running batch it draws ``base_w + span_w * n / (n + half_batch)`` watts; see
    ``world.silicon.power``.

    Attributes:
        idle_w: Watts while it loads the model, or its batch is empty.
        base_w: Watts of an almost empty batch.
        span_w: What a full batch adds.
        half_batch: Requests in the batch that add half of it.
        provenance: Where the numbers come from, in a line.
    """

    idle_w: float
    base_w: float
    span_w: float
    half_batch: float
    provenance: str


@dataclass(frozen=True)
class Model:
    """A large language model.

    Attributes:
        name: Unique name, e.g. ``"llama-2-70b"``.
        weights_bytes: Memory that the weights take on an instance.
        kv_bytes_per_token: KV-cache bytes of one token, over all layers and GPUs.
        profiles: Iteration times by VM type name, tables or an iteration model. A model can be served only on the VM types listed.
        power: Power by VM type name, of each type in ``profiles``, or of none: energy is then not counted.
    """

    name: str
    weights_bytes: float
    kv_bytes_per_token: float
    profiles: dict[str, Profile | IterationModel]
    power: dict[str, Power] = field(default_factory=dict)


@dataclass(frozen=True)
class Tier:
    """A class of requests and its service level (paper section 2).

    Attributes:
        name: One of ``TIERS``.
        slo_s: Service level in seconds: time to first token for IW-F and IW-N, completion for NIW. Deadlines of the EDF and DPA
            admission orders derive from it.
        fcfs_offset_s: Added to the arrival time when waiting work is ordered first come, first served.
        tpot_s: A second service level: most seconds for each output token after the first, on average over a request. None: no
            such level. A request meets its service level if it meets both.
    """

    name: str
    slo_s: float
    fcfs_offset_s: float = 0.0
    tpot_s: float | None = None


@dataclass(frozen=True)
class Pool:
    """Instances of each (region, model) that serve chosen tiers.

    A tier's first pool in ``World.pools`` that lists it is where its requests go. Above ``spill_utilization`` of a (region,
    model)'s endpoint in this pool they go to the endpoint of ``spill_to`` instead.

    Attributes:
        name: Unique name.
        tiers: Tiers that enter here.
        instances: Instances of each (region, model) in this pool at the start, by model name; models not listed have none.
        spill_to: Name of another pool, or None.
        spill_utilization: Effective memory utilization (0 to 1) above which requests spill.
    """

    name: str
    tiers: tuple[str, ...]
    instances: dict[str, int]
    spill_to: str | None = None
    spill_utilization: float = 0.7


@dataclass(frozen=True)
class LeadTimes:
    """Seconds during which a VM that changes hands serves nobody (paper section 5)."""

    reclaim_s: float = 60.0
    """From a spot VM that still holds the model."""
    redeploy_s: float = 600.0
    """From any other spot VM, weights from local storage."""
    remote_fetch_s: float = 7200.0
    """From any other spot VM, weights from another region."""


@dataclass(frozen=True)
class Serving:
    """How an instance serves (paper section 4).

    Attributes:
        max_batch: Most requests in a running batch (1 to 512).
        iteration_overhead_s: Added to every iteration's time.
        mixed_factor: Multiplies the table's prefill time of an iteration that also decodes; an iteration model has no use for it.
        kv_admission: ``"two_step"``: prompt + 1 KV tokens from admission, the other output tokens from the start of decoding;
            ``"reserve"``: prompt + output tokens from admission.
        prefill_budget_tokens: Most tokens of an iteration, one for each decoding request and the rest prompt tokens: prompts that
            are longer are prefilled in chunks. At least ``max_batch``. None: prompts are prefilled whole.
    """

    max_batch: int = 512
    iteration_overhead_s: float = 0.0
    mixed_factor: float = 1.1
    kv_admission: str = "two_step"
    prefill_budget_tokens: int | None = None


@dataclass(frozen=True)
class Routing:
    """Global routing (paper section 5): first preferred region below the threshold, else the least utilized."""

    utilization_threshold: float = 0.7
    """Infinity: requests never leave the first region of their order."""
    delay_s: float = 0.0
    """Constant time between the routing decision and the arrival at the region, on top of the network latency."""
    group_size: int = 0
    """Instances of an endpoint stand in groups of so many, the last ones of one fewer; a request goes to the group with the least
    prompt tokens waiting at one of its instances, and there to the shortest queue. 0: no groups, the paper's rule."""


@dataclass(frozen=True)
class NiwQueue:
    """The queue manager of non-interactive requests (paper section 5).

    Attributes:
        managed: False sends NIW through the global router on arrival, like interactive requests.
        release_utilization: Two levels, high then low: at or under the first, ``release_count[0]`` requests are released at each
            signal; at or under the second, ``release_count[1]``.
        release_count: Requests released for each level.
        release_on_tick: Also signal every scaling tick, so that an idle endpoint is not starved.
        promote_after_s: Age at which a queued request is routed like IW-N, and one at an instance is admitted before all that wait.
    """

    managed: bool = True
    release_utilization: tuple[float, float] = (0.6, 0.5)
    release_count: tuple[int, int] = (1, 2)
    release_on_tick: bool = True
    promote_after_s: float = 36_000.0


@dataclass(frozen=True)
class Scaling:
    """Autoscaling (paper section 5). Thresholds and the cool-down are defaults, which a policy sets at run time as knobs.

    Attributes:
        tick_s: Seconds between two ticks, at which bounds are enforced and idle endpoints ask for more work.
        scale_out_utilization: Above it an endpoint moves one instance out.
        scale_in_utilization: Below it, one in.
        cool_down_s: Pause of an endpoint after a move.
        min_instances: Least instances of an endpoint, for policies.
        trigger: When an endpoint compares its utilization with the thresholds: at every ``"tick"``, or at each ``"arrival"`` of a
            request there, before the request joins an instance.
        scale_in_cool_down_s: Pause after a move in; None: ``cool_down_s``.
        lead_time_holds: What waits for the lead time of a new instance: the ``"vm"``, which is provisioning meanwhile, or the
            endpoint's ``"next_move"``: the instance joins at once, and the lead time is added to the pause.
        drains: Which instance is released: the one with the ``"least_pending"`` tokens, or the ``"last"`` in the endpoint's order;
            where instances stand in groups (``Routing.group_size``), the last of the last whole group.
        reclaims_draining: Whether a move out may take back an instance of the endpoint that is still draining. Of those and the
            spot VMs that hold the model, the one that was released first goes first.
        emergency_utilization: Above it an endpoint may have one instance more than its cap; infinity: never.
    """

    tick_s: float = 15.0
    scale_out_utilization: float = 0.7
    scale_in_utilization: float = 0.3
    cool_down_s: float = 15.0
    min_instances: int = 2
    trigger: str = "tick"
    scale_in_cool_down_s: float | None = None
    lead_time_holds: str = "vm"
    drains: str = "least_pending"
    reclaims_draining: bool = False
    emergency_utilization: float = math.inf


@dataclass(frozen=True)
class Dpa:
    """Thresholds of the deadline- and priority-aware admission order (values not published: assumptions).

    Attributes:
        urgent_s: A deadline nearer than this is urgent (tau_n).
        severe_s: A request expired longer than this is severely expired (tau_p).
    """

    urgent_s: float = 0.5
    severe_s: float = 60.0


@dataclass(frozen=True)
class PlannedFailure:
    """A VM that fails at a time given: one that serves, if any does, else any other of the type that is up.

    Attributes:
        region, vm_type: Names.
        start_s: Seconds since the start of the run.
        duration_s: Until it is repaired.
    """

    region: str
    vm_type: str
    start_s: float
    duration_s: float


@dataclass(frozen=True)
class PlannedOutage:
    """A region that is out from ``start_s``, in seconds since the start of the run, for ``duration_s``."""

    region: str
    start_s: float
    duration_s: float


@dataclass(frozen=True)
class Faults:
    """What goes wrong. By default nothing does. Each kind draws from random streams of its own, by VM or region (docs/worlds.md).

    Heavy-tailed times are log-normal, given by their median and their 90th percentile, in seconds.

    Attributes:
        failures_per_vm_day: Failures of a VM in a day that it is up, spot or not, below 24, and so few that it is up for half of
            its time or more. Times between them are exponential.
        repair_median_s, repair_p90_s: Time until a failed VM is back. Defaults: 584 faults of 400 GPU servers in 348 days, 0.0042
            a server and day (the trace of InfiniteHBD).
        planned_failures: Failures at given times.
        outages_per_region_day: Outages of a region in a day that it is up, below 24. One that would leave no region up at some
            instant does not happen.
        outage_median_s, outage_p90_s: How long they last (assumption).
        planned_outages: Outages at given times; at no instant are all regions out by plan.
        lead_time_sigma: Standard deviation of the logarithm of lead times, 0 to 3; their medians are those of ``LeadTimes``.
        spot_leave_median_s, spot_leave_p90_s: Time that a spot customer takes to leave, added to the lead time. 0 and 0: none.
        evicted_vm_types: VM types that are taken away now and then, and come back.
        eviction_notice_s: How long before that a VM learns of it: it drains meanwhile. At most ``up_median_s``.
        up_median_s, up_p90_s: Time from when such a VM is there until it is taken away.
        down_median_s, down_p90_s: Time until it is back. Defaults of these four: medians over 28 traces of the availability of
            spot GPUs (V100 and K80 on AWS).
        router_telemetry_s: Age that the utilization which the global router sees may reach: it is read so often. 0: always live.
    """

    failures_per_vm_day: float = 0.0
    repair_median_s: float = 73_440.0
    repair_p90_s: float = 1_166_400.0
    planned_failures: tuple[PlannedFailure, ...] = ()
    outages_per_region_day: float = 0.0
    outage_median_s: float = 3600.0
    outage_p90_s: float = 14_400.0
    planned_outages: tuple[PlannedOutage, ...] = ()
    lead_time_sigma: float = 0.0
    spot_leave_median_s: float = 0.0
    spot_leave_p90_s: float = 0.0
    evicted_vm_types: tuple[str, ...] = ()
    eviction_notice_s: float = 30.0
    up_median_s: float = 2100.0
    up_p90_s: float = 20_040.0
    down_median_s: float = 1365.0
    down_p90_s: float = 13_020.0
    router_telemetry_s: float = 0.0


@dataclass(frozen=True)
class World:
    """Everything that exists before the first request arrives.

    Attributes:
        name: Shown in reports.
        regions: One to 15 regions.
        latency_s: One-way router-to-region latency in seconds, ``latency_s[origin][destination]``, in the order of ``regions``.
        vm_types: VM types; an endpoint scales out on the first of them that has a spot VM and room below its cap.
        models: Models served.
        tiers: The three tiers in the order of ``TIERS``.
        pools: One pool for all tiers is the unified fleet; two or three with spill are siloed fleets and Chiron.
        egress_usd_per_gb: List price of traffic in US dollars for 10⁹ bytes, ``egress_usd_per_gb[from][to]``, in the order of
            ``regions``. A request that is served away from its origin sends its prompt there and its output back. ``None``: free.
        egress_bytes_per_token: Bytes that a token takes on the way. Text in UTF-8 has about four [A].
        pue: Power usage effectiveness: what the data centre draws for each watt that instances draw.
        week_of: Date of the Monday on which time 0 of a week lies, ISO, UTC: where series of carbon begin to be read. They go on
            from there, and begin anew after their last hour.
        faults: What goes wrong.
    """

    name: str
    regions: tuple[Region, ...]
    latency_s: tuple[tuple[float, ...], ...]
    vm_types: tuple[VMType, ...]
    models: tuple[Model, ...]
    tiers: tuple[Tier, ...]
    pools: tuple[Pool, ...]
    lead_times: LeadTimes = field(default_factory=LeadTimes)
    serving: Serving = field(default_factory=Serving)
    routing: Routing = field(default_factory=Routing)
    niw: NiwQueue = field(default_factory=NiwQueue)
    scaling: Scaling = field(default_factory=Scaling)
    dpa: Dpa = field(default_factory=Dpa)
    egress_usd_per_gb: tuple[tuple[float, ...], ...] | None = None
    egress_bytes_per_token: float = 4.0
    pue: float = 1.0
    week_of: str = "2024-01-01"
    faults: Faults = field(default_factory=Faults)

    @property
    def n_endpoints(self) -> int:
        """One for each region, model and pool, in this order."""
        return len(self.regions) * len(self.models) * len(self.pools)
