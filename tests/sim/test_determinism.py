"""The same world, workload, seed and decisions give the same bytes, however the run is cut into chunks, steps and threads."""

import threading

import numpy as np
import pytest

from sageserve_env.sim import Simulator
from sageserve_env.workload.sources.o365 import O365Week
from sageserve_env.world import published
from tests.sim.helpers import ArrayWorkload, random_knobs, random_rows, random_world, state_bytes

END_S = 60.0
SEEDS = range(150)


def case(seed, chunk_rows=4096, **options):
    """A simulator of a random world and workload, and the knobs to set at each of a few instants."""
    rng = np.random.default_rng(seed)
    world = random_world(rng)
    rows = random_rows(rng, world, most=120)
    plan = [(float(at_s), random_knobs(rng, world)) for at_s in np.sort(rng.random(3) * END_S)]
    return Simulator(world, ArrayWorkload(rows, chunk_rows), log_requests=True, **options), plan


def follow(sim, plan, *, step=None, end_s=END_S):
    """Advance to the end, putting the plan's knobs into force on the way; ``step(sim, until_s)`` advances."""
    advance = step or Simulator.advance
    for at_s, knobs in plan:
        if at_s >= sim.now_s:
            advance(sim, at_s)
            sim.apply(knobs)
    advance(sim, end_s)
    return sim


def outcome(sim, *, without_cursor=False):
    """The request log and the state, as bytes."""
    state = state_bytes(sim)
    if without_cursor:  # the place in the current chunk is the one thing that depends on how the workload is cut
        clock = sim._state["clock"].copy()
        clock["cursor"] = 0
        state["clock"] = clock.tobytes()
    return sim.request_log().tobytes(), state


def assert_same(one, other, seed):
    assert one[0] == other[0], f"seed {seed}: request logs differ"
    different = [name for name in one[1] if one[1][name] != other[1][name]]
    assert not different, f"seed {seed}: {different} differ"


def test_the_same_seed_twice():
    for seed in SEEDS:
        assert_same(outcome(follow(*case(seed))), outcome(follow(*case(seed))), seed)


@pytest.mark.parametrize("chunk_rows", [1, 7])
def test_chunks_of_any_size(chunk_rows):
    for seed in SEEDS:
        whole = outcome(follow(*case(seed)), without_cursor=True)
        assert_same(whole, outcome(follow(*case(seed, chunk_rows)), without_cursor=True), seed)


def test_one_step_or_many():
    def in_steps(sim, until_s):
        rng = np.random.default_rng(int(until_s * 1000))
        for stop_s in np.sort(rng.uniform(sim.now_s, until_s, 30)):
            sim.advance(float(stop_s))
        sim.advance(until_s)

    for seed in SEEDS:
        assert_same(outcome(follow(*case(seed))), outcome(follow(*case(seed), step=in_steps)), seed)


def test_checked_or_not():
    for seed in SEEDS[:40]:
        assert_same(outcome(follow(*case(seed))), outcome(follow(*case(seed, check=True))), seed)


def test_a_pool_of_requests_that_grows():
    rng = np.random.default_rng(5)
    world = random_world(rng)
    rows = random_rows(rng, world, most=4)
    rows = np.repeat(rows[:1], 3000)
    ends = []
    for first_slots in (None, 4096):
        sim = Simulator(world, ArrayWorkload(rows), log_requests=True)
        if first_slots:
            sim._state["flight"] = np.zeros(first_slots, sim._state["flight"].dtype)
        sim.advance(END_S)
        ends.append(outcome(sim))
    assert_same(*ends, 5)


@pytest.mark.parametrize("where", ["the same simulator", "a fresh one"])
def test_snapshot_and_restore_midway(where):
    for seed in SEEDS:
        sim, plan = case(seed, 7)
        middle_s = float(np.random.default_rng(seed).uniform(1.0, END_S - 1.0))
        first = [step for step in plan if step[0] < middle_s]
        follow(sim, first, end_s=middle_s)
        snapshot = sim.snapshot()
        rest = plan[len(first) :]
        straight = outcome(follow(sim, rest))
        again = sim if where == "the same simulator" else case(seed, 7)[0]
        again.restore(snapshot)
        assert again.now_s == middle_s
        assert_same(straight, outcome(follow(again, rest)), seed)
        again.restore(snapshot)  # a snapshot is not used up, nor changed by what follows
        assert_same(straight, outcome(follow(again, rest)), seed)


def test_a_snapshot_of_a_restored_simulator_is_the_snapshot():
    for seed in SEEDS[:40]:
        sim, plan = case(seed, 7)
        follow(sim, plan[:1], end_s=max(30.0, plan[0][0]))
        snapshot = sim.snapshot()
        follow(sim, plan[1:])
        sim.restore(snapshot)
        again = sim.snapshot()
        assert {k: v.tobytes() for k, v in again.arrays.items()} == {k: v.tobytes() for k, v in snapshot.arrays.items()}
        assert again.stream == snapshot.stream
        assert [part.tobytes() for part in again.log] == [part.tobytes() for part in snapshot.log]


def test_reading_changes_nothing():
    breaches = 0
    for seed in SEEDS[:40]:
        sim, plan = case(seed, 7)
        follow(sim, plan[:2], end_s=max(30.0, plan[1][0]))
        before = outcome(sim)
        seen = sim.telemetry()
        sim.metrics(), sim.running_sums(), sim.snapshot()
        assert_same(before, outcome(sim), seed)
        again = sim.telemetry()
        assert np.array_equal(seen.breached, again.breached)
        breaches += int(seen.breached.sum())
    assert breaches > 100


def test_telemetry_on_the_way_moves_no_later_breach():
    for seed in SEEDS[:40]:
        (watched, plan), (alone, _) = case(seed), case(seed)

        def advance(sim, until_s):
            for stop_s in np.linspace(sim.now_s, until_s, 9):
                sim.advance(float(stop_s))
                sim.telemetry()

        follow(watched, plan, step=advance)
        assert np.array_equal(watched.telemetry().breached, follow(alone, plan).telemetry().breached), seed


def test_threads_at_once_or_one_after_the_other():
    n = 4
    alone = [outcome(follow(*case(seed))) for seed in range(n * 10)]
    together = {}

    def work(part):
        for seed in range(part * 10, (part + 1) * 10):
            together[seed] = outcome(follow(*case(seed)))

    threads = [threading.Thread(target=work, args=(part,)) for part in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, expected in enumerate(alone):
        assert_same(expected, together[seed], seed)


def test_a_real_workload_resumed_and_in_threads():
    world = published(instances=3)
    workload = O365Week(start_s=126_000.0, duration_s=240.0)

    def run(seed, resume_s=None):
        sim = Simulator(world, workload, seed=seed, log_requests=True)
        if resume_s is not None:
            sim.advance(resume_s)
            snapshot = sim.snapshot()
            sim = Simulator(world, workload, seed=seed, log_requests=True)
            sim.restore(snapshot)
        sim.advance(240.0)
        return outcome(sim)

    alone = [run(1), run(2)]
    assert alone[0][0] != alone[1][0]
    assert_same(alone[0], run(1, resume_s=100.0), 1)
    together = [None, None]

    def work(place):
        together[place] = run(place + 1)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for place in range(2):
        assert_same(alone[place], together[place], place + 1)
