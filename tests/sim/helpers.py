"""What the tests of the simulator share: workloads in memory, worlds whose times can be worked out by hand, random cases.

Every time of a toy world is a multiple of 1/128 s, so that sums of them are exact in binary.
"""

from dataclasses import dataclass, replace

import numpy as np

from sageserve_env.errors import InputError
from sageserve_env.sim import ADMISSION_ORDERS, Knobs, Simulator
from sageserve_env.sim.fleet import initial_instances
from sageserve_env.workload.request import REQUEST_DTYPE
from sageserve_env.world.rules.validate import validate
from sageserve_env.world.schema import (
    TIERS,
    Dpa,
    IterationModel,
    LeadTimes,
    Model,
    NiwQueue,
    Pool,
    Profile,
    Region,
    Routing,
    Scaling,
    Serving,
    Tier,
    TimeTable,
    VMType,
    World,
)

IW_F, IW_N, NIW = range(3)
ALL = TIERS
WEIGHTS = 1000.0


@dataclass(frozen=True)
class ArrayWorkload:
    """Requests held in memory, played in chunks of ``chunk_rows``."""

    rows: np.ndarray
    chunk_rows: int = 4096
    name: str = "array"

    @property
    def duration_s(self):
        return float(self.rows["arrival_s"].max(initial=0.0)) + 1.0

    def stream(self, world, seed):
        return ArrayStream(self.rows, self.chunk_rows)


class ArrayStream:
    def __init__(self, rows, chunk_rows):
        self.rows, self.chunk_rows, self.position = rows, chunk_rows, 0

    def next_chunk(self):
        chunk = self.rows[self.position : self.position + self.chunk_rows].copy()
        self.position += len(chunk)
        return chunk

    def snapshot(self):
        return self.position

    def restore(self, snapshot):
        self.position = snapshot


def requests(*rows):
    """Rows of (arrival_s, prompt, output) and, if wanted, tier, origin, model, preference, as a workload's array."""
    out = np.zeros(len(rows), REQUEST_DTYPE)
    names = ("arrival_s", "prompt_tokens", "output_tokens", "tier", "origin", "model", "preference")
    for place, row in enumerate(rows):
        for name, value in zip(names, row, strict=False):
            out[name][place] = value
    return out


def prefill_time(tokens, slowness=1):
    """Seconds that the toy profile takes to prefill: a quarter of a second and 1/64 s a token."""
    return slowness * (0.25 + tokens / 64)


def decode_time(batch, slowness=1):
    """Seconds of one decode iteration of the toy profile: an eighth and 1/64 s a request."""
    return slowness * (0.125 + batch / 64)


def toy_profile(slowness=1):
    prefill = TimeTable((0.0, 64.0, 128.0), tuple(prefill_time(tokens, slowness) for tokens in (0, 64, 128)))
    decode = TimeTable((0.0, 64.0), tuple(decode_time(batch, slowness) for batch in (0, 64)))
    return Profile(prefill, decode)


def toy_model(slowness=1, **parts):
    """An iteration model as quick as the toy profile, and in the context 1/4096 s a token and 1/65536 s a prompt token."""
    own = {"context_token_s": 1 / 4096, "prefill_token_s": 1 / 64, "prefill_context_s": 1 / 65536, **parts}
    times = {"base_s": 0.125, "sequence_s": 1 / 64, **own}
    return IterationModel(**{name: slowness * float(value) for name, value in times.items()}, provenance="a toy")


def unified(instances, models=1):
    return (Pool("unified", ALL, {f"m{i}": instances for i in range(models)}),)


def toy_world(*, regions=1, models=1, kv_tokens=1000, vms=4, instances=1, latency_s=0.0, **parts):
    """One VM type, one pool and instant lead times unless ``parts``, fields of World, say otherwise."""
    world = World(
        name="toy",
        regions=tuple(Region(f"r{i}", {"t0": vms}) for i in range(regions)),
        latency_s=tuple(tuple(latency_s + abs(i - j) / 64 for j in range(regions)) for i in range(regions)),
        vm_types=(VMType("t0", 1, int(WEIGHTS) + kv_tokens, 2.0),),
        models=tuple(Model(f"m{i}", WEIGHTS, 1.0, {"t0": toy_profile()}) for i in range(models)),
        tiers=(Tier("IW-F", 1.0), Tier("IW-N", 60.0), Tier("NIW", 86_400.0)),
        pools=unified(instances, models),
        lead_times=LeadTimes(0.0, 0.0, 0.0),
    )
    return replace(world, **parts)


def simulate(world, rows, until_s=1e4, knobs=None, check=True):
    """A simulator that has served ``rows`` with every invariant verified after every event."""
    sim = Simulator(world, ArrayWorkload(rows), log_requests=True, check=check)
    if knobs is not None:
        sim.apply(knobs)
    sim.advance(until_s)
    return sim


def log_by_request(sim):
    """The request log in order of arrival."""
    return np.sort(sim.request_log(), order="request")


def state_bytes(sim):
    """Every byte of the state that means something: slots of the pool that were never used are left out."""
    used = int(sim._state["clock"][0]["flight_used"])
    return {name: (array[:used] if name == "flight" else array).tobytes() for name, array in sim._state.items()}


def kv_of(world):
    """KV tokens of each model on its largest VM type."""
    memory = {vm_type.name: vm_type.gpu_memory_bytes for vm_type in world.vm_types}
    return np.array([max(int((memory[t] - m.weights_bytes) // m.kv_bytes_per_token) for t in m.profiles) for m in world.models])


def random_world(rng, *, roomy=False):
    """A small world in which memory, batches and VMs are scarce; ``roomy``: with a VM of each type for every endpoint."""
    while True:
        world = draw_world(rng, roomy=roomy)
        try:
            initial_instances(validate(world))
        except InputError:  # the draw starts more instances than the region has VMs
            continue
        return world


def draw_world(rng, *, roomy):
    n_regions, n_models, n_types = int(rng.integers(1, 4)), int(rng.integers(1, 3)), int(rng.integers(1, 3))
    pools = random_pools(rng, n_models)
    spare = n_models * len(pools) if roomy else 0
    memory = [int(rng.integers(60, 400)) for _ in range(n_types)]
    return World(
        name="random",
        regions=tuple(random_region(rng, i, n_models, n_types, spare) for i in range(n_regions)),
        latency_s=tuple(tuple(float(rng.choice([0.0, 1 / 64, 1 / 32, 0.3])) for _ in range(n_regions)) for _ in range(n_regions)),
        vm_types=tuple(VMType(f"t{k}", 8, int(WEIGHTS) + memory[k], 1.0 + k) for k in range(n_types)),
        models=tuple(random_model(rng, i, n_types) for i in range(n_models)),
        tiers=(
            Tier("IW-F", float(rng.choice([0.5, 2.0])), tpot_s=random_tpot(rng)),
            Tier("IW-N", float(rng.choice([4.0, 15.0])), tpot_s=random_tpot(rng)),
            Tier("NIW", 100.0, float(rng.choice([0.0, 20.0])), tpot_s=random_tpot(rng)),
        ),
        pools=pools,
        lead_times=LeadTimes(*(float(s) for s in rng.choice([0.0, 0.0, 0.5, 4.0, 20.0], 3))),
        serving=random_serving(rng),
        routing=Routing(float(rng.choice([rng.random(), np.inf])), float(rng.choice([0.0, 0.25])), int(rng.choice([0, 2, 3]))),
        niw=random_niw(rng),
        scaling=random_scaling(rng),
        dpa=Dpa(float(rng.choice([0.25, 2.0])), float(rng.choice([0.5, 10.0]))),
    )


def random_scaling(rng):
    """Half of them the paper's rules, the others any mixture of those that may be set."""
    plain = Scaling(tick_s=float(rng.choice([1.0, 2.5, 5.0])), cool_down_s=float(rng.choice([0.0, 3.0])))
    if rng.random() < 0.5:
        return plain
    return replace(
        plain,
        trigger=str(rng.choice(["tick", "arrival"])),
        scale_in_cool_down_s=[None, 0.0, 4.0][int(rng.integers(3))],
        lead_time_holds=str(rng.choice(["vm", "next_move"])),
        drains=str(rng.choice(["least_pending", "last"])),
        reclaims_draining=bool(rng.random() < 0.5),
        emergency_utilization=float(rng.choice([np.inf, 0.0, 0.6])),
    )


def random_serving(rng):
    max_batch = int(rng.choice([1, 2, 3, 8, 64]))
    return Serving(
        max_batch=max_batch,
        iteration_overhead_s=float(rng.choice([0.0, 1 / 64])),
        kv_admission=str(rng.choice(["two_step", "reserve"])),
        prefill_budget_tokens=rng.choice([None, None, max_batch, max_batch + 5, max_batch + 40]),
    )


def random_tpot(rng):
    return None if rng.random() < 0.6 else float(rng.choice([0.15, 0.3]))


def random_region(rng, number, n_models, n_types, spare):
    capacity = {f"t{k}": spare + int(rng.integers(1, 6)) for k in range(n_types)}
    stored = None if rng.random() < 0.5 else tuple(f"m{i}" for i in range(n_models) if rng.random() < 0.5)
    return Region(f"r{number}", capacity, stored)


def random_model(rng, number, n_types):
    types = [k for k in range(n_types) if rng.random() < 0.7] or [number % n_types]
    return Model(f"m{number}", WEIGHTS, float(rng.choice([1.0, 1.7])), {f"t{k}": random_profile(rng, 1 + k) for k in types})


def random_profile(rng, slowness):
    return toy_profile(slowness) if rng.random() < 0.5 else toy_model(slowness, context_token_s=rng.choice([0.0, 1 / 4096]))


def random_pools(rng, n_models):
    def pool(name, tiers, spill_to=None):
        instances = {f"m{i}": int(rng.integers(0, 3)) for i in range(n_models)}
        return Pool(name, tiers, instances, spill_to, float(rng.random()))

    kind = rng.integers(4)
    if kind == 0:
        return (pool("unified", ALL),)
    if kind == 3:
        return (pool("interactive", ALL[:2], "mixed"), pool("batch", ALL[2:], "mixed"), pool("mixed", ()))
    return (pool("interactive", ALL[:2], "batch" if kind == 1 else None), pool("batch", ALL[2:]))


def random_niw(rng):
    high = float(rng.random())
    on_tick = bool(rng.random() < 0.7)
    return NiwQueue(
        managed=bool(rng.random() < 0.7),
        release_utilization=(high, high * float(rng.random())),
        release_count=(1, 2) if rng.random() < 0.7 else (2, 1),
        release_on_tick=on_tick,
        promote_after_s=float(rng.choice([0.0, 8.0, 30.0, np.inf] if on_tick else [0.0, 8.0, 30.0])),
    )


def random_rows(rng, world, most=60, horizon_s=40.0):
    """Up to ``most`` requests, bursts and equal arrivals among them, some too large for any instance."""
    n = int(rng.integers(0, most + 1))
    rows = np.zeros(n, REQUEST_DTYPE)
    arrival_s = rng.random(n) * horizon_s * rng.choice([0.1, 1.0])
    rows["arrival_s"] = np.sort(np.floor(arrival_s * 4) / 4 if rng.random() < 0.4 else arrival_s)
    rows["model"] = rng.integers(len(world.models), size=n)
    rows["origin"] = rng.integers(len(world.regions), size=n)
    rows["tier"] = rng.integers(3, size=n)
    n_orders = {1: 1, 2: 1, 3: 2}[len(world.regions)]
    rows["preference"] = rng.integers(n_orders, size=n)
    share = rng.random(n) ** rng.choice([1.0, 3.0])
    rows["prompt_tokens"] = 1 + share * kv_of(world)[rows["model"]]
    rows["output_tokens"] = rng.geometric(1 / rng.choice([2, 10, 30]), size=n)
    return rows


def random_knobs(rng, world):
    """Any setting at all that is allowed, thresholds above 1 and weights of 0 among them."""
    knobs = Knobs.static(world, str(rng.choice(ADMISSION_ORDERS)))
    knobs.floor[:] = rng.integers(0, 3, size=knobs.floor.shape)
    knobs.cap[:] = knobs.floor + rng.integers(0, 3, size=knobs.cap.shape)
    knobs.scale_in_utilization[:] = rng.random(knobs.scale_in_utilization.shape)
    knobs.scale_out_utilization[:] = rng.random(knobs.scale_out_utilization.shape)
    knobs.cool_down_s[:] = rng.choice([0.0, 2.0, 10.0], size=knobs.cool_down_s.shape)
    knobs.emergency_utilization[:] = rng.choice([2.0, 2.0, 0.0, 0.8], size=knobs.emergency_utilization.shape)
    knobs.routing_threshold[:] = rng.random(knobs.routing_threshold.shape) * 1.2
    knobs.region_weight[:] = rng.choice([0.0, 0.5, 1.0, 3.0], size=knobs.region_weight.shape)
    knobs.niw_release[:] = np.sort(rng.random(knobs.niw_release.shape))[:, ::-1]
    return knobs


def one_of_each(world):
    """Knobs that hold one instance of every VM type that a model runs on at every endpoint."""
    knobs = Knobs.static(world)
    for place in range(len(knobs.floor)):
        model = world.models[place // len(world.pools) % len(world.models)]
        knobs.floor[place] = [vm_type.name in model.profiles for vm_type in world.vm_types]
    knobs.cap[:] = knobs.floor
    return knobs


def play(sim, rng, *, until_s=60.0, steps=4):
    """Advance in random steps and change the knobs at random between them."""
    for stop_s in np.sort(rng.random(steps) * until_s):
        sim.advance(float(stop_s))
        sim.apply(random_knobs(rng, sim.world))
        sim._verify()
    sim.advance(until_s)


def finish(sim, limit_s=20_000.0):
    """Advance until every request is done; False if some never is."""
    clock = sim._state["clock"][0]
    while sim.now_s < limit_s:
        sim.advance(sim.now_s + 100.0)
        if clock["arrived"] == clock["completed"] + clock["rejected"] and sim.now_s > sim.workload.duration_s:
            return True
    return False
